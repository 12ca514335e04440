"""What of a surprise is news: a Kalman filter follows the stream's own wandering (AR(1)), its innovation is judged.

    residual = x + sampling noise of variance s²,    x ← ρ·x + noise, stationary variance a
    i = residual - x,   F = P + s²,   K = P / F,   x ← ρ·(x + K·i),   P ← ρ²·P·(1 - K) + (1 - ρ²)·a

``fit_noise`` takes the (ρ, a) of the largest exact Gaussian likelihood on a grid of 61 points a channel. A step of
size δ shows in the innovations as δ·g_k, and g falls to (1-ρ)/(1-ρ(1-K)): a stream that wanders by itself hides its
shifts, and no number of rows helps. ``response`` is that curve.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles
from numpy.typing import NDArray

RHO = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98)
RATIO = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""a in sampling variances."""
EVIDENT = 6.0
"""A wandering must raise 2 log-likelihood by so much: the best of 60 chance fits would take power for nothing."""


class Wander(NamedTuple):
    """AR(1) of each channel, [M, G]."""

    rho: Doubles
    a: Doubles


class Filter(NamedTuple):
    """``x``: where the stream has wandered to, ``p``: variance of that. [M, G]."""

    x: Doubles
    p: Doubles


def pass_time(wander: Wander, state: Filter, gap: int) -> Filter:
    """``gap`` periods without rows."""
    decay = wander.rho**gap
    return Filter(decay * state.x, decay**2 * state.p + (1 - decay**2) * wander.a)


def follow(wander: Wander, state: Filter, residual: Doubles, s2: Doubles, some: NDArray[np.bool_]) -> Filter:
    """The filter after a period; where not ``some``, only time has passed."""
    k = state.p / (state.p + s2)
    x = np.where(some, state.x + k * (residual - state.x), state.x)
    p = np.where(some, state.p * (1 - k), state.p)
    return Filter(wander.rho * x, wander.rho**2 * p + (1 - wander.rho**2) * wander.a)


def fit_noise(residual: Doubles, s2: Doubles) -> Wander:
    """(ρ, a) of each channel from residuals [T, G] with sampling variance ``s2``; inf there: no rows."""
    known = np.isfinite(s2)
    middle = np.array([np.median(s[some]) if some.any() else 1.0 for s, some in zip(s2.T, known.T, strict=True)])
    rho = np.concatenate([[0.0], np.repeat(RHO, len(RATIO))])[:, None] + 0 * middle
    a = np.concatenate([[0.0], np.tile(RATIO, len(RHO))])[:, None] * middle
    best = (_likelihood(residual, s2, rho, a) + np.where(a > 0, EVIDENT, 0.0)).argmin(0)
    channels = np.arange(len(middle))
    return Wander(rho[best, channels][None], a[best, channels][None])


def squares(wander: Wander, residual: Doubles, s2: Doubles) -> Doubles:
    """Squared innovations in their own variance, [T, G]; 0 where there were no rows."""
    state, found = Filter(0 * wander.a, wander.a), []
    for r, s in zip(residual, s2, strict=True):
        found.append(((r - state.x) ** 2 / (state.p + s))[0])
        state = follow(wander, state, r, s, np.isfinite(s))
    return np.array(found)


def response(wander: Wander, s2: Doubles, periods: int) -> tuple[Doubles, Doubles]:
    """(g_k, F_k) of the ``periods`` after a step of size 1, each [periods, G]: the filter in the long run."""
    p = wander.a
    for _ in range(200):
        p = wander.rho**2 * p * s2 / (p + s2) + (1 - wander.rho**2) * wander.a
    k, x, g = p / (p + s2), 0 * p, []
    for _ in range(periods):
        g.append(1 - x)
        x = wander.rho * (x + k * (1 - x))
    return np.array(g), np.array([p + s2] * periods)


def _likelihood(residual: Doubles, s2: Doubles, rho: Doubles, a: Doubles) -> Doubles:
    """-2 log-likelihood of every grid point, [points, G]."""
    x, p, found, decay = np.zeros_like(a), a.copy(), np.zeros_like(a), (1 - rho**2) * a
    rho2 = rho**2
    for r, s in zip(residual, s2, strict=True):
        some = np.isfinite(s)
        f = p + np.where(some, s, 1e9)
        i = np.where(some, r - x, 0.0)
        found += np.where(some, np.log(f) + i * i / f, 0.0)
        k = p / f
        x = rho * (x + k * i)
        p = rho2 * p * (1 - k) + decay
    return found
