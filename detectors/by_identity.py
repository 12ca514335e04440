"""What follows from a thing that is never changed, worked out once: things are known by identity, for to hash or to
compare their hundreds of numbers costs as much as to work it out again.

>>> squares = ByIdentity(lambda numbers: print("at work") or [number**2 for number in numbers])
>>> some = [2, 3]
>>> squares(some), squares(some)
at work
([4, 9], [4, 9])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

KEPT_MOST = 64
ThingT = TypeVar("ThingT")
FoundT = TypeVar("FoundT")


class ByIdentity(Generic[ThingT, FoundT]):
    """A function of one thing. It keeps the last ``KEPT_MOST`` things, so that nothing else takes their identity."""

    def __init__(self, work_out: Callable[[ThingT], FoundT]) -> None:
        self._work_out = work_out
        self._kept: dict[int, tuple[ThingT, FoundT]] = {}

    def __call__(self, thing: ThingT) -> FoundT:
        kept = self._kept.get(id(thing))
        if kept is None:
            if len(self._kept) >= KEPT_MOST:
                self._kept.pop(next(iter(self._kept)))
            kept = self._kept[id(thing)] = thing, self._work_out(thing)
        return kept[1]
