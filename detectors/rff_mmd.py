"""Have many numbers together another distribution? MMD by random Fourier features, from sums, through window CSR.

    phi(x) = (cos w_k x, sin w_k x), k = 1..D, divided by sqrt(D)      w_k ~ N(0, 1 / bandwidth^2)
    distance^2 = |mean phi of the window - mean phi of the reference|^2
    score      = distance^2 - (1/n + 1/N) (1 - |mean phi of the reference|^2)

phi x . phi y estimates the Gaussian kernel exp(-|x - y|^2 / 2 bandwidth^2) (Rahimi and Recht 2007, claim 1), so the
distance estimates the maximum mean discrepancy (Gretton et al. 2012, lemma 4): 0 only between equal distributions, at
most sqrt(2). What is taken off is what it is on average between two samples of one distribution: |phi| is 1, so the
variance of phi is 1 - |its mean|^2. Sums over windows add up.

A shift of s standard deviations in every one of many components is a distance of about .55 s, at the median distance
as bandwidth (normal components: exp(-1/2) s^2 / 2 = distance^2). Power for small moves of all components, none for
one pair that correlates: docs/detectors.md has what was measured; whitened_covariance.py sees the others.

False alarms: those of window_csr.py, exact if windows are exchangeable; rows within one may depend on each other.
State: a double a window. Cost: 25 us a score (D = 64), 130 us its rank; 2 us a row of 16 numbers for the sums.

>>> rng = np.random.default_rng(1)
>>> w = frequencies(rng.standard_normal((10, 128)), bandwidth=4.0)
>>> reference, same = fourier(rng.normal(size=(20_000, 10)), w), fourier(rng.normal(size=(256, 10)), w)
>>> moved = fourier(rng.normal(0.2, 1, (256, 10)), w)
>>> settings = Settings(reference, threshold=1000.0)
>>> bool(distance(settings, same) < 0.05), round(distance(settings, moved), 2)
(True, 0.12)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from driftloop.detectors import ranked
from driftloop.detectors.packing import Doubles

BOUND = ranked.BOUND


class Fourier(NamedTuple):
    """Of so many ``rows`` the sums of cos w_k x and of sin w_k x, one a frequency."""

    rows: int
    cosine: Doubles
    sine: Doubles


@dataclass(frozen=True)
class Settings:
    """``reference``: its sums. ``threshold``: A, windows."""

    reference: Fourier
    threshold: float

    def __post_init__(self) -> None:
        if self.reference.rows < 1:
            raise ValueError("the reference has no rows: at least one is needed")
        _check(self.reference, self.reference)


def frequencies(normal: Doubles, bandwidth: float) -> Doubles:
    """w [width, D] from standard normal numbers."""
    return np.asarray(normal / bandwidth)


def fourier(rows: Doubles, w: Doubles) -> Fourier:
    """The sums over rows [n, width]."""
    phases = rows @ w
    return Fourier(len(rows), np.cos(phases).sum(axis=0), np.sin(phases).sum(axis=0))


def score(settings: Settings, window: Fourier) -> float:
    """The squared distance less what chance explains; NaN without rows. ValueError: not the reference's frequencies,
    or no finite numbers."""
    reference = settings.reference
    _check(window, reference)
    if not window.rows:
        return math.nan
    apart = np.concatenate(
        (
            _mean(window, window.cosine) - _mean(reference, reference.cosine),
            _mean(window, window.sine) - _mean(reference, reference.sine),
        )
    )
    usual = np.concatenate((_mean(reference, reference.cosine), _mean(reference, reference.sine)))
    d = len(window.cosine)
    chance = (1 / window.rows + 1 / reference.rows) * max(0.0, 1.0 - float(usual @ usual) / d)
    return float(apart @ apart) / d - chance


def distance(settings: Settings, window: Fourier) -> float:
    """MMD, what chance explains taken off; 0 without rows."""
    found = score(settings, window)
    return math.sqrt(found) if found > 0 else 0.0


def _mean(whose: Fourier, sums: Doubles) -> Doubles:
    return np.asarray(sums / whose.rows)


def _check(found: Fourier, reference: Fourier) -> None:
    same = np.shape(found.cosine) == np.shape(found.sine) == np.shape(reference.cosine)
    if not same or not (np.isfinite(found.cosine).all() and np.isfinite(found.sine).all()) or not found.rows >= 0:
        raise ValueError(f"finite sums at the {len(reference.cosine)} frequencies of the reference are needed")


start, step, to_bytes, from_bytes = ranked.face(score)
