"""Does a window of independent rows come from the reference? Chi-square a feature, power bets, one Shiryaev–Roberts.

    common bins (expected >= 5):  X = sum (c - n*q)**2 / (n*q) / (1 + n/N),   p from chi-square with bins - 1
    the rare bins together:       p = P(as many or more of them in the window), exact (hypergeometric)
    R_ftc <- (R_ftc + 1) * c * p_ft**(c - 1)          alarm: mean of R over features f, the two tests t, powers c >= A

n rows in the window, N in the reference, q the reference's shares. 1 + n/N is the reference's own sampling error.
Rare bins (an unseen category, a missing value where there were none) would break the chi-square approximation: one
such row of an expected .01 is worth 100; they get the exact test, upwards only. Features are averaged into one alarm,
so their number costs a factor and no correction.

Bound: average run length >= A windows if rows are independent and the chi-square approximation holds. Rows that come
in batches or follow a season break it: use window_csr there. Measured at A = 60 (tests/detectors/test_chi2_sr.py):
the run length stays above A with 16 quantile bins, with a long tail of rare ones, with 30 rows a window, with 1 to 4
features; at A = 10,000 a shift of .2 sd in one of 5 features is found after 10 windows of 256 rows, of .5 sd in the
first (median). State: 2 * powers doubles a feature. Cost: .1 ms a feature and window.

>>> settings = Settings(reference=((1000, 1000, 1000, 1000),), threshold=100.0)
>>> state, verdict = step(settings, start(settings), ((60, 64, 66, 66),))
>>> verdict.alarmed
False
>>> state, verdict = step(settings, state, ((30, 64, 66, 96),))
>>> verdict.alarmed
True
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles, pack, unpack
from driftloop.detectors.shiryaev_roberts import NOTHING, POWERS, climb, log_average, log_power_bets, plain
from driftloop.detectors.verdict import Verdict
from numpy.typing import ArrayLike

BOUND = "average run length >= threshold windows, if rows are independent (chi-square approximation)"
EXPECTED_LEAST = 5.0
"""Cochran's rule: below it the chi-square approximation of a cell is not trusted."""
TESTS = 2
"""Common bins, rare bins: each with an R of its own. (Averaging their bets window by window cost a factor of two a
window: a shift of .2 sd took 23 windows of 256 rows instead of 10.)"""
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """``reference``: counts of each feature. ``threshold``: A, windows."""

    reference: tuple[tuple[int, ...], ...]
    threshold: float
    powers: tuple[float, ...] = POWERS

    def __post_init__(self) -> None:
        if not self.reference or any(sum(counts) < 1 or min(counts) < 0 for counts in self.reference):
            raise ValueError("reference must hold, for each feature, counts of at least one row")
        if not self.threshold >= 1:
            raise ValueError(f"threshold is {self.threshold}, not at least 1 window")
        if not self.powers or not all(0 < power < 1 for power in self.powers):
            raise ValueError(f"powers are {self.powers}, not between 0 and 1")


class State(NamedTuple):
    """``log_r`` [features, tests, powers], ``steps``: windows."""

    log_r: Doubles
    steps: int


def start(settings: Settings) -> State:
    """Nothing seen; the restart after an alarm too."""
    return State(np.full((len(settings.reference), TESTS, len(settings.powers)), NOTHING), 0)


def step(settings: Settings, state: State, window: Sequence[ArrayLike]) -> tuple[State, Verdict]:
    """Take the counts of one window, by feature. A feature without rows makes no step; ValueError: other bins."""
    if len(window) != len(settings.reference):
        raise ValueError(f"counts of {len(window)} features, not of {len(settings.reference)}")
    log_r = state.log_r.copy()
    for i, (counts, reference) in enumerate(zip(window, settings.reference, strict=True)):
        current = np.asarray(counts, dtype=np.float64)
        if current.shape != (len(reference),) or not (np.isfinite(current).all() and (current >= 0).all()):
            raise ValueError(
                f"feature {i}: counts of shape {current.shape}, {len(reference)} of at least 0 are needed"
            )
        if current.any():
            for t, p in enumerate(p_values(current, np.asarray(reference, dtype=np.float64))):
                if p is not None:
                    log_r[i, t] = climb(log_r[i, t], log_power_bets(np.asarray(p), settings.powers))
    after = State(log_r, state.steps + 1)
    return after, verdict(settings, after)


def verdict(settings: Settings, state: State) -> Verdict:
    """What the state says, without a step. ``parts``: log evidence a feature."""
    statistic = float(log_average(state.log_r))
    parts = tuple(float(part) for part in log_average(state.log_r.reshape(len(state.log_r), -1), axis=1))
    return Verdict(plain(statistic), settings.threshold, statistic >= math.log(settings.threshold), parts)


def p_values(current: Doubles, reference: Doubles) -> tuple[float | None, float | None]:
    """(of the common bins, of the rare ones); None where there are no such bins to test."""
    n, rows = float(current.sum()), float(reference.sum())
    common = reference * n / rows >= EXPECTED_LEAST
    return _p_common(current[common], reference[common]), (
        None if common.all() else _p_rare(float(current[~common].sum()), float(reference[~common].sum()), n, rows)
    )


def to_bytes(state: State) -> bytes:
    return pack(_VERSION, state.log_r, state.steps)


def from_bytes(data: bytes) -> State:
    log_r, steps = unpack(data, _VERSION)
    return State(log_r, int(steps))


def _p_common(current: Doubles, reference: Doubles) -> float | None:
    from scipy.special import chdtrc  # on demand: 23 MB that a worker without this test need not carry

    n = float(current.sum())
    if len(current) < 2 or n == 0:
        return None
    expected = n * reference / reference.sum()
    x = float(np.sum((current - expected) ** 2 / expected)) / (1 + n / reference.sum())
    return float(chdtrc(len(current) - 1, x))


def _p_rare(k: float, k_reference: float, n: float, rows: float) -> float:
    """P(X >= k), X hypergeometric: of k + k_reference rare rows among n + rows, those that fall into the window."""
    both = k + k_reference
    j = np.arange(k, min(both, n) + 1)
    log_p = _log_choose(n, j) + _log_choose(rows, both - j) - _log_choose(n + rows, np.asarray(both))
    return float(min(1.0, np.exp(log_p[np.isfinite(log_p)]).sum()))


def _log_choose(n: float, k: Doubles) -> Doubles:
    from scipy.special import gammaln

    with np.errstate(invalid="ignore"):
        return np.where(k <= n, gammaln(n + 1) - gammaln(k + 1) - gammaln(np.maximum(n - k, 0) + 1), -np.inf)
