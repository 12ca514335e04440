"""What a stream is: values, the rows at which they change, and for how long after a change an alarm counts as finding
it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
HORIZON = 3_500


class Stream(NamedTuple):
    """``changes``: rows where a change begins. ``bits``: values are errors, 0 or 1."""

    values: Values
    changes: tuple[int, ...]
    bits: bool


class Source(NamedTuple):
    """A kind of stream: ``draw`` makes one anew. ``group``: of which total it is a part, empty: of none."""

    name: str
    group: str
    draw: Callable[[np.random.Generator], Stream]


def change_row(rng: np.random.Generator) -> int:
    """Where a drawn stream changes: a detector cannot know it."""
    return int(rng.integers(3_000, 5_000))


def joined(before: Sequence[float] | Values, after: Sequence[float] | Values, bits: bool) -> Stream:
    """One change, at the first row of ``after``."""
    return Stream(np.concatenate((before, after)).astype(np.float64), (len(before),), bits)


def from_csv(path: Path) -> Source:
    """A stream of your own: columns ``value`` and ``change`` (1 at the first row of a change, else 0).

    ValueError: the file is not so, with the line.
    """
    values, changes = [], []
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        if not {"value", "change"} <= set(rows.fieldnames or ()):
            raise ValueError(f"{path}: the first line must name the columns value and change, not {rows.fieldnames}")
        for row in rows:
            try:
                values.append(float(row["value"]))
                changed = float(row["change"] or 0) != 0
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path}, line {rows.line_num}: value and change must be numbers: {row}") from error
            if changed:
                changes.append(len(values) - 1)
    if not values:
        raise ValueError(f"{path}: no rows behind the first line")
    array = np.array(values)
    stream = Stream(array, tuple(changes), bool(np.isin(array, (0.0, 1.0)).all()))
    return Source(path.name, "", lambda _: stream)
