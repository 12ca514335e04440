"""ADWIN's window: buckets of 1, 2, 4, … values, oldest first, whose layout follows from the number of values alone.

While nothing is dropped, the j-th bucket of row r holds the values j * 2**r to (j + 1) * 2**r, and is the sum of two
of row r - 1. A row that comes to ``most`` + 1 buckets hands its two oldest on. So of f buckets ever formed in a row
(f - most + 1) // 2 pairs were handed on, and what stands where after n values needs no simulation: the rows of a
whole batch are built by adding pairs, row by row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles
from numpy.typing import NDArray

Counts = NDArray[np.int64]


class Row(NamedTuple):
    """Buckets of one size: sum of their values, sum of squares around their mean; ``at``: the number of the first."""

    at: int
    totals: Doubles
    squares: Doubles


def formed(seen: Counts | int, most: int) -> list[Counts]:
    """By row: how many buckets were ever formed in it after so many values; the last entry is all zero."""
    rows = [np.asarray(seen, dtype=np.int64)]
    while rows[-1].max(initial=0) > 0:
        rows.append(np.maximum(rows[-1] - most + 1, 0) // 2)
    return rows


def handed(rows: list[Counts], r: int) -> Counts:
    """Of row r: how many of its buckets were handed on."""
    return np.asarray(2 * rows[r + 1], dtype=np.int64)


def unflattened(seen: int, most: int, totals: Doubles, squares: Doubles) -> list[Row]:
    """The rows after ``seen`` values, from their buckets in one array, smallest row first."""
    rows, counts, place = [], formed(seen, most), 0
    for r in range(len(counts) - 1):
        at = int(handed(counts, r))
        stop = place + int(counts[r]) - at
        rows.append(Row(at, totals[place:stop], squares[place:stop]))
        place = stop
    return rows


def grown(rows: list[Row], seen: int, most: int, values: Doubles) -> list[Row]:
    """The rows with every bucket that the values form, those they then hand on included."""
    after = formed(seen + len(values), most)
    before = [*map(int, formed(seen, most)), *([0] * len(after))]
    found, totals, squares = [], values, np.zeros(len(values))
    for r in range(len(after) - 1):
        row = rows[r] if r < len(rows) else Row(0, totals[:0], squares[:0])
        row = Row(row.at, np.concatenate((row.totals, totals)), np.concatenate((row.squares, squares)))
        found.append(row)
        totals, squares = _paired(row, r, 2 * (int(after[r + 1]) - before[r + 1]))
    return found


def _paired(row: Row, r: int, count: int) -> tuple[Doubles, Doubles]:
    """The first ``count`` buckets of a row, two by two."""
    size = float(1 << r)
    first, second = row.totals[:count:2], row.totals[1:count:2]
    apart = first / size - second / size
    between = size * size * apart * apart / (size + size)
    return first + second, row.squares[:count:2] + row.squares[1:count:2] + between


def standing(rows: list[Row], seen: int, most: int) -> list[Row]:
    """What is left of grown rows once all has been handed on."""
    counts = formed(seen, most)
    found = []
    for r in range(len(counts) - 1):
        left = slice(int(handed(counts, r)) - rows[r].at, int(counts[r]) - rows[r].at)
        found.append(Row(int(handed(counts, r)), rows[r].totals[left], rows[r].squares[left]))
    return found


def oldest_first(rows: list[Row], seen: Counts, most: int) -> tuple[Doubles, Doubles]:
    """After each of several numbers of values: totals and sizes of the buckets [times, slots], 0 where a slot is
    empty."""
    counts = formed(seen, most)
    slots = np.arange(most)
    totals, sizes = [], []
    for r in range(len(counts) - 2, -1, -1):
        number = handed(counts, r)[:, None] + slots
        there = number < counts[r][:, None]
        totals.append(np.where(there, rows[r].totals[np.where(there, number - rows[r].at, 0)], 0.0))
        sizes.append(np.where(there, float(1 << r), 0.0))
    return np.concatenate(totals, axis=1), np.concatenate(sizes, axis=1)
