"""Partial sums of many panes in one array: a pane's part is a row, what it counts are columns (sketch.py).

Adding a batch costs the same whether it falls into one pane or into hundreds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
NOWHERE = (-1, -1, -1, -1)
_FIRST_NONE = np.iinfo(np.int64).max


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

    def take(self) -> int:
        """An empty row."""
        if not self._free:
            self._grow()
        return self._free.pop()

    def release(self, row: int) -> None:
        self._counts[row] = 0
        self._sums[row] = 0
        self._firsts[row] = _FIRST_NONE
        self._lasts[row] = -1
        self._free.append(row)

    def add(self, rows: Codes, which: Codes, added: Added) -> None:
        """Add to the rows ``rows[which]``, ``which`` int64[n]; ``rows`` are different ones."""
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
        counts = self._counts[row].copy()
        sums, span = self._sums[row].tolist(), self._span_of(row)
        counts[-1] = 0
        if more is not None:
            counts[more.columns] += more.counts
            sums = [a + b for a, b in zip(sums, more.sums, strict=True)]
            span = _wider(span, more.span)
        columns = np.flatnonzero(counts)
        return Sums(columns.astype(np.int32), counts[columns], tuple(sums), span)

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

    def _span_of(self, row: int) -> tuple[int, int, int, int]:
        (p_first, t_first), (p_last, t_last) = self._firsts[row].tolist(), self._lasts[row].tolist()
        return (p_first if p_last >= 0 else -1, p_last, t_first if t_last >= 0 else -1, t_last)

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


def _wider(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return (_least(a[0], b[0]), max(a[1], b[1]), _least(a[2], b[2]), max(a[3], b[3]))


def _least(a: int, b: int) -> int:
    return max(a, b) if min(a, b) < 0 else min(a, b)
