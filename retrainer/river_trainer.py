"""The default trainer: a logistic regression of river, fitted in passes over the shuffled rows.

Numeric features are standardised; a missing one weighs like the mean and has an indicator of its own. Categories are
one-hot, unseen ones weigh nothing. The pickle has some kB.

Measured on a true logistic model with 10 numeric and 3 categorical features (60 levels), log loss on 10,000 other
rows: fitted on 40,000 rows .395, on 1,500 rows .416; scikit-learn's exact fits .391 and .413. 60 µs a row and pass.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from driftloop.artefacts.predictor import Columns
from driftloop.retrainer.dataset import Dataset

LEARNING_RATE = 0.01
STEPS_LEAST = 60_000
"""A small set needs more passes than a large one for as many steps of the optimiser."""
PASSES = (2, 20)


@dataclass(frozen=True, slots=True)
class RiverPredictor:
    """River's scaler and classifier behind the Predictor protocol."""

    scaler: Any
    classifier: Any
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]

    def predict_score(self, columns: Columns) -> npt.NDArray[np.float64]:
        rows = rows_of(columns, self.numeric, self.categorical)
        scores = [self.classifier.predict_proba_one(self._features(*row)).get(True, 0.5) for row in rows]
        return np.array(scores, dtype=np.float64)

    def learn(self, numbers: dict[str, float], marks: dict[str, float], label: bool) -> None:
        """One row, in place; only ``train`` calls this."""
        self.scaler.learn_one(numbers)
        self.classifier.learn_one(self._features(numbers, marks), label)

    def _features(self, numbers: dict[str, float], marks: dict[str, float]) -> dict[str, float]:
        scaled: dict[str, float] = self.scaler.transform_one(numbers)
        return scaled | marks


def train(dataset: Dataset, seed: int) -> RiverPredictor:
    """Deterministic in dataset and seed; the seed shuffles."""
    from river import linear_model, optim, preprocessing

    numeric = tuple(name for name, column in dataset.columns.items() if column.dtype != object and column.ndim == 1)
    categorical = tuple(name for name, column in dataset.columns.items() if column.dtype == object)
    classifier = linear_model.LogisticRegression(optimizer=optim.SGD(LEARNING_RATE))
    model = RiverPredictor(preprocessing.StandardScaler(), classifier, numeric, categorical)
    rows = list(rows_of(dataset.columns, numeric, categorical))
    labels = (dataset.labels == 1).tolist()
    rng = random.Random(seed)
    order = list(range(len(rows)))
    for _ in range(passes_for(len(rows))):
        rng.shuffle(order)
        for i in order:
            model.learn(*rows[i], labels[i])
    return model


def prepare() -> None:
    """River takes a second."""
    from river import linear_model, optim, preprocessing  # noqa: F401


def passes_for(rows: int) -> int:
    """Passes over so many rows.

    >>> [passes_for(n) for n in (1_000, 10_000, 50_000)]
    [20, 6, 2]
    """
    least, most = PASSES
    return min(most, max(least, STEPS_LEAST // max(rows, 1)))


def rows_of(
    columns: Columns, numeric: tuple[str, ...], categorical: tuple[str, ...]
) -> Iterator[tuple[dict[str, float], dict[str, float]]]:
    """Each row as (its finite numbers by feature, a 1 for each category it has and each number it lacks).

    >>> columns = {"age": np.array([30.0, np.nan]), "town": np.array(["Ulm", None], dtype=object)}
    >>> list(rows_of(columns, ("age",), ("town",)))
    [({'age': 30.0}, {'town=Ulm': 1.0}), ({}, {'age missing': 1.0, 'town missing': 1.0})]
    """
    numbers_of = [(name, columns[name].tolist()) for name in numeric]
    texts_of = [(name, columns[name].tolist()) for name in categorical]
    for i in range(len(next(iter(columns.values())))):
        numbers, marks = {}, {}
        for name, values in numbers_of:
            if math.isfinite(values[i]):
                numbers[name] = values[i]
            else:
                marks[f"{name} missing"] = 1.0
        for name, values in texts_of:
            marks[f"{name} missing" if values[i] is None else f"{name}={values[i]}"] = 1.0
        yield numbers, marks
