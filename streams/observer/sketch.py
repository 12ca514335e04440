"""From the columns of a batch to the bins of a pane: which cells of its table does each row raise by one.

A pane's table has one column a bin of every histogram and one a count, side by side; the last column is a sink for
what is not counted. Bins and their meaning: schemas/bins.py and the specification; names: __init__.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from driftloop.schemas import bins
from driftloop.schemas.specification import MonitorSpecification, feature_bins, numeric_codes
from numpy.typing import NDArray

Codes = NDArray[np.int64]
UNKNOWN = 2
"""Code of a label or a decision that is no class."""
LOSS_UNIT, SQUARE_UNIT, DELAY_UNIT = 2.0**-32, 2.0**-28, 2.0**-10
"""What a row adds to a sum is rounded to a whole number of these, so that sums are exact in any order.
An int64 holds 60 million certain errors a pane and partition before it overflows, and as many a square."""
SUMS = {"log_loss": LOSS_UNIT, "log_loss_squared": SQUARE_UNIT, "brier": LOSS_UNIT, "delay_seconds": DELAY_UNIT}


HEAD = 3
"""The first blocks of a prediction's columns: predictions, predicted, score."""


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


class FeatureSketch:
    """Predictions of one specification. Without bins only what is missing is counted."""

    def __init__(self, spec: MonitorSpecification) -> None:
        self.spec = spec
        features = [*spec.numeric, *spec.categorical]
        per_feature = (
            [(f"feature:{f.name}", feature_bins(f), False) for f in features]
            if spec.has_bins
            else [(f"missing:{f.name}", 1, True) for f in features]
        )
        self.layout = Layout(
            [
                ("predictions", 1, True),
                ("predicted", 3, False),
                ("score", bins.SCORE_BINS, False),
                *per_feature,
                *((f"segment_other:{s.name}", 1, True) for s in spec.segments if s.values is not None),
            ]
        )
        self.head = Layout([(b.name, b.width, b.is_count) for b in self.layout.blocks[:HEAD]])
        """What a segment's panes count of its predictions: no features."""
        self._firsts = np.array([self.layout.at[name] for name, _, _ in per_feature], np.int64)
        self._special: dict[str, tuple[str, int]] = {}
        for f in features if spec.has_bins else ():
            self._special[f"missing:{f.name}"] = (f"feature:{f.name}", feature_bins(f) - 1)
            if f.kind == "categorical":
                self._special[f"unseen:{f.name}"] = (f"feature:{f.name}", feature_bins(f) - 2)

    def columns(
        self, score: NDArray[np.float64], predicted: Codes, numeric: NDArray[np.float64], categories: Codes
    ) -> Codes:
        """int64[n, M]: the columns that each row raises. ``categories`` are the codes of Tails.category_codes; where
        the specification has no bins, they are -1 and 0 for missing and there."""
        at, rows = self.layout.at, len(score)
        found = np.empty((rows, 3 + len(self._firsts)), np.int64)
        found[:, 0] = at["predictions"]
        found[:, 1] = at["predicted"] + predicted
        found[:, 2] = at["score"] + bins.score_codes(score)
        split = 3 + numeric.shape[1]
        if self.spec.has_bins:
            found[:, 3:split] = numeric_codes(numeric, self.spec)
            found[:, split:] = categories
            found[:, 3:] += self._firsts
        else:
            missing = np.concatenate([np.isnan(numeric), categories < 0], axis=1)
            found[:, 3:] = np.where(missing, self._firsts, self.layout.sink)
        return found

    def head_columns(self, columns: Codes) -> Codes:
        """The same rows in the columns of ``head``."""
        return np.minimum(columns[:, :HEAD], self.head.sink)

    def derived_counts(self, histograms: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> dict[str, int]:
        """missing:<feature> and unseen:<feature>, from the bins of the feature's histogram: (bins, counts)."""
        found = {}
        for name, (histogram, code) in self._special.items():
            bins_there, counts = histograms.get(histogram, ((), ()))
            if code in bins_there:
                found[name] = counts[bins_there.index(code)]
        return found


class LabelSketch:
    """Pairs of a prediction and its truth; the same for every binary specification."""

    def __init__(self) -> None:
        self.layout = Layout(
            [
                ("pairs", 1, True),
                ("labelled", 1, True),
                ("errors", 1, True),
                ("confusion", 9, False),
                ("score_by_label:0", bins.SCORE_BINS, False),
                ("score_by_label:1", bins.SCORE_BINS, False),
                ("loss", bins.LOSS_BINS, False),
            ]
        )

    def columns(
        self, score: NDArray[np.float64], predicted: Codes, label: Codes, delay: NDArray[np.float64]
    ) -> tuple[Codes, Codes]:
        """(int64[n, M] columns raised by one, int64[n, 4] what is added to SUMS in their units)."""
        at, sink = self.layout.at, self.layout.sink
        known = label >= 0
        wrong = known & (predicted != UNKNOWN) & (predicted != label)
        loss = bins.log_loss(score, label)
        found = np.empty((len(score), 6), np.int64)
        found[:, 0] = at["pairs"]
        found[:, 1] = np.where(known, at["labelled"], sink)
        found[:, 2] = np.where(wrong, at["errors"], sink)
        found[:, 3] = at["confusion"] + np.where(known, label, UNKNOWN) * 3 + predicted
        by_label = np.where(label == 1, at["score_by_label:1"], at["score_by_label:0"]) + bins.score_codes(score)
        found[:, 4] = np.where(known, by_label, sink)
        found[:, 5] = np.where(known, at["loss"] + bins.loss_codes(loss), sink)
        sums = np.empty((len(score), 4))
        sums[:, 0] = loss / LOSS_UNIT
        sums[:, 1] = loss * loss / SQUARE_UNIT
        sums[:, 2] = (score - label) ** 2 / LOSS_UNIT
        sums[:, :3] *= known[:, None]
        sums[:, 3] = delay / DELAY_UNIT
        return found, np.rint(sums).astype(np.int64)
