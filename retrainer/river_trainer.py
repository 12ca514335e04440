"""The default trainer: a logistic regression of river, fitted in passes over the shuffled rows.

Numeric features are standardised, a missing one is left out of the row (so it weighs like the mean) and has an
indicator of its own; categories are one-hot, unseen ones weigh nothing. 60 µs a row and pass; the pickle has some kB.
On 40,000 rows of a true logistic model with 10 numeric and 3 categorical features: log loss .394 where scikit-learn's
exact fit has .391.
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
    """A fitted river pipeline behind the Predictor protocol. 10-20 µs a row."""

    pipeline: Any
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]

    def predict_score(self, columns: Columns) -> npt.NDArray[np.float64]:
        rows = rows_of(columns, self.numeric, self.categorical)
        return np.array([self.pipeline.predict_proba_one(row).get(True, 0.0) for row in rows], dtype=np.float64)


def train(dataset: Dataset, seed: int) -> RiverPredictor:
    """Deterministic in dataset and seed; the seed shuffles."""
    numeric = tuple(name for name, column in dataset.columns.items() if column.dtype != object)
    categorical = tuple(name for name in dataset.columns if name not in numeric)
    pipeline = make_pipeline(numeric, categorical)
    rows = list(rows_of(dataset.columns, numeric, categorical))
    labels = (dataset.labels == 1).tolist()
    rng = random.Random(seed)
    order = list(range(len(rows)))
    for _ in range(passes_for(len(rows))):
        rng.shuffle(order)
        for i in order:
            pipeline.learn_one(rows[i], labels[i])
    return RiverPredictor(pipeline, numeric, categorical)


def passes_for(rows: int) -> int:
    """Passes over so many rows.

    >>> [passes_for(n) for n in (1_000, 10_000, 50_000)]
    [20, 6, 2]
    """
    least, most = PASSES
    return min(most, max(least, STEPS_LEAST // max(rows, 1)))


def make_pipeline(numeric: tuple[str, ...], categorical: tuple[str, ...]) -> Any:
    from river import compose, linear_model, optim, preprocessing

    missing = tuple(map(missing_name, numeric))
    parts = [compose.Select(*missing)] if missing else []
    if numeric:
        parts.append(compose.Select(*numeric) | preprocessing.StandardScaler())
    if categorical:
        parts.append(compose.Select(*categorical) | preprocessing.OneHotEncoder())
    features = parts[0]
    for part in parts[1:]:
        features = features + part
    return features | linear_model.LogisticRegression(optimizer=optim.SGD(LEARNING_RATE))


def rows_of(
    columns: Columns, numeric: tuple[str, ...], categorical: tuple[str, ...]
) -> Iterator[dict[str, float | str]]:
    """Rows as river takes them: present numbers, an indicator for each that is missing, text for categories."""
    size = len(next(iter(columns.values())))
    numbers = [(name, columns[name].tolist()) for name in numeric]
    texts = [(name, columns[name].tolist()) for name in categorical]
    for i in range(size):
        row: dict[str, float | str] = {}
        for name, values in numbers:
            value = values[i]
            if math.isfinite(value):
                row[name] = value
            else:
                row[missing_name(name)] = 1.0
        for name, values in texts:
            row[name] = "" if values[i] is None else values[i]
        yield row


def missing_name(feature: str) -> str:
    return f"missing {feature}"
