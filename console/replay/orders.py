"""When people's words on silences counted live: a replay knows them from the beginning, and counts them from then.

The judge tells the instant at which it has taken a silence, or ended one (``SilenceChanged``). A word of which it has
told nothing counts from its own ``as_of``: the judge had not come so far. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from driftloop.schemas.events import SilenceChanged
from driftloop.schemas.silences import Order


def counted(orders: Sequence[Order], changes: Iterable[SilenceChanged]) -> dict[int, float]:
    """By offset of the command, the instant from which it counted, where that is known."""
    taken, ended = dict[str, float](), dict[str, float]()
    for change in changes:
        if change.change == "ended":
            ended.setdefault(change.silence, change.as_of)
        else:
            taken.setdefault(change.silence, change.as_of)
    found = {}
    for order in orders:
        at = ended.get(order.ends) if order.silence is None else taken.get(order.silence.identity)
        if at is not None:
            found[order.offset] = at
    return found
