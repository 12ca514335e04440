"""The demo's trainer: the model ``reg`` of notes/flights.md, chosen on January-February forward folds alone.

Gradient boosting over histograms (scikit-learn) with native categories: 60 trees of 15 leaves, at least 200 rows a
leaf, learning rate .04, 40 % of the features a split, l2 10. Regularised on purpose: the defaults cost .0025 of log
loss, and their worst month under a calendar is .0146 worse than never retraining.

Serving takes the trees apart: ``predict_proba`` of scikit-learn costs 2.9 ms a call, mostly checks of its input;
calling the same compiled trees without them costs .4 ms for 40 flights, with the same scores (a test compares).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from driftloop.retrainer.dataset import Dataset

Columns = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float64]

SETTINGS = {
    "max_iter": 60,
    "learning_rate": 0.04,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 200,
    "max_features": 0.4,
    "l2_regularization": 10.0,
    "early_stopping": False,
}
CATEGORIES_MOST = 254
"""A histogram of scikit-learn has 255 bins; one is for what is missing."""


def train(dataset: Dataset, seed: int) -> FlightModel:
    """Fit on all rows of ``dataset`` (the retrainer has capped them). 0.4 s for 50,000 rows on two cores."""
    return fit(dataset.columns, dataset.labels, seed)


def fit(columns: Columns, labels: NDArray[Any], seed: int) -> FlightModel:
    """Fit on feature columns [n] and labels [n] of 0 and 1."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    encoding = Encoding.of(columns)
    model = HistGradientBoostingClassifier(
        **SETTINGS, categorical_features=list(range(len(encoding.categories))), random_state=seed
    )
    model.fit(encoding.matrix(columns), labels)
    return FlightModel(encoding, *_trees(model))


class Encoding:
    """Feature columns -> one float matrix: first the categorical features as codes, then the numeric ones.

    Codes 0..k-1 stand for the categories seen in training, sorted; anything else is NaN, missing to the trees.
    The same order and the same codes scikit-learn would give them, so that its own encoder changes nothing.
    """

    def __init__(self, categories: dict[str, tuple[str, ...]], numeric: tuple[str, ...]) -> None:
        self.categories, self.numeric = categories, numeric
        self._code_of = {name: {text: float(i) for i, text in enumerate(known)} for name, known in categories.items()}

    @classmethod
    def of(cls, columns: Columns) -> Encoding:
        """The encoding of these training columns, in their order."""
        categories = {
            name: tuple(sorted({x for x in column.tolist() if x is not None})[:CATEGORIES_MOST])
            for name, column in columns.items()
            if column.dtype == object
        }
        return cls(categories, tuple(name for name in columns if name not in categories))

    def matrix(self, columns: Columns) -> Floats:
        """[n, features] for columns of length n."""
        rows = len(next(iter(columns.values())))
        matrix = np.empty((rows, len(self.categories) + len(self.numeric)))
        for i, (name, code_of) in enumerate(self._code_of.items()):
            matrix[:, i] = [code_of.get(text, np.nan) for text in columns[name].tolist()]
        for i, name in enumerate(self.numeric, len(self.categories)):
            matrix[:, i] = columns[name]
        return matrix


class FlightModel:
    """A fitted model: P(late) of flights. It pickles as numbers, text and arrays only, 60 kB."""

    def __init__(self, encoding: Encoding, baseline: float, trees: list[Any], known: Any) -> None:
        self.encoding, self.baseline, self.trees, self.known = encoding, baseline, trees, known
        self._open()

    def predict_score(self, columns: Columns) -> Floats:
        """P(late), [n] for columns of length n: 1 / (1 + exp(-(baseline + sum of trees)))."""
        matrix = self.encoding.matrix(columns)
        bitsets, feature_of = self.known
        log_odds = np.full(len(matrix), self.baseline)
        for tree in self._compiled:
            log_odds += tree.predict(matrix, bitsets, feature_of, 1)  # one thread: a second costs more than it brings
        return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))

    def _open(self) -> None:
        from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

        self._compiled = [TreePredictor(*tree) for tree in self.trees]

    def __getstate__(self) -> dict[str, Any]:
        return {
            "categories": self.encoding.categories,
            "numeric": self.encoding.numeric,
            "baseline": self.baseline,
            "trees": self.trees,
            "known": self.known,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(  # type: ignore[misc]
            Encoding(state["categories"], state["numeric"]), state["baseline"], state["trees"], state["known"]
        )


def _trees(model: Any) -> tuple[float, list[Any], Any]:
    """Baseline, trees and category tables of a fitted model, from its private parts (pinned, tested)."""
    trees = [(tree.nodes, tree.binned_left_cat_bitsets, tree.raw_left_cat_bitsets) for (tree,) in model._predictors]
    return float(model._baseline_prediction.ravel()[0]), trees, model._bin_mapper.make_known_categories_bitsets()
