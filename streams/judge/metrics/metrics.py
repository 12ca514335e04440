"""Log loss and Brier score of a window, each with a 95 % interval: exact sums, equal to scikit-learn's to rounding.

Beside it: confusion.py (decisions), ranking.py (AUC, average precision), calibration.py, numbers.py (regressions),
value.py (business value); intervals.py says where each interval comes from, docs/metrics.md all of it in one table.
"""

from __future__ import annotations

import math

import numpy as np
from driftloop.schemas.bins import LOSS_MOST, SCORE_EDGES
from driftloop.schemas.events import Estimate
from driftloop.streams.judge.metrics.intervals import Counts, Floats, Z

_LOW, _HIGH = np.concatenate(([0.0], SCORE_EDGES)), np.concatenate((SCORE_EDGES, [1.0]))
_IF_NONE = _LOW**2, _HIGH**2
_IF_ONE = (1 - _HIGH) ** 2, (1 - _LOW) ** 2
"""The least and the largest squared error of a score in each bin, by its label."""


def log_loss(total: float, total_squared: float, n: int) -> Estimate | None:
    """Mean log loss in nats from sum and sum of squares; normal interval. One row: any loss there is."""
    if n < 1:
        return None
    value = total / n
    if n == 1:
        return Estimate(value, 0.0, LOSS_MOST, 1)
    variance = max(0.0, (total_squared - n * value * value) / (n - 1))
    half = Z * math.sqrt(variance / n)
    return Estimate(value, max(0.0, value - half), min(LOSS_MOST, value + half), n)


def brier(total: float, negatives: Counts, positives: Counts) -> Estimate | None:
    """Mean squared error of the score. The sum is exact, its standard deviation is bounded from above by the bins.

    ``negatives`` and ``positives``: histograms of the score by label (64 bins). Within a bin the squared error varies
    by .075 at most, so the standard deviation is too large by no more than that.
    """
    n = int(negatives.sum() + positives.sum())
    if n < 1:
        return None
    value = total / n
    spread = negatives @ _furthest(*_IF_NONE, value) + positives @ _furthest(*_IF_ONE, value)
    half = Z * math.sqrt(float(spread) / n / n)
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), n)


def _furthest(low: Floats, high: Floats, centre: float) -> Floats:
    """The largest squared distance from ``centre`` that a value between low and high can have."""
    return np.asarray(np.maximum(np.abs(low - centre), np.abs(high - centre)) ** 2)
