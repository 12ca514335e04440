"""Small seeded streams for the tests of the seasonal monitor: numeric and categorical features with a daily cycle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from driftloop.detectors.seasonal import Histogram, Pane
from scipy.stats import norm

MONDAY = 1_704_067_200.0
HOUR = 3_600.0
EDGES = norm.ppf(np.arange(1, 16) / 16) * 1.2


def layout(numeric: int = 4, categorical: int = 2) -> tuple[Histogram, ...]:
    """16 value bins and missing; three categories, other, missing."""
    return tuple(
        [Histogram(f"n{i}", "numeric", 17) for i in range(numeric)]
        + [Histogram(f"c{i}", "categorical", 5) for i in range(categorical)]
    )


def panes(
    hours: int,
    *,
    first: int = 0,
    seed: int = 1,
    rows: float = 500.0,
    numeric: int = 4,
    categorical: int = 2,
    shift: float = 0.0,
    shifted: int = 1,
    shift_from: int = 0,
    wander: float = 0.0,
    amplitude: float = 0.7,
    weekend: float = 0.0,
) -> Iterator[Pane]:
    """Hourly panes; ``shift`` sd in the numeric feature ``shifted``, ``shift_from`` hours on; ``wander`` sd of AR(1)
    noise, rho .9, in all; all numeric features are ``weekend`` sd higher then.
    """
    rng = np.random.default_rng([seed, first])
    x = rng.normal(0, 1, numeric)
    for hour in range(first, first + hours):
        x = 0.9 * x + rng.normal(0, np.sqrt(1 - 0.81), numeric)
        turn = 2 * np.pi * hour / 24
        mean = amplitude * np.sin(turn + np.arange(numeric)) + wander * x + weekend * (hour // 24 % 7 >= 5)
        mean[shifted] += shift * (hour >= first + shift_from)
        below = norm.cdf(EDGES - mean[:, None])
        p = np.diff(np.c_[np.zeros(numeric), below, np.ones(numeric)])
        n = rng.poisson(rows * (1 + 0.6 * np.sin(turn)))
        counts = [np.r_[rng.multinomial(n, one), 0] for one in p]
        tilt = 0.1 * np.sin(turn)
        counts += [np.r_[rng.multinomial(n, [0.5 + tilt, 0.3, 0.2 - tilt]), 0, 0] for _ in range(categorical)]
        yield Pane(MONDAY + hour * HOUR, np.concatenate(counts))
