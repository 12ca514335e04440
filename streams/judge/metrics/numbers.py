"""A regression in a window: bias, MAE, RMSE and quantile losses, in the unit of the label, from exact sums.

    bias = mean of predicted - label       mae = mean of its absolute value       rmse = root of its mean square
    quantile loss at t = mean of  t (label - predicted)  above, (1 - t) (predicted - label) below
                       = mae / 2 - (t - 1/2) bias

so the last needs no sum of its own. Equal to scikit-learn's (mean_pinball_loss) to the observer's rounding, 2^-28
scales a row. Intervals: normal. Squares of errors are summed too, fourth powers are bounded by the loss histogram
(rmse), squares of quantile losses by what the sums leave possible; both are too wide rather than too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from driftloop.schemas.bins import LOSS_EDGES
from driftloop.schemas.events import Estimate
from driftloop.schemas.losses import Z_MOST
from driftloop.streams.judge.metrics.intervals import Counts, Z, mean

CEILING = np.append(LOSS_EDGES, 2 * Z_MOST)
"""No absolute error of a bin is larger, in scales. In the last one are all beyond bins.LOSS_MOST."""


def names(quantiles: Sequence[float]) -> tuple[str, ...]:
    """Of all that ``measure`` finds."""
    return "bias", "mae", "rmse", *(_of_quantile(quantile) for quantile in quantiles)


def measure(
    sums: Mapping[str, float], losses: Counts, scale: float, quantiles: Sequence[float]
) -> dict[str, Estimate]:
    """Every metric by name. ``losses``: counts of the 512 bins of absolute errors in scales; none without rows."""
    n = int(losses.sum())
    if not n:
        return {}
    error, absolute, squared = sums["error"], sums["absolute_error"], sums["squared_error"]
    fourth = float(losses @ CEILING**4) * scale**4
    found = {
        "bias": mean(error, squared, n),
        "mae": _not_below_zero(mean(absolute, squared, n)),
        "rmse": _root_mean_square(squared, fourth, n),
    }
    for quantile in quantiles:
        found[_of_quantile(quantile)] = quantile_loss(quantile, error, absolute, squared, n)
    return found


def quantile_loss(t: float, error: float, absolute: float, squared: float, n: int) -> Estimate:
    """Mean pinball loss at quantile ``t``, from the sums of error (predicted - label), its absolute value and square.

    Of the squared errors Q, rows below the label have Q+ and those above Q-, Q+ + Q- = Q; each is at least the square
    of its summed errors over n. The larger weight on as much as that allows bounds the squared losses.

    >>> found = quantile_loss(0.9, error=-2.0, absolute=4.0, squared=10.0, n=4)  # errors 1, -3, 0, 0
    >>> round(found.value, 6), found.low, round(found.high, 3)
    (0.7, 0.0, 2.079)
    """
    below, above = max(0.0, (absolute - error) / 2), max(0.0, (absolute + error) / 2)
    total = t * below + (1 - t) * above
    least = above if t >= 0.5 else below
    rest = min(squared, least * least / n)
    light, heavy = sorted((t, 1 - t))
    return _not_below_zero(mean(total, heavy**2 * (squared - rest) + light**2 * rest, n))


def _of_quantile(quantile: float) -> str:
    return f"quantile_loss:{quantile:g}"


def _root_mean_square(squared: float, fourth: float, n: int) -> Estimate:
    square = squared / n
    half = Z * math.sqrt(max(0.0, fourth / n - square * square) / n)
    return Estimate(math.sqrt(square), math.sqrt(max(0.0, square - half)), math.sqrt(square + half), n)


def _not_below_zero(found: Estimate) -> Estimate:
    return Estimate(found.value, max(0.0, found.low), found.high, found.count)
