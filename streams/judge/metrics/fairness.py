"""How far the segments of one segmentation are apart: differences and ratios of shares, with simultaneous intervals.

    demographic parity   share of decisions for classes[1] among all predictions that decide
    equal opportunity    recall: the same share among those whose label is classes[1]
    difference           highest less lowest share        ratio    lowest over highest     (as fairlearn defines them)

Of many segments the extremes are partly chance, so the interval must hold for whichever pair they happen to be: every
pair gets an interval of level 1 - .05 / pairs, and the largest difference lies between the largest lower and the
largest upper end (of two segments: Newcombe's interval, nothing to pay). Only named segments with ``ROWS_LEAST``
rows are compared, for a handful of rows is at an extreme by itself; "other" is no group of people.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
from driftloop.schemas.events import Estimate, FairnessMeasured
from driftloop.schemas.monitor.segments import segment_value
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.metrics import intervals
from driftloop.streams.judge.metrics.confusion import known_table
from driftloop.streams.judge.metrics.intervals import Counts
from driftloop.streams.judge.metrics.segmented import judged
from driftloop.streams.judge.sums import CONFUSION, LABELS, Layout, PaneSums

ROWS_LEAST = 30
"""A share of 30 rows is known to +-.18; below that it says nothing about a group."""
PARITY, OPPORTUNITY = "demographic_parity", "equal_opportunity"


def measure(
    specification: MonitorSpecification, layout: Layout, found: Mapping[str, PaneSums]
) -> tuple[FairnessMeasured, ...]:
    """Of a binary model, by segmentation and criterion; nothing where fewer than two segments can be compared."""
    if specification.task != "binary" or not found:
        return ()
    told = []
    names = [n for n in judged(specification) if n in found and segment_value(n)[1] is not None]
    for segmentation in specification.segments:
        own = [n for n in names if segment_value(n)[0] == segmentation.name]
        for criterion, of in ((PARITY, _selected), (OPPORTUNITY, _recalled)):
            counts = {n: of(layout, found[n]) for n in own}
            if (gap := compare(segmentation.name, criterion, counts)) is not None:
                told.append(gap)
    return tuple(told)


def compare(segmentation: str, criterion: str, counts: Mapping[str, tuple[int, int]]) -> FairnessMeasured | None:
    """The gap between segments of (hits, rows) each.

    >>> gap = compare("sex", PARITY, {"sex=f": (30, 100), "sex=m": (60, 120)})
    >>> gap.lowest, round(gap.difference.value, 3), round(gap.difference.low, 3), round(gap.difference.high, 3)
    ('sex=f', 0.2, 0.07, 0.32)
    """
    kept = {name: pair for name, pair in counts.items() if pair[1] >= ROWS_LEAST}
    if len(kept) < 2:
        return None
    names, (hits, rows) = list(kept), (np.array(column) for column in zip(*kept.values(), strict=True))
    found = intervals.shares(hits, rows, pair_z(len(names)))
    lowest, highest = int(found.value.argmin()), int(found.value.argmax())
    apart = [(i, j) for i in range(len(names)) for j in range(len(names)) if i != j]
    at = tuple(np.array(apart).T)
    value = float(found.value[highest] - found.value[lowest])
    lows, highs = intervals.differences(found)
    ends = float(lows[at].max()), float(highs[at].max())
    n = int(rows.sum())
    difference = Estimate(value, min(value, max(0.0, ends[0])), min(1.0, max(value, ends[1])), n)
    ratio = None
    if found.value[highest] > 0:
        share = float(found.value[lowest] / found.value[highest])
        lows, highs = intervals.ratios(found)
        ends = float(lows[at].min()), float(highs[at].min())
        ratio = Estimate(share, max(0.0, min(share, ends[0])), min(1.0, max(share, ends[1])), n)
    return FairnessMeasured(segmentation, criterion, len(names), names[lowest], names[highest], difference, ratio)


def pair_z(segments: int) -> float:
    """Quantile for each of the pairs of so many segments, so that all intervals hold together.

    >>> round(pair_z(2), 3), round(pair_z(10), 3)
    (1.96, 3.261)
    """
    return NormalDist().inv_cdf(1 - 0.025 / (segments * (segments - 1) / 2))


def _selected(_layout: Layout, sums: PaneSums) -> tuple[int, int]:
    return int(sums.decisions[1]), int(sums.decisions[:2].sum())


def _recalled(layout: Layout, sums: PaneSums) -> tuple[int, int]:
    table: Counts = known_table(layout.read(LABELS, sums.labels, CONFUSION), 2)
    return int(table[1, 1]), int(table[1].sum())
