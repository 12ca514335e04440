"""How far each partition has been worked off, and what waits in it for a run to end. Pure.

A model that is training answers no window; its windows wait here, in order, and are not worked off as far as the
consumer group is told. A restart therefore reads them again; what was evaluated before is then known by the state.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from driftloop.schemas.events import WindowMeasured


class Place(NamedTuple):
    """A partition of a topic by its full name."""

    topic: str
    partition: int


class Held(NamedTuple):
    place: Place
    offset: int
    window: WindowMeasured


class Backlog:
    """Offsets and held windows. ``positions`` are those behind which nothing waits."""

    def __init__(self) -> None:
        self._next: dict[Place, int] = {}
        self._held: dict[str, deque[Held]] = {}
        self._told: dict[Place, int] = {}

    def reached(self, place: Place, offset: int) -> None:
        """The record at ``offset`` was read, whatever became of it."""
        self._next[place] = offset + 1

    def hold(self, place: Place, offset: int, window: WindowMeasured) -> None:
        self._held.setdefault(window.model, deque()).append(Held(place, offset, window))

    def waits(self, model: str) -> bool:
        return bool(self._held.get(model))

    def next_of(self, model: str) -> WindowMeasured:
        """Take the oldest held window of a model."""
        return self._held[model].popleft().window

    def positions(self) -> dict[Place, int]:
        """For each partition the offset to go on from after a crash."""
        found = dict(self._next)
        for queue in self._held.values():
            for held in queue:
                found[held.place] = min(found[held.place], held.offset)
        return found

    def untold(self) -> dict[Place, int]:
        """Positions that differ from those last told to the group."""
        return {place: offset for place, offset in self.positions().items() if self._told.get(place) != offset}

    def told(self, positions: dict[Place, int]) -> None:
        self._told.update(positions)

    def clear(self) -> None:
        """The partitions were assigned anew: everything not told is read again."""
        self._next.clear()
        self._held.clear()
        self._told.clear()
