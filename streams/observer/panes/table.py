"""Partial sums of many panes in one array: a pane's part is a row, what it counts are columns (sketch.py).

Adding a batch costs the same whether it falls into one pane or into hundreds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
NOWHERE = (-1, -1, -1, -1)
_FIRST_NONE = np.iinfo(np.int64).max
ROWS_AT_ONCE = 256
"""Are read ahead: half a megabyte of them, which stays in the processor's cache."""


class Sums(NamedTuple):
    """One part, or a whole pane, at rest. ``columns`` ascending with their ``counts`` above zero; ``sums`` in the
    units of the task; ``span``: first and last offset of predictions, then of truths, -1 where none."""

    columns: NDArray[np.int32]
    counts: NDArray[np.int32]
    sums: tuple[int, ...]
    span: tuple[int, int, int, int]


class Added(NamedTuple):
    """What a batch of n rows adds. ``columns`` int64[n, M] raised by one; ``sums`` int64[n, K] to the first K sums;
    ``scattered``: (number of a sum, amount), int64[n] each, for sums of which a row meets one."""

    columns: Codes
    sums: Codes
    predictions_offsets: NDArray[np.int64]
    truths_offsets: NDArray[np.int64] | None
    scattered: tuple[Codes, Codes] | None = None
    group_sums: Callable[[Codes, int], Codes] | None = None
    """(group of each row, groups) to int64[groups, K]: instead of ``sums``, where a row has very many."""


