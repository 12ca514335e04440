"""From the columns of a batch to the bins of a pane: which cells of its table does each row raise by one.

A pane's table has one column a bin of every histogram and one a count, side by side; the last column is a sink for
what is not counted. Bins and their meaning: schemas/bins.py and the specification; names: __init__.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from driftloop.schemas.coder import codes_of_many
from driftloop.schemas.monitor.specification import MonitorSpecification, feature_bins
from driftloop.streams.observer.panes.embeddings import blocks_of
from numpy.typing import NDArray

if TYPE_CHECKING:
    from driftloop.streams.observer.panes.task import Task

Codes = NDArray[np.int64]
LOSS_UNIT, SQUARE_UNIT, DELAY_UNIT = 2.0**-32, 2.0**-28, 2.0**-10
"""What a row adds to a sum is rounded to a whole number of these, so that sums are exact in any order.
An int64 holds 60 million certain errors a pane and partition before it overflows, and as many a square."""


class Block(NamedTuple):
    """Columns ``first .. first + width`` of a table: a histogram, or a count where ``width`` is 1 and it says so."""

    name: str
    first: int
    width: int
    is_count: bool


class Layout:
    """Where the blocks of a table lie."""

    def __init__(self, blocks: Sequence[tuple[str, int, bool]]) -> None:
        self.blocks: list[Block] = []
        first = 0
        for name, width, is_count in blocks:
            self.blocks.append(Block(name, first, width, is_count))
            first += width
        self.sink = first
        self.width = first + 1
        self.ends = np.array([b.first + b.width for b in self.blocks])
        self.at = {b.name: b.first for b in self.blocks}
        self.bins = np.concatenate([np.arange(b.width, dtype=np.int32) for b in self.blocks])
        """Of each column, within its block."""


class FeatureSketch:
    """Predictions of one specification. Without bins only what is missing is counted."""

    def __init__(self, spec: MonitorSpecification, task: Task) -> None:
        self.spec, self.task = spec, task
        features = [*spec.numeric, *spec.categorical]
        per_feature = (
            [(f"feature:{f.name}", feature_bins(f), False) for f in features]
            if spec.has_bins
            else [(f"missing:{f.name}", 1, True) for f in features]
        )
        self.layout = Layout(
            [
                ("predictions", 1, True),
                *((name, width, False) for name, width in task.head),
                *per_feature,
                *blocks_of(spec),
                *((f"segment_other:{s.name}", 1, True) for s in spec.segments if s.values is not None),
            ]
        )
        self.head = Layout([(b.name, b.width, b.is_count) for b in self.layout.blocks[: 1 + len(task.head)]])
        """What a segment's panes count of its predictions: no features."""
        self.firsts = np.array([self.layout.at[name] for name, _, _ in per_feature], np.int64)
        at = self.layout.at
        special: dict[str, int] = {}
        for f in features if spec.has_bins else ():
            special[f"missing:{f.name}"] = at[f"feature:{f.name}"] + feature_bins(f) - 1
            if f.kind == "categorical":
                special[f"unseen:{f.name}"] = at[f"feature:{f.name}"] + feature_bins(f) - 2
        for f in spec.vectors:
            if f.bins:
                special[f"missing:{f.name}"] = at[f"feature:{f.name}"] + f.bins - 1
        self._special, self._special_columns = list(special), np.array(list(special.values()), np.int32)

    def head_columns(self, columns: Codes) -> Codes:
        """The same rows in the columns of ``head``."""
        return np.minimum(columns[:, : 1 + len(self.task.head)], self.head.sink)

    def derived_counts(self, columns: NDArray[np.int32], counts: NDArray[np.int32]) -> dict[str, int]:
        """missing:<feature> and unseen:<feature>, which are bins of the feature's histogram; ``columns`` ascending,
        with their ``counts``."""
        at = columns.searchsorted(self._special_columns)
        there = (columns.take(at, mode="clip") == self._special_columns).nonzero()[0].tolist()
        return {self._special[i]: int(counts[at[i]]) for i in there}


def columns_of(
    sketches: Sequence[FeatureSketch],
    lengths: NDArray[np.int64],
    scores: NDArray[np.float64],
    predicted: Codes,
    numeric: NDArray[np.float64],
    categories: Codes,
) -> Codes:
    """int64[n, M]: the columns that each row raises; the first ``lengths[0]`` rows are the first one's, and so on.

    All of them have one task, as many features of each kind, and bins or none. ``categories`` are those of
    TailCodes; where the specification has no bins, they are -1 and 0 for missing and there.
    """
    one = sketches[0]
    at, rows, head = one.layout.at, len(scores), 1 + len(one.task.head)
    firsts = one.firsts
    if len(sketches) > 1:
        firsts = np.repeat(np.stack([s.firsts for s in sketches]), lengths, axis=0)
    found = np.empty((rows, head + len(one.firsts)), np.int64)
    found[:, 0] = at["predictions"]
    for j, ((name, _), codes) in enumerate(zip(one.task.head, one.task.codes(scores, predicted), strict=True)):
        found[:, 1 + j] = at[name] + codes
    split = head + numeric.shape[1]
    if one.spec.has_bins:
        found[:, head:split] = codes_of_many([s.spec.coder for s in sketches], lengths, numeric)
        found[:, split:] = categories
        found[:, head:] += firsts
    else:
        missing = np.concatenate([np.isnan(numeric), categories < 0], axis=1)
        found[:, head:] = np.where(missing, firsts, one.layout.sink)
    return found
