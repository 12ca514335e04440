"""Where a rise of the mean loss comes from: every segment's part, of its traffic and of its own loss.

    L = sum_s w_s l_s,  w: share of the labelled rows, l: mean loss;  before 0, since the change 1, ¯ mean of both

    mix_s    = (w1 - w0) (l_s¯ - L¯)    its share of the traffic has changed, and it is dearer or cheaper than others
    within_s = w_s¯ (l1 - l0)           the loss on its rows has changed

Exact: mix and within of all segments of a segmentation add up to L1 - L0, nothing is left over. Both ends enter in
the same way, so it does not matter which of them is called "before". A segment that was never there counts as if it
had had the mean loss. By feature: where a segmentation is declared on it, of categories or of intervals of a number;
otherwise label panes hold no loss by bin of a feature, for that would multiply them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from driftloop.schemas.events import LossShare

SHARES_MOST = 16
"""Told of one incident."""
CONCENTRATED = 0.8
"""Segments that make up so much of the rise are what has moved."""


class Losses(NamedTuple):
    """Labelled rows, and the sum of their losses."""

    rows: int
    loss: float


NONE = Losses(0, 0.0)
BySegment = Mapping[str, Losses]


def added(parts: Sequence[BySegment]) -> dict[str, Losses]:
    """Sums over windows, by segment."""
    found: dict[str, Losses] = {}
    for part in parts:
        for name, (rows, loss) in part.items():
            known = found.get(name, NONE)
            found[name] = Losses(known.rows + rows, known.loss + loss)
    return found


def loss_shares(
    segmentation: str, names: Sequence[str], before: BySegment, since: BySegment
) -> tuple[LossShare, ...]:
    """Every segment's part of the rise, the greatest first; () where one side has no rows, or the loss has not risen.

    >>> one, two = loss_shares("r", ("a", "b"), {"a": Losses(50, 10.0), "b": Losses(50, 10.0)},
    ...                        {"a": Losses(50, 30.0), "b": Losses(50, 10.0)})
    >>> (one.segment, round(one.within, 6), one.mix, round(one.share, 6), two.share)
    ('a', 0.2, 0.0, 1.0, 0.0)
    """
    totals = [added([{"": side.get(name, NONE)} for name in names])[""] for side in (before, since)]
    if not all(total.rows for total in totals):
        return ()
    means = [total.loss / total.rows for total in totals]
    rise = means[1] - means[0]
    if rise <= 0:
        return ()
    found = []
    for name in names:
        sides = [side.get(name, NONE) for side in (before, since)]
        if not any(side.rows for side in sides):
            continue
        w0, w1 = (side.rows / total.rows for side, total in zip(sides, totals, strict=True))
        l0, l1 = (side.loss / side.rows if side.rows else mean for side, mean in zip(sides, means, strict=True))
        mix = (w1 - w0) * ((l0 + l1) / 2 - (means[0] + means[1]) / 2)
        within = (w0 + w1) / 2 * (l1 - l0)
        share = (mix + within) / rise
        found.append(LossShare(segmentation, name, sides[1].rows, l1, l0, w1, w0, mix, within, share))
    return tuple(sorted(found, key=lambda s: (-s.share, s.segment)))


def touched(shares: Sequence[LossShare]) -> float | None:
    """Share of the traffic in the fewest rows that make up ``CONCENTRATED`` of the rise, by the segmentation that
    tells it best; None: there is none.

    Segments are taken by how much of the rise they have for their size.
    """
    found = []
    for segmentation in {share.segmentation for share in shares}:
        own = [s for s in shares if s.segmentation == segmentation and s.traffic > 0]
        rows = so_far = 0.0
        for share in sorted(own, key=lambda s: (-s.share / s.traffic, s.segment)):
            if so_far >= CONCENTRATED:
                break
            rows, so_far = rows + share.traffic, so_far + share.share
        found.append(min(1.0, rows))
    return min(found, default=None)
