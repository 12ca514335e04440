"""Do many numbers vary or hang together otherwise than they did? Covariance of whitened numbers, through window CSR.

    C = sum z z' / n - mean mean'                                of a window, and so of the reference, C_r
    distance^2 = |C - C_r|^2 / k                                 squared entries, k: dimensions of z
    score      = distance^2 - (1/n + 1/N) (tr(C_r)^2 + tr(C_r^2)) / k

z are numbers that have been whitened on the reference (mean 0, covariance 1: there C_r is about 1, and each direction
weighs the same, however the numbers are scaled). Taken off is what two samples of one normal distribution are apart
on average: an entry of C has variance (C_ii C_jj + C_ij^2) / n (Anderson 2003, An Introduction to Multivariate
Statistical Analysis, 3.4). Heavier tails are further apart, in the reference's windows as in others, and ranks do not
mind. Sums over windows add up.

The distance is the root mean square change of the variances of the k directions, correlations counted: all standard
deviations times 1.05 are .10. A shift of means is not seen at all: rff_mmd.py sees it. docs/detectors.md has what was
measured. False alarms: those of window_csr.py, exact if windows are exchangeable. State: a double a window. Cost:
30 us a score (k = 16), 140 us its rank, .1 us a row for the sums.

>>> rng = np.random.default_rng(1)
>>> reference = moments(rng.normal(size=(20_000, 4)))
>>> settings = Settings(reference, threshold=1000.0)
>>> mix = np.array([[1, 0.6, 0, 0], [0.6, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
>>> distance(settings, moments(rng.normal(3.0, 1, (2_000, 4)))) < 0.05
True
>>> round(distance(settings, moments(rng.normal(size=(2_000, 4)) @ np.linalg.cholesky(mix).T)), 2)
0.44
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from driftloop.detectors import ranked
from driftloop.detectors.packing import Doubles

BOUND = ranked.BOUND


class Moments(NamedTuple):
    """Of so many ``rows`` the sums of z [k] and of z z' [k, k]."""

    rows: int
    first: Doubles
    second: Doubles


@dataclass(frozen=True)
class Settings:
    """``reference``: its sums, of whitened numbers. ``threshold``: A, windows."""

    reference: Moments
    threshold: float

    def __post_init__(self) -> None:
        if self.reference.rows < 1:
            raise ValueError("the reference has no rows: at least one is needed")
        _check(self.reference, self.reference)

    @cached_property
    def covariance(self) -> Doubles:
        return covariance(self.reference)


def moments(rows: Doubles) -> Moments:
    """The sums over rows [n, k]."""
    return Moments(len(rows), rows.sum(axis=0), rows.T @ rows)


def covariance(found: Moments) -> Doubles:
    """[k, k], around the mean of these rows."""
    mean = found.first / found.rows
    return np.asarray(found.second / found.rows - np.outer(mean, mean))


def score(settings: Settings, window: Moments) -> float:
    """The squared distance less what chance explains; NaN without rows. ValueError: other dimensions than the
    reference's, or no finite numbers."""
    reference = settings.reference
    _check(window, reference)
    if not window.rows:
        return math.nan
    usual, k = settings.covariance, len(reference.first)
    apart = covariance(window) - usual
    spread = float(np.trace(usual)) ** 2 + float(np.sum(usual * usual))
    return (float(np.sum(apart * apart)) - (1 / window.rows + 1 / reference.rows) * spread) / k


def distance(settings: Settings, window: Moments) -> float:
    """What the variances have changed by, what chance explains taken off; 0 without rows."""
    found = score(settings, window)
    return math.sqrt(found) if found > 0 else 0.0


def _check(found: Moments, reference: Moments) -> None:
    k = len(reference.first)
    same = np.shape(found.first) == (k,) and np.shape(found.second) == (k, k)
    if not same or not (np.isfinite(found.first).all() and np.isfinite(found.second).all()) or not found.rows >= 0:
        raise ValueError(f"finite sums in the {k} dimensions of the reference are needed")


start, step, to_bytes, from_bytes = ranked.face(score)
