"""Rows in columns, in segments of 4,096 that are born, saved and forgotten together, found by the hash of an id.

A row's *slot* is its place in the columns; it stays while the row lives and is given out again afterwards.
46 bytes a prediction and 38 a ground truth, plus 18 to 43 for the index (index.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from driftloop.streams.observer.join.index import Hashes, Index, Slots
from numpy.typing import DTypeLike, NDArray

SEGMENT_ROWS = 4_096
ROWS_LEAST = 256
INDEX_BYTES_A_ROW = 30
"""18 to 43, as full as the index is (index.py)."""
FEW = 100
"""Up to so many rows a loop of Python's is faster than numpy's calls."""
WAITING, MATCHED, LATE, CLOSED = 0, 1, 2, 3
"""Status of a row. Even ones are open: it may still find its other half. LATE: it met one, but too late for it."""

BASE: dict[str, DTypeLike] = {"ids": "<u8", "times": "<f8", "before": "<f8", "offsets": "<i8"}
Columns = Mapping[str, NDArray[Any]]


def blank(kind: DTypeLike, rows: int) -> NDArray[Any]:
    """What stands in a column where nothing was told: NaN, or 0 of whole numbers."""
    found = np.zeros(rows, kind)
    return np.full(rows, np.nan, kind) if found.dtype.kind == "f" else found


@dataclass(slots=True)
class Segment:
    """Rows that live in ``columns[base : base + rows]``. ``sequence`` never repeats in one store."""

    sequence: int
    base: int
    rows: int = 0
    time_most: float = -math.inf
    before_most: float = -math.inf
    open_time_least: float = math.inf
    """Lower bound of the event times of the rows that are open."""
    saved_parts: list[int] = field(default_factory=list)
    """First rows of the state records that hold this segment, ascending; and up to which row they reach."""
    saved_rows: int = 0
    status_changed: bool = False
    status_saved: bool = False


class Rows:
    """``payload``: further columns beside BASE and ``status``."""

    def __init__(self, payload: Mapping[str, DTypeLike]) -> None:
        self.types: dict[str, np.dtype[Any]] = {name: np.dtype(t) for name, t in {**BASE, **payload}.items()}
        self.columns: dict[str, NDArray[Any]] = {name: np.empty(0, t) for name, t in self.types.items()}
        self.status: NDArray[np.int8] = np.empty(0, np.int8)
        self.segments: dict[int, Segment] = {}
        self.forgotten: list[Segment] = []
        """Segments that have died since the last checkpoint."""
        self._by_chunk: dict[int, Segment] = {}
        self._free_chunks: list[int] = []
        self._last: Segment | None = None
        self._next_sequence = self._count = self._chunks = 0
        self.index = Index()

    def __len__(self) -> int:
        return self._count

    def widen(self, payload: Mapping[str, DTypeLike]) -> None:
        """Keep further columns. Rows that are there hold ``blank`` in them, and are written anew."""
        new = {name: np.dtype(t) for name, t in payload.items() if name not in self.types}
        self.types |= new
        for name, kind in new.items():
            self.columns[name] = blank(kind, len(self.status))
        for segment in self.segments.values() if new else ():
            segment.saved_rows = 0

    @property
    def nbytes(self) -> int:
        return sum(c.nbytes for c in self.columns.values()) + self.status.nbytes + self.index.nbytes

    @property
    def live_bytes(self) -> int:
        """What the rows take, those of the columns that are free for the next ones not counted."""
        return self._count * (sum(kind.itemsize for kind in self.types.values()) + 1 + INDEX_BYTES_A_ROW)

    @property
    def oldest(self) -> float:
        """Event time by which the rows of the oldest segment end; infinite where there is none."""
        return min((segment.time_most for segment in self.segments.values()), default=math.inf)

    def append(self, rows: Columns) -> Slots:
        """Take rows in, open; their slots. ``rows`` holds every column, of one length."""
        ids, times, before = rows["ids"], rows["times"], rows["before"]
        slots = np.empty(len(ids), np.int64)
        done = 0
        while done < len(ids):
            segment = self._segment_with_room()
            taken = min(len(ids) - done, SEGMENT_ROWS - segment.rows)
            first, here = segment.base + segment.rows, slice(done, done + taken)
            self._reserve(first + taken)
            slots[here] = np.arange(first, first + taken)
            for name, column in self.columns.items():
                column[first : first + taken] = rows[name][here]
            self.status[first : first + taken] = WAITING
            self._cover(segment, times[here], before[here])
            segment.rows += taken
            done += taken
        self.index.insert(ids, slots)
        self._count += len(ids)
        return slots

    def find(self, ids: Hashes) -> tuple[Slots, Slots]:
        """All (position in ``ids``, slot) of rows with this id."""
        return self.index.find(ids)

    def mark(self, slots: Slots, status: int) -> None:
        self.status[slots] = status
        chunks = slots // SEGMENT_ROWS
        for chunk in set(chunks.tolist()) if len(chunks) < FEW else np.bincount(chunks).nonzero()[0].tolist():
            self._by_chunk[chunk].status_changed = True

    def overdue(self, seconds: float, watermark: float) -> Slots:
        """Slots of all open rows with time + seconds, and their arrival, below ``watermark``: to be marked CLOSED."""
        found = [
            self._open_before(segment, seconds, watermark)
            for segment in self.segments.values()
            if segment.open_time_least + seconds < watermark
        ]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def forget_before(self, seconds: float, watermark: float) -> None:
        """Drop the segments all of whose rows have time + seconds, and their arrival, below ``watermark``."""
        for segment in list(self.segments.values()):
            if segment.time_most + seconds < watermark and segment.before_most < watermark:
                self.drop(segment)

    def keep(self, slots: Slots, kept: NDArray[np.bool_]) -> tuple[Columns, NDArray[np.int8]]:
        """Keep these of all rows, ``slots``; columns and status of the others."""
        stay, go = self._read(slots[kept]), self._read(slots[~kept])
        if not kept.all():
            for segment in list(self):
                self.drop(segment)
            self.take_in(*stay)
        return go

    def take_in(self, rows: Columns, status: NDArray[np.int8]) -> None:
        """Append rows that are not new."""
        slots = self.append(rows)
        for one in np.unique(status).tolist():
            self.mark(slots[status == one], one)

    def drop(self, segment: Segment) -> None:
        here = slice(segment.base, segment.base + segment.rows)
        self.index.delete_range(self.columns["ids"][here], segment.base)
        chunk = segment.base // SEGMENT_ROWS
        del self.segments[segment.sequence], self._by_chunk[chunk]
        self._free_chunks.append(chunk)
        self.forgotten.append(segment)
        self._count -= segment.rows
        if self._last is segment:
            self._last = None

    def slots(self) -> Slots:
        """Of all rows, in the order in which they came."""
        return np.concatenate([np.empty(0, np.int64), *map(self.slots_of, self)])

    def slots_of(self, segment: Segment) -> Slots:
        return np.arange(segment.base, segment.base + segment.rows)

    def restore(
        self, sequence: int, rows: Columns, status: NDArray[np.int8], parts: list[int], status_saved: bool
    ) -> None:
        """Put a saved segment back; segments come in ascending sequence."""
        segment = self._new_segment(sequence)
        segment.status_saved = status_saved
        count = len(status)
        here = slice(segment.base, segment.base + count)
        self._reserve(here.stop)
        for name, column in self.columns.items():
            column[here] = rows[name]
        self.status[here] = status
        self._cover(segment, rows["times"], rows["before"])
        segment.rows = segment.saved_rows = count
        segment.saved_parts = parts
        self._count += count
        self.index.insert(rows["ids"].astype(np.uint64), self.slots_of(segment))

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments.values())

    def _read(self, slots: Slots) -> tuple[Columns, NDArray[np.int8]]:
        return {name: column[slots] for name, column in self.columns.items()}, self.status[slots]

    def _open_before(self, segment: Segment, seconds: float, watermark: float) -> Slots:
        here = slice(segment.base, segment.base + segment.rows)
        times = self.columns["times"][here]
        is_open = self.status[here] % 2 == 0
        over = is_open & (times + seconds < watermark) & (self.columns["before"][here] < watermark)
        segment.open_time_least = float(times[is_open & ~over].min(initial=math.inf))
        return segment.base + np.flatnonzero(over)

    @staticmethod
    def _cover(segment: Segment, times: NDArray[np.float64], before: NDArray[np.float64]) -> None:
        segment.time_most = max(segment.time_most, float(times.max(initial=-math.inf)))
        segment.before_most = max(segment.before_most, float(before.max(initial=-math.inf)))
        segment.open_time_least = min(segment.open_time_least, float(times.min(initial=math.inf)))

    def _segment_with_room(self) -> Segment:
        if self._last is None or self._last.rows == SEGMENT_ROWS:
            self._new_segment(self._next_sequence)
        assert self._last is not None
        return self._last

    def _new_segment(self, sequence: int) -> Segment:
        if not self._free_chunks:
            self._free_chunks.append(self._chunks)
            self._chunks += 1
        chunk = self._free_chunks.pop()
        segment = Segment(sequence, chunk * SEGMENT_ROWS)
        self.segments[sequence] = self._by_chunk[chunk] = self._last = segment
        self._next_sequence = sequence + 1
        return segment

    def _reserve(self, rows: int) -> None:
        """Room for so many rows: twice as many up to a segment, then a quarter more, so that a store is never much
        larger than what it holds, nor is that of a model with few rows."""
        size = len(self.status)
        if rows > size:
            size = max(rows, size + max(ROWS_LEAST, min(size, SEGMENT_ROWS), size // 4))
            self.columns = {name: _longer(column, size) for name, column in self.columns.items()}
            self.status = _longer(self.status, size)


def _longer(column: NDArray[Any], size: int) -> NDArray[Any]:
    """What lies behind the old end is not touched: it takes no memory before it is written."""
    found = np.empty(size, column.dtype)
    found[: len(column)] = column
    return found
