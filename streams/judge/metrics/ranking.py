"""How well scores rank: AUC and average precision, from the histograms of the score by label (64 bins).

What is not known is the order inside a bin, so each comes with the most that this order could change; its interval
holds that and the sampling error.
"""

from __future__ import annotations

import numpy as np
from driftloop.schemas.events import Estimate
from driftloop.streams.judge.metrics.intervals import Counts, Floats, effective


def auc(negatives: Counts, positives: Counts) -> Estimate | None:
    """Chance that a random positive is scored above a random negative, ties half. None where a class is missing.

    DeLong's variance (1988) of the binned scores, Wilson's interval of its effective rows; to it comes half the share
    of pairs that share a bin: as if every tie were for, or against.

    >>> found = auc(np.array([80, 20]), np.array([10, 90]))
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.85, 0.664, 1.0)
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
    return effective(value, variance, min(n0, n1), n0 + n1, ties)


def _spread(values: Floats, counts: Counts, centre: float) -> float:
    """Sample variance of binned values."""
    n = int(counts.sum())
    return float(counts @ (values - centre) ** 2) / (n - 1) if n > 1 else 0.25


def average_precision(negatives: Counts, positives: Counts) -> Estimate | None:
    """Mean, over the positives, of the precision at their score: scikit-learn's average_precision_score.

    In a bin with p positives and q negatives below T positives and F negatives, the j-th positive has q j / (p + 1)
    negatives before it if they are mixed evenly; the bounds take none, and all. Variance by the delta method on the
    bins, each a tie; Wilson's interval of its effective rows, at most as many as there are positives where nothing
    varied (so Boyd, Eng & Page, 2013).

    >>> found = average_precision(np.array([60, 20]), np.array([10, 30]))
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.563, 0.245, 1.0)
    """
    p, q = positives[::-1].astype(np.float64), negatives[::-1].astype(np.float64)
    n1 = float(p.sum())
    if not n1 or not q.sum():
        return None
    above, false = np.cumsum(p) - p, np.cumsum(q) - q
    nothing = np.zeros_like(q)
    before, mixed = np.stack([false, false, false + q]), np.stack([q / (p + 1), nothing, nothing])
    value, best, worst = (_precisions(p, above, before, mixed).sum(axis=1) / n1).tolist()
    found = effective(value, _tied_variance(p, q), int(n1), int(n1 + q.sum()))
    low, high = found.low - (value - worst), found.high + (best - value)
    return Estimate(value, max(0.0, low), min(1.0, high), found.count)


def _precisions(p: Floats, above: Floats, false: Floats, mixed: Floats) -> Floats:
    """Sum over j = 1..p of (above + j) / (above + false + (1 + mixed) j), f8[orders, bins].

    With c = 1 + mixed and a = (above + false) / c each summand is 1/c + ((c - 1) above - false) / c^2 / (a + j).
    """
    c = 1.0 + mixed
    a = (above + false) / c
    upper, lower = _digamma(np.stack([a + p + 1, a + 1]))
    return np.asarray(p / c + (mixed * above - false) / c**2 * (upper - lower))


def _digamma(x: Floats) -> Floats:
    """Of x >= 1, to 1e-10: eight steps up, then the asymptotic series. scipy's would cost a worker 15 MB."""
    steps = (1.0 / (x + np.arange(8.0).reshape(-1, *[1] * x.ndim))).sum(axis=0)
    y = x + 8.0
    return np.asarray(np.log(y) - 1 / (2 * y) - 1 / (12 * y**2) + 1 / (120 * y**4) - 1 / (252 * y**6) - steps)


def _tied_variance(p: Floats, q: Floats) -> float:
    """Of the average precision of tied bins, highest first: what one row more of each kind would change, squared."""
    n1, through, false = p.sum(), np.cumsum(p), np.cumsum(q)
    both = np.maximum(through + false, 1.0)
    precision = through / both
    value = float((p * precision).sum()) / n1
    later = np.cumsum((p * false / both**2)[::-1])[::-1]
    lost = np.cumsum((p * through / both**2)[::-1])[::-1]
    return float((p * (precision + later - value) ** 2 + q * lost**2).sum()) / float(n1) ** 2
