"""Expected calibration error: how far the scores of a group of rows are from what happened to it.

    groups g: adjacent bins of the score, ten of about equal size; of g: n_g rows, e_g = mean score - share of label 1
    error = sum_g n_g / n |e_g|

Of many classes the score is the largest one and label 1 is "that class was right" (top-label, Guo et al., 2017).
In a bin every score counts as its middle in log-odds: what that may hide (half a bin, .031 at most, by rows) is part
of the interval.

Chance alone gives an error: with s_g the standard error of e_g, about sum n_g / n s_g sqrt(2 / pi) where all is well.
So the lower end takes that off before the sampling error sqrt(sum (n_g / n)^2 s_g^2), 1.96 times; the upper end
needs not, for chance can only add. Holds the true error at least as often as it says (tests/judge/test_coverage.py).
"""

from __future__ import annotations

import math

import numpy as np
from driftloop.schemas.bins import SCORE_EDGES, score_middles
from driftloop.schemas.events import Estimate
from driftloop.streams.judge.metrics.intervals import Counts, Z

GROUPS = 10
_LOW, _HIGH = np.concatenate(([0.0], SCORE_EDGES)), np.concatenate((SCORE_EDGES, [1.0]))
_MIDDLE = score_middles()
HIDDEN = np.maximum(_MIDDLE - _LOW, _HIGH - _MIDDLE)
"""How far a score can be from the middle of its bin, f8[64]."""


def groups(rows: Counts) -> Counts:
    """Group of each bin: where its middle row stands among all, in tenths."""
    middle = (np.cumsum(rows) - rows / 2) / max(1, rows.sum())
    return np.asarray(np.minimum(middle * GROUPS, GROUPS - 1), dtype=np.int64)


def calibration_error(negatives: Counts, positives: Counts) -> Estimate | None:
    """The error with its interval; None without rows.

    >>> found = calibration_error(*np.eye(64, dtype=np.int64)[[31, 31]] * [[30], [70]])
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.231, 0.073, 0.352)
    """
    rows = negatives + positives
    n = int(rows.sum())
    if not n:
        return None
    which = groups(rows)
    size, happened = np.bincount(which, rows), np.bincount(which, positives)
    value = float(np.abs(np.bincount(which, rows * _MIDDLE) - happened).sum()) / n
    share = (happened + 0.5) / (size + 1.0)
    weighted = np.sqrt(share * (1 - share) * size) / n
    chance, half = math.sqrt(2 / math.pi) * float(weighted.sum()), Z * math.sqrt(float(weighted @ weighted))
    hidden = float(rows @ HIDDEN) / n
    return Estimate(value, max(0.0, value - chance - half - hidden), min(1.0, value + half + hidden), n)