class Table:
    """``width`` columns, the last of which is a sink, and ``sums`` sums."""

    def __init__(self, width: int, sums: int) -> None:
        self.width = width
        self._counts = np.zeros((0, width), np.int32)
        self._sums = np.zeros((0, sums), np.int64)
        self._firsts = np.zeros((0, 2), np.int64)
        self._lasts = np.zeros((0, 2), np.int64)
        self._free: list[int] = []
        self._ahead: dict[int, Sums] = {}

    def take(self) -> int:
        """An empty row."""
        if not self._free:
            self._grow()
        return self._free.pop()

    def release(self, row: int) -> None:
        self._ahead.pop(row, None)
        self._counts[row] = 0
        self._sums[row] = 0
        self._firsts[row] = _FIRST_NONE
        self._lasts[row] = -1
        self._free.append(row)

    def add(self, rows: Codes, which: Codes, added: Added) -> None:
        """Add to the rows ``rows[which]``, ``which`` int64[n]; ``rows`` are different ones."""
        self._ahead.clear()
        if len(rows) * self.width <= 4 * added.columns.size + 4_096:
            flat = (which[:, None] * self.width + added.columns).ravel()
            self._counts[rows] += np.bincount(flat, minlength=len(rows) * self.width).reshape(-1, self.width)
        else:
            flat = (rows[which][:, None] * self.width + added.columns).ravel()
            np.add.at(self._counts.reshape(-1), flat, 1)
        at = rows[which]
        if added.group_sums is not None:
            self._sums[rows] += added.group_sums(which, len(rows))
        elif added.sums.shape[1]:
            flat = (at[:, None] * self._sums.shape[1] + np.arange(added.sums.shape[1])).ravel()
            np.add.at(self._sums.reshape(-1), flat, added.sums.ravel())
        if added.scattered is not None:
            np.add.at(self._sums, (at, added.scattered[0]), added.scattered[1])
        self._span(0, rows, at, added.predictions_offsets)
        if added.truths_offsets is not None:
            self._span(1, rows, at, added.truths_offsets)

    def read(self, row: int, more: Sums | None = None) -> Sums:
        """The row at rest, ``more`` added to it."""
        found = self._ahead.pop(row, None) or self._at_rest([row])[0]
        if more is None:
            return found
        counts = np.zeros(self.width, np.int32)
        counts[found.columns] = found.counts
        counts[more.columns] += more.counts
        columns = np.flatnonzero(counts)
        sums = tuple([a + b for a, b in zip(found.sums, more.sums, strict=True)])
        return Sums(columns.astype(np.int32), counts[columns], sums, _wider(found.span, more.span))

    def read_ahead(self, rows: Sequence[int]) -> None:
        """Put rows at rest that will be read before anything is added: by itself each takes a dozen of numpy's
        calls, and a checkpoint of a hundred models reads hundreds."""
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            self._ahead.update(zip(some, self._at_rest(some), strict=True))

    def first_two(self, row: int) -> tuple[int, int]:
        """The first two columns of a row."""
        first, second = self._counts[row, :2].tolist()
        return first, second

    def write(self, sums: Sums) -> int:
        """A new row that holds ``sums``."""
        row = self.take()
        self._counts[row, sums.columns] = sums.counts
        self._sums[row] = sums.sums
        for side in (0, 1):
            first, last = sums.span[2 * side : 2 * side + 2]
            self._firsts[row, side] = _FIRST_NONE if first < 0 else first
            self._lasts[row, side] = last
        return row

    def _span(self, side: int, rows: Codes, at: Codes, offsets: NDArray[np.int64]) -> None:
        if len(rows) == 1:
            row = rows[0]
            self._firsts[row, side] = min(self._firsts[row, side], offsets.min())
            self._lasts[row, side] = max(self._lasts[row, side], offsets.max())
        else:
            np.minimum.at(self._firsts[:, side], at, offsets)
            np.maximum.at(self._lasts[:, side], at, offsets)

    def _at_rest(self, rows: Sequence[int]) -> list[Sums]:
        """Columns and counts are copied, so that none of them keeps the memory of all."""
        counts = self._counts[rows]
        counts[:, -1] = 0
        flat = counts.ravel()
        there = np.flatnonzero(flat != 0)  # of flags in one dimension, which takes numpy a fraction of the time
        where = there // self.width
        values, bins = flat[there], (there - where * self.width).astype(np.int32)
        ends = np.bincount(where, minlength=len(rows)).cumsum().tolist()
        firsts = np.where(self._lasts[rows] >= 0, self._firsts[rows], -1).tolist()
        each = zip([0, *ends], ends, self._sums[rows].tolist(), firsts, self._lasts[rows].tolist(), strict=False)
        return [
            Sums(bins[start:end].copy(), values[start:end].copy(), tuple(sums), (p_first, p_last, t_first, t_last))
            for start, end, sums, (p_first, t_first), (p_last, t_last) in each
        ]

    def _grow(self) -> None:
        size = len(self._counts)
        more = max(4, size // 2)
        self._counts = np.concatenate([self._counts, np.zeros((more, self.width), np.int32)])
        self._sums = np.concatenate([self._sums, np.zeros((more, self._sums.shape[1]), np.int64)])
        self._firsts = np.concatenate([self._firsts, np.full((more, 2), _FIRST_NONE)])
        self._lasts = np.concatenate([self._lasts, np.full((more, 2), -1)])
        self._free.extend(range(size + more - 1, size - 1, -1))


class Tables:
    """Those of a partition: panes that are equally wide share one, which goes with the last of them."""

    def __init__(self) -> None:
        self._tables: WeakValueDictionary[tuple[int, int], Table] = WeakValueDictionary()

    def of(self, width: int, sums: int) -> Table:
        found = self._tables.get((width, sums))
        if found is None:
            found = self._tables[width, sums] = Table(width, sums)
        return found


def read_ahead(wanted: Iterable[tuple[Table, Sequence[int]]]) -> None:
    """Rows that are about to be read, table by table."""
    by_table: dict[int, tuple[Table, list[int]]] = {}
    for table, rows in wanted:
        by_table.setdefault(id(table), (table, []))[1].extend(rows)
    for table, every in by_table.values():
        table.read_ahead(every)


def _wider(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return (_least(a[0], b[0]), max(a[1], b[1]), _least(a[2], b[2]), max(a[3], b[3]))


def _least(a: int, b: int) -> int:
    return max(a, b) if min(a, b) < 0 else min(a, b)
