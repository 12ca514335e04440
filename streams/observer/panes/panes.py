"""The open panes of one specification and kind, and what of them is due.

A pane is kept as *parts*, one for each instant at which something of it is due: the pane's own instant, and later
ones for what came behind it. At an instant the part is added to the pane's total, and the total is told with the next
revision. A pane is dropped when nothing can come for it any more: its end and the horizon lie behind the watermark.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from driftloop.streams.observer.join.rows import FEW
from driftloop.streams.observer.join.seats import SEATS_MOST
from driftloop.streams.observer.panes.sketch import Layout
from driftloop.streams.observer.panes.table import Added, Sums, Table
from driftloop.streams.observer.time import Clock
from numpy.typing import NDArray

Codes = NDArray[np.int64]
PLACES_A_ROW = 4
"""Groups are found by their number in a list of up to so many places a row: 6 ns a row, against 135 to sort them."""


class PaneKey(NamedTuple):
    """``seat``: number of (version, role); ``bucket`` -1 for features."""

    seat: int
    bucket: int
    pane: int


class Due(NamedTuple):
    """A pane to be told: its total at the instant ``due``; ``gained``: what its first two columns (rows; of labels:
    pairs, labelled) have gained since it was last told."""

    due: float
    key: PaneKey
    revision: int
    total: Sums
    gained: tuple[int, int]


@dataclass(slots=True)
class OpenPane:
    """``parts``: row of the table by instant. ``total``: what has been told so far, in ``revision``."""

    parts: dict[float, int] = field(default_factory=dict)
    total: Sums | None = None
    revision: int = -1


class Place(NamedTuple):
    """Where n rows belong: int64[n] each; ``due`` f8[n], equal to ``instants`` but for late rows."""

    seats: Codes
    buckets: Codes
    panes: Codes
    instants: NDArray[np.float64]
    due: NDArray[np.float64]


class Panes:
    """Panes of one kind and one specification."""

    def __init__(self, kind: str, layout: Layout, clock: Clock, table: Table) -> None:
        self.kind, self.layout, self.clock, self.table = kind, layout, clock, table
        self.first_revision = 0
        """Of panes that are opened from now on; above 0 after a rewind (recovery/replay.py)."""
        self.panes: dict[PaneKey, OpenPane] = {}
        self.changed: set[PaneKey] = set()
        """Panes that differ from their state record, those that are gone among them."""
        self._by_due: dict[float, list[PaneKey]] = {}
        self._dues: list[float] = []
        self._ends: list[tuple[float, PaneKey]] = []

    def fold(self, place: Place, added: Added) -> None:
        """Count n rows in."""
        fold_into([self], np.zeros(len(place.panes), np.int64), place, added)

    def is_due(self, watermark: float) -> bool:
        """Something is due at or before the watermark."""
        return bool(self._dues) and self._dues[0] <= watermark

    def rows_to_read(self, watermark: float) -> list[int]:
        """Of the table, which a checkpoint at this watermark reads: what is due, and the panes that have changed."""
        found = {row for key in self.changed if key in self.panes for row in self.panes[key].parts.values()}
        if self.is_due(watermark):
            for due in self._dues:
                if due <= watermark:
                    found.update([self.panes[key].parts[due] for key in self._by_due[due]])
        return list(found)

    def take_due(self, watermark: float) -> Iterator[Due]:
        """What is due at or before the watermark, in order of (instant, key)."""
        while self._dues and self._dues[0] <= watermark:
            due = heapq.heappop(self._dues)
            for key in sorted(self._by_due.pop(due)):
                pane = self.panes[key]
                row = pane.parts.pop(due)
                gained = self.table.first_two(row)
                pane.total = self.table.read(row, pane.total)
                self.table.release(row)
                pane.revision += 1
                self.changed.add(key)
                yield Due(due, key, pane.revision, pane.total, gained)

    def close(self, watermark: float, horizon_seconds: float) -> None:
        """Drop the panes for which nothing can come any more, once all of them has been told."""
        kept = []
        while self._ends and self._ends[0][0] + horizon_seconds <= watermark:
            entry = heapq.heappop(self._ends)
            if self.panes[entry[1]].parts:
                kept.append(entry)
            else:
                del self.panes[entry[1]]
                self.changed.add(entry[1])
        for entry in kept:
            heapq.heappush(self._ends, entry)

    def parts_of(self, key: PaneKey) -> list[tuple[float, Sums]]:
        """The parts that have not been told yet, by instant."""
        return [(due, self.table.read(row)) for due, row in sorted(self.panes[key].parts.items())]

    def restore(self, key: PaneKey, revision: int, total: Sums | None, parts: list[tuple[float, Sums]]) -> None:
        pane = self._open(key)
        pane.revision, pane.total = revision, total
        for due, sums in parts:
            pane.parts[due] = self.table.write(sums)
            self._schedule(due, key)

    def row(self, key: PaneKey, due: float) -> int:
        """Of the table, for what is due then."""
        self.changed.add(key)
        pane = self.panes.get(key) or self._open(key)
        row = pane.parts.get(due)
        if row is None:
            row = pane.parts[due] = self.table.take()
            self._schedule(due, key)
        return row

    def _open(self, key: PaneKey) -> OpenPane:
        pane = self.panes[key] = OpenPane(revision=self.first_revision - 1)
        heapq.heappush(self._ends, (self.clock.start_of(key.pane + 1), key))
        return pane

    def _schedule(self, due: float, key: PaneKey) -> None:
        if due not in self._by_due:
            self._by_due[due] = []
            heapq.heappush(self._dues, due)
        self._by_due[due].append(key)


def fold_into(panes: Sequence[Panes], whose: Codes, place: Place, added: Added) -> None:
    """Count n rows in, each into the panes that ``whose`` says, int64[n]; all of them have one table."""
    if not len(place.panes):
        return
    seats = place.seats + whose * SEATS_MOST if len(panes) > 1 else place.seats
    first, which = _groups(place._replace(seats=seats))
    columns = (whose, place.seats, place.buckets, place.panes, place.due)
    keys = zip(*(column[first].tolist() for column in columns), strict=True)
    rows = [panes[i].row(PaneKey(seat, bucket, pane), due) for i, seat, bucket, pane, due in keys]
    panes[0].table.add(np.array(rows), which, added)


def _few_groups(place: Place) -> tuple[Codes, Codes]:
    """_groups for a handful of rows."""
    numbers: dict[tuple[int, int, int, float], int] = {}
    first: list[int] = []
    which = []
    columns = (place.seats.tolist(), place.buckets.tolist(), place.panes.tolist(), place.due.tolist())
    for row, group in enumerate(zip(*columns, strict=True)):
        number = numbers.setdefault(group, len(first))
        if number == len(first):
            first.append(row)
        which.append(number)
    return np.array(first), np.array(which)


def _groups(place: Place) -> tuple[Codes, Codes]:
    """(a row of each group, the group of each row); a group is one pane and one instant."""
    if len(place.panes) < FEW:
        return _few_groups(place)
    seats, buckets, panes, instants, due = place
    low = panes.min()
    wide, deep = int(seats.max()) + 1, int(buckets.max()) + 2
    code = ((panes - low) * deep + buckets + 1) * wide + seats
    late = due != instants
    if late.any():
        which = np.unique(due[late], return_inverse=True)[1]
        code[late] += (which + 1) * (int(code.max()) + 1)
    elif (code == code[0]).all():
        return np.zeros(1, np.int64), np.zeros(len(code), np.int64)
    return numbered(code)


def numbered(code: Codes) -> tuple[Codes, Codes]:
    """(first row of each code, number of each row's), codes ascending; none is below 0."""
    places = int(code.max()) + 1
    if places > PLACES_A_ROW * len(code):
        _, first, found = np.unique(code, return_index=True, return_inverse=True)
        return first, found
    rows = np.full(places, -1)
    rows[code[::-1]] = np.arange(len(code) - 1, -1, -1)  # of several rows that claim a place the last has it
    there = np.flatnonzero(rows >= 0)
    first = rows[there]
    rows[there] = np.arange(len(there))
    return first, rows[code]
