"""Shiryaev–Roberts: evidence that a change has happened at some step so far, and bets that feed it.

    R <- (R + 1) * e        alarm when the average of R over all bets (and parts) is at least A

If E[e | past] <= 1 while nothing is wrong, then R - n is a supermartingale, so is the average of many such R, and the
expected number of steps to an alarm is at least A (Shin, Ramdas, Rinaldo, arXiv:2203.03532, theorem 2.4). Everything
is kept in logarithms: R passes 1e300 within a bad day.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from driftloop.detectors.packing import Doubles

NOTHING = -math.inf
"""log R before the first step."""
POWERS = (0.1, 0.3, 0.5, 0.7)
"""Exponents of the power bets: .1 wins on a p-value of 1e-8, .7 on many of .2."""
_LEAST_P = 1e-300
_LARGEST_LOG = 690.0


def climb(log_r: Doubles, log_e: Doubles) -> Doubles:
    """log of (R + 1) * e, element by element; -inf stands for R = 0.

    >>> float(np.exp(climb(np.array(NOTHING), np.array(math.log(3.0)))))
    3.0000000000000004
    """
    return np.asarray(np.logaddexp(log_r, 0.0) + log_e, dtype=np.float64)


def log_average(log_r: Doubles, axis: int | None = None) -> Doubles:
    """log of the mean of R along ``axis``, none: over all. NaN never comes out of -inf alone."""
    top = np.maximum.reduce(log_r, axis=axis, keepdims=True)
    if np.logical_and.reduce(np.isfinite(top), axis=None):  # every mean has a 1 in it: none is 0
        mean = np.log(_mean(np.exp(log_r - top), axis)) + top
    else:
        shift = np.where(np.isfinite(top), top, 0.0)
        with np.errstate(divide="ignore"):
            mean = np.log(_mean(np.exp(log_r - shift), axis)) + shift
    return np.asarray(mean.reshape(()) if axis is None else mean.squeeze(axis), dtype=np.float64)


def _mean(values: Doubles, axis: int | None) -> Doubles:
    """As ``values.mean`` with ``keepdims``, at half the cost."""
    count = values.size if axis is None else values.shape[axis]
    return np.asarray(np.add.reduce(values, axis=axis, keepdims=True) / count)


def log_power_bets(p: Doubles, powers: tuple[float, ...] = POWERS) -> Doubles:
    """log of c * p**(c - 1) for every c: p of shape S gives S + (powers,). Each has mean 1 if p is uniform.

    A p-value that is larger than uniform (discrete tests) only lowers the mean. (Vovk et al., arXiv:2102.10439.)
    """
    log_c, exponents = _logged(powers)
    log_p = np.log(np.maximum(p, _LEAST_P))
    return np.asarray(log_c + exponents * log_p[..., None], dtype=np.float64)


@lru_cache(maxsize=16)
def _logged(powers: tuple[float, ...]) -> tuple[Doubles, Doubles]:
    """log c, and c - 1."""
    c = np.asarray(powers)
    return np.log(c), c - 1.0


def plain(log_value: float) -> float:
    """exp, held below 1e300 so that it stays a number on the wire."""
    return math.exp(min(float(log_value), _LARGEST_LOG))
