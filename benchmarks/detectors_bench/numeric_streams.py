"""Numbers: three shifts of a normal, three without any, and one shift where neighbours depend on each other."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from detectors_bench.streams import HORIZON, Source, Stream, Values, change_row, joined

STATIONARY = 50_000


def shifted(mean: float, sd: float) -> Source:
    def draw(rng: np.random.Generator) -> Stream:
        return joined(rng.normal(0, 1, change_row(rng)), rng.normal(mean, sd, HORIZON), False)

    return Source(f"mean +{mean:g} sd" if mean else f"sd x {sd:g}", "numeric shifts", draw)


def autoregressive(rng: np.random.Generator, n: int, rho: float = 0.5) -> Values:
    """AR(1) of variance 1."""
    noise = rng.normal(0, np.sqrt(1 - rho**2), n)
    noise[0] = rng.normal()
    return np.asarray(lfilter([1.0], [1.0, -rho], noise), dtype=np.float64)


def _dependent_shift(rng: np.random.Generator) -> Stream:
    values, row = autoregressive(rng, 5_000 + HORIZON), change_row(rng)
    values[row:] += 0.5
    return Stream(values[: row + HORIZON], (row,), False)


def _plain(name: str, make: type[Values] | object) -> Source:
    def draw(rng: np.random.Generator) -> Stream:
        return Stream(make(rng), (), False)  # type: ignore[operator]

    return Source(name, "", draw)


SHIFTS = [
    shifted(0.25, 1.0),
    shifted(1.0, 1.0),
    shifted(0.0, 2.0),
    Source("AR(1) mean +0.5 sd", "", _dependent_shift),
]
NO_SHIFTS = [
    _plain("stationary Gauss", lambda rng: rng.normal(0, 1, STATIONARY)),
    _plain("stationary t3", lambda rng: rng.standard_t(3, STATIONARY)),
    _plain("stationary AR(1) .5", lambda rng: autoregressive(rng, STATIONARY)),
]
