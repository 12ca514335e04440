"""How good a model was in a window: accuracy, log loss, Brier, AUC, each with a 95 % interval.

From sums and histograms alone (observer's label panes). Equal to scikit-learn's figures on the same rows: accuracy,
log loss and Brier to rounding; AUC within its own interval, whose bounds take every tie inside a score bin for and
against (64 bins, a quarter of log-odds apart).
"""

from __future__ import annotations

import math

import numpy as np
from driftloop.schemas.bins import LOSS_MOST, SCORE_EDGES
from driftloop.schemas.events import Estimate
from numpy.typing import NDArray

Z = 1.959963984540054
"""97.5 % quantile of the standard normal."""
Counts = NDArray[np.int64]


def accuracy(confusion: Counts, classes: int = 2) -> Estimate | None:
    """Share of right answers among labelled predictions that named a class; Wilson's interval (1927, eq. 22).

    >>> found = accuracy(np.array([40, 10, 0, 5, 45, 0]))
    >>> found.value, round(found.low, 3), round(found.high, 3), found.count
    (0.85, 0.767, 0.907, 100)
    """
    wide = classes + 1  # the last row and column: neither label nor decision is a class
    table = np.asarray(confusion)[: classes * wide].reshape(classes, wide)[:, :classes]
    n = int(table.sum())
    return wilson(int(np.trace(table)), n) if n else None


def wilson(hits: int, n: int) -> Estimate:
    """Share of ``hits`` in ``n`` > 0 with Wilson's score interval."""
    share = hits / n
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half), n)


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
    low, high = np.concatenate(([0.0], SCORE_EDGES)), np.concatenate((SCORE_EDGES, [1.0]))
    spread = negatives @ _furthest(low**2, high**2, value)
    spread += positives @ _furthest((1 - high) ** 2, (1 - low) ** 2, value)
    half = Z * math.sqrt(float(spread) / n / n)
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), n)


def _furthest(low: NDArray[np.float64], high: NDArray[np.float64], centre: float) -> NDArray[np.float64]:
    """The largest squared distance from ``centre`` that a value between low and high can have."""
    return np.maximum(np.abs(low - centre), np.abs(high - centre)) ** 2


def auc(negatives: Counts, positives: Counts) -> Estimate | None:
    """Chance that a random positive is scored above a random negative, ties half. None where a class is missing.

    DeLong's variance (1988) of the binned scores; to its interval comes what the order inside the bins could change.

    >>> found = auc(np.array([80, 20]), np.array([10, 90]))
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.85, 0.671, 1.0)
    """
    n0, n1 = int(negatives.sum()), int(positives.sum())
    if not n0 or not n1:
        return None
    below = np.cumsum(negatives) - negatives
    beaten = (below + negatives / 2) / n0
    above = n1 - np.cumsum(positives)
    beating = (above + positives / 2) / n1
    value = float(positives @ beaten) / n1
    variance = _spread(beaten, positives, value) / n1 + _spread(beating, negatives, value) / n0
    ties = float(positives @ negatives) / (n0 * n1) / 2
    half = Z * math.sqrt(variance) + ties
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), n0 + n1)


def _spread(values: NDArray[np.float64], counts: Counts, centre: float) -> float:
    """Sample variance of binned values."""
    n = int(counts.sum())
    return float(counts @ (values - centre) ** 2) / (n - 1) if n > 1 else 0.25
