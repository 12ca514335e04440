"""95 % intervals from what panes hold: counts, exact sums, and the variance of a binned estimate.

share          Wilson's score interval (1927, eq. 22); where an estimate is no plain share of rows, Wilson's with
               the effective rows  value (1 - value) / variance,  so that it stays within 0 and 1 and does not
               shrink to a point where no error was seen
mean           normal, from sum and sum of squares
bounded mean   normal, variance at most (most - mean) (mean - least) (Bhatia & Davis, 2000): no squares known
mean of shares, difference, ratio of two   variance recovered from each one's limits (MOVER; Zou & Donner, 2008;
               of two shares it is Newcombe's, 1998, method 10); of a ratio on the logarithms of the shares
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from driftloop.schemas.events import Estimate
from numpy.typing import NDArray

Z = 1.959963984540054
"""97.5 % quantile of the standard normal."""
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


class Shares(NamedTuple):
    """Several shares with their limits, f8[n] each, and the rows of each."""

    value: Floats
    low: Floats
    high: Floats
    rows: Counts


def shares(hits: Counts, rows: Counts, z: float = Z) -> Shares:
    """Wilson's interval of each share. Of no rows: 0, which may be anything.

    >>> found = shares(np.array([85, 0, 0]), np.array([100, 10, 0]))
    >>> np.round(found.low, 3).tolist(), np.round(found.high, 3).tolist()
    ([0.767, 0.0, 0.0], [0.907, 0.278, 1.0])
    """
    n = np.maximum(rows, 1).astype(np.float64)
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = np.minimum(np.maximum(centre - half, 0.0), share), np.minimum(np.maximum(centre + half, share), 1.0)
    return Shares(share, np.where(rows > 0, low, 0.0), np.where(rows > 0, high, 1.0), rows)


def share(hits: int, rows: int, z: float = Z) -> tuple[float, float, float]:
    """(value, low, high): ``shares`` of one, to the bit, at a tenth of the cost."""
    if not rows:
        return 0.0, 0.0, 1.0
    n = float(rows)
    value = hits / n
    centre = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    return value, min(max(centre - half, 0.0), value), min(max(centre + half, value), 1.0)


def wilson(hits: int, n: int) -> Estimate:
    """Share of ``hits`` in ``n`` > 0, as an estimate."""
    share = hits / n
    return effective(share, share * (1 - share) / n, n, n)


def effective(value: float, variance: float, rows_least: int, count: int, slack: float = 0.0) -> Estimate:
    """An estimate in [0, 1] of known variance: Wilson's of as many rows as would vary so much.

    ``rows_least``: at most so many where nothing varied. ``slack``: what binning may hide, to either side.
    """
    rows = float(rows_least)
    if variance > 0 and 0.0 < value < 1.0:
        rows = value * (1 - value) / variance
    square = Z * Z / rows
    centre = (value + square / 2) / (1 + square)
    half = math.sqrt(square * (value * (1 - value) + square / 4)) / (1 + square)
    low, high = min(value, centre - half) - slack, max(value, centre + half) + slack
    return Estimate(value, max(0.0, low), min(1.0, high), count)


def mean(total: float, total_squared: float, n: int) -> Estimate:
    """Mean with a normal interval, from sum and sum of squares; n > 0.

    >>> found = mean(10.0, 30.0, 5)
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (2.0, 0.614, 3.386)
    """
    value = total / n
    variance = max(0.0, (total_squared - n * value * value) / (n - 1)) if n > 1 else total_squared
    half = Z * math.sqrt(variance / n)
    return Estimate(value, value - half, value + half, n)


def bounded_mean(total: float, n: int, most: float, least: float = 0.0) -> Estimate:
    """Mean of numbers within [least, most], n > 0, no squares known: at least as wide as it need be."""
    value = total / n
    half = Z * math.sqrt(max(0.0, (value - least) * (most - value)) / n)
    return Estimate(value, max(least, value - half), min(most, value + half), n)


def mean_of_shares(found: Shares, count: int) -> Estimate:
    """Plain mean of independent shares.

    >>> found = mean_of_shares(shares(np.array([9, 5]), np.array([10, 10])), 20)
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (0.7, 0.499, 0.838)
    """
    value, k = float(found.value.mean()), len(found.value)
    below = math.sqrt(float(((found.value - found.low) ** 2).sum())) / k
    above = math.sqrt(float(((found.high - found.value) ** 2).sum())) / k
    return Estimate(value, max(0.0, value - below), min(1.0, value + above), count)


def mean_of_few(found: list[tuple[float, float, float]], count: int) -> Estimate:
    """``mean_of_shares`` of a handful, each as ``share`` tells it."""
    k = len(found)
    value = sum(one for one, _, _ in found) / k
    below = math.sqrt(sum((one - low) * (one - low) for one, low, _ in found)) / k
    above = math.sqrt(sum((high - one) * (high - one) for one, _, high in found)) / k
    return Estimate(value, max(0.0, value - below), min(1.0, value + above), count)


def differences(found: Shares) -> tuple[Floats, Floats]:
    """(low, high) of share i less share j, f8[n, n] each."""
    value, low, high = (x[:, None] for x in found[:3])
    point = value - value.T
    below = np.sqrt((value - low) ** 2 + (high.T - value.T) ** 2)
    above = np.sqrt((high - value) ** 2 + (value.T - low.T) ** 2)
    return point - below, point + above


def ratios(found: Shares) -> tuple[Floats, Floats]:
    """(low, high) of share i over share j, f8[n, n] each. Half a hit more and half a miss more stand for the share
    itself, so that a share of none has a logarithm."""
    n = found.rows
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = np.log((found.value * n + 0.5) / (n + 1.0))[:, None]
        low, high = np.log(found.low)[:, None], np.log(found.high)[:, None]
        low, high = np.minimum(low, middle), np.maximum(high, middle)
        point = middle - middle.T
        below = np.sqrt((middle - low) ** 2 + (high.T - middle.T) ** 2)
        above = np.sqrt((high - middle) ** 2 + (middle.T - low.T) ** 2)
        return np.exp(point - below), np.exp(point + above)
