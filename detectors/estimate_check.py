"""Do labels bear out what was estimated without them? Shiryaev–Roberts on the errors of estimates, window by window.

    z = (± error - margin) / sd        error = estimated - found        R <- (R + 1) exp(d z - d**2 / 2)
    the estimate is off: mean of R over figures, both signs and four d >= A

``margin``: an estimate may be wrong by so much and is still of use. If the mean error is within it and windows are
independent given their scores, each factor has mean 1 at most (errors are sums of many small ones: nearly normal) and
the expected number of windows until it is called off is **at least A**. ``agrees`` is the way back: since the last
start ``WINDOWS_LEAST`` windows, and the mean error of every figure (by rows) within its margin, two standard errors
added. Both only ever look at windows whose labels are in.

Measured (tests/detectors/test_estimate_check.py) on windows of 500 rows, accuracy .8, margin .01, A = 200, medians of
60 seeds: off by .02 it is called off after 26 windows, by .04 after 5, by .1 after 1; at the margin itself after 744
on average; one that is right not once in 100 windows. The way back takes 18 windows of 500 rows, 10 of 2,000.
NaN teaches nothing. State: 34 doubles for three figures.

>>> settings = Settings(figures=1, threshold=100.0)
>>> state = start(settings)
>>> state, verdict = step(settings, state, Compared(np.array([0.012]), np.array([0.02]), np.array([0.01]), 500))
>>> verdict.alarmed, agrees(state, np.array([0.01]))
(False, False)
>>> for _ in range(9):
...     state, verdict = step(settings, state, Compared(np.array([0.08]), np.array([0.02]), np.array([0.01]), 500))
>>> verdict.alarmed
True
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles, pack, unpack
from driftloop.detectors.shiryaev_roberts import NOTHING, climb, log_average, plain
from driftloop.detectors.verdict import Verdict

BOUND = "average number of windows to a false withdrawal >= threshold, while the mean error is within the margin"
BETS = (0.25, 0.5, 1.0, 2.0)
"""d: of standard deviations of a window's error that it is off by, the one that is found soonest."""
_BETS, _HALF_SQUARES, _SIGNS = np.array(BETS), np.array(BETS) ** 2 / 2, np.array([1.0, -1.0])
WINDOWS_LEAST = 10
ERRORS = 2.0
"""Standard errors of the mean error, on the way back."""
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """``figures``: metrics compared in a window. ``threshold``: A, windows."""

    figures: int
    threshold: float

    def __post_init__(self) -> None:
        if self.figures < 1:
            raise ValueError(f"figures is {self.figures}, not at least 1")
        if not self.threshold >= 1:
            raise ValueError(f"threshold is {self.threshold}, not at least 1 window")


class Compared(NamedTuple):
    """One window, f8[figures] each; NaN where a figure could not be told. ``rows``: labelled."""

    error: Doubles
    sd: Doubles
    margin: Doubles
    rows: int


class State(NamedTuple):
    """Since the start: ``log_r`` [figures, 2 signs, bets]; by figure ``rows``, sum of rows * error, and of
    (rows * sd)**2; ``windows``."""

    log_r: Doubles
    rows: Doubles
    error: Doubles
    variance: Doubles
    windows: int


def start(settings: Settings) -> State:
    """Nothing compared yet."""
    nothing = np.zeros(settings.figures)
    return State(np.full((settings.figures, 2, len(BETS)), NOTHING), nothing, nothing, nothing, 0)


def step(settings: Settings, state: State, window: Compared) -> tuple[State, Verdict]:
    """Compare one window more. ``parts``: log evidence by figure."""
    told = np.isfinite(window.error) & (window.sd > 0)
    if told.all():
        after = _climbed(state, window.error, window.sd, window.margin, float(window.rows))
    else:
        sd, margin = np.where(told, window.sd, 1.0), np.where(told, window.margin, 0.0)
        rows = np.where(told, float(window.rows), 0.0)
        after = _climbed(state, np.where(told, window.error, 0.0), sd, margin, rows)
        after = after._replace(log_r=np.where(told[:, None, None], after.log_r, state.log_r))
    return after, verdict(settings, after)


def _climbed(state: State, error: Doubles, sd: Doubles, margin: Doubles, rows: Doubles | float) -> State:
    """As if every figure had been told."""
    z = (error[:, None] * _SIGNS - margin[:, None]) / sd[:, None]
    return State(
        climb(state.log_r, z[:, :, None] * _BETS - _HALF_SQUARES),
        state.rows + rows,
        state.error + rows * error,
        state.variance + (rows * sd) ** 2,
        state.windows + 1,
    )


def verdict(settings: Settings, state: State) -> Verdict:
    """What the state says, without a step."""
    statistic = float(log_average(state.log_r))
    parts = tuple(log_average(state.log_r.reshape(len(state.log_r), -1), axis=1).tolist())
    return Verdict(plain(statistic), settings.threshold, statistic >= math.log(settings.threshold), parts)


def agrees(state: State, margin: Doubles) -> bool:
    """Labels have borne out every figure that was told, long enough."""
    told = state.rows > 0
    if state.windows < WINDOWS_LEAST or not told.any():
        return False
    rows = state.rows[told]
    furthest = np.abs(state.error[told]) / rows + ERRORS * np.sqrt(state.variance[told]) / rows
    return bool((furthest <= margin[told]).all())


def to_bytes(state: State) -> bytes:
    """Canonical, versioned."""
    return pack(_VERSION, *state)


def from_bytes(data: bytes) -> State:
    """Back from ``to_bytes``. ValueError: cut, or of another version."""
    log_r, rows, error, variance, windows = unpack(data, _VERSION)
    return State(log_r, rows, error, variance, int(windows))
