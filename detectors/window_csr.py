"""Is this window further from the reference than windows have been? Window conformal Shiryaev–Roberts, many features.

    p = (windows with a larger score + u * windows with the same score, this one included) / windows so far
    R_fc <- (R_fc + 1) * c * p**(c - 1)          alarm: mean of R over features f and powers c >= A

The score of a window is any number that grows with drift (here the judge's: the Jensen–Shannon divergence of a
feature from its reference, less what chance explains). If windows are exchangeable, the p-values are independent and
uniform whatever the rows inside a window do to each other (autocorrelation within a day, batches, a daily cycle), R -
n is a martingale, and the expected number of windows to an alarm is **at least A, exactly**, without any model (Vovk
et al., arXiv:2102.10439). p-values of several features of one window may depend on each other: the mean needs no
more.

Not in the bound: windows that depend on each other over time (a trend, a season longer than a window, weekdays): then
a true difference between windows is an alarm. Beyond ``windows_most`` windows the oldest half is forgotten, and the
bound holds up to the sampling error of that half.

u breaks ties and must not be chosen by hand: ``uniform_of`` derives it from the window's name, so a replay agrees.
Power comes from the windows before the change: with n of them, p cannot fall below about 1 / (n + 1).
Measured at A = 60 windows, 4 features (tests/detectors/test_window_csr.py): run length 126 on independent scores, 130
where all features move as one, 145 with many ties, 143 on distances of windows whose 200 rows share a daily level.
After 80 quiet windows a shift of 2 sd in the score of one feature is found within 8 windows, of 4 sd within 4
(medians). State: features * (windows + powers) doubles, 32 kB for 13 features and 300 windows. Cost there: .2 ms a
window.

>>> settings = Settings(features=1, threshold=20.0)
>>> state = start(settings)
>>> for day in range(60):
...     state, verdict = step(settings, state, Scores((day % 7 / 10,), (uniform_of("demo", day),)))
>>> verdict.alarmed
False
>>> for day in range(60, 65):
...     state, verdict = step(settings, state, Scores((2.0,), (uniform_of("demo", day),)))
>>> verdict.alarmed
True
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles, pack, unpack
from driftloop.detectors.shiryaev_roberts import NOTHING, POWERS, climb, log_average, log_power_bets, plain
from driftloop.detectors.verdict import Verdict
from numpy.typing import NDArray

BOUND = "average run length >= threshold windows, exact if windows are exchangeable"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """``features``: scores a window. ``threshold``: A, windows. ``windows_most``: how many scores are remembered."""

    features: int
    threshold: float
    powers: tuple[float, ...] = POWERS
    windows_most: int = 4096

    def __post_init__(self) -> None:
        if self.features < 1:
            raise ValueError(f"features is {self.features}, not at least 1")
        if not self.threshold >= 1:
            raise ValueError(f"threshold is {self.threshold}, not at least 1 window")
        if not self.powers or not all(0 < power < 1 for power in self.powers):
            raise ValueError(f"powers are {self.powers}, not between 0 and 1")
        if self.windows_most < 2:
            raise ValueError(f"windows_most is {self.windows_most}, not at least 2")


class Scores(NamedTuple):
    """One window: a score and a tie-breaking uniform a feature. NaN: the feature had no rows, it makes no step."""

    values: Sequence[float]
    uniforms: Sequence[float]


class State(NamedTuple):
    """``scores`` [windows, features], ``log_r`` [features, powers], ``steps``: windows."""

    scores: Doubles
    log_r: Doubles
    steps: int


def start(settings: Settings) -> State:
    """Nothing seen. It is the restart after an alarm too: the windows since then are the new normal."""
    return State(np.empty((0, settings.features)), np.full((settings.features, len(settings.powers)), NOTHING), 0)


def step(settings: Settings, state: State, window: Scores) -> tuple[State, Verdict]:
    """Rank one window among all so far, and bet on the rank. ValueError: not a score and a uniform a feature.

    An infinite score is the furthest (or the nearest) there can be: it is ranked like any other.
    """
    values = np.asarray(window.values, dtype=np.float64)
    uniforms = np.asarray(window.uniforms, dtype=np.float64)
    if values.shape != (settings.features,) or uniforms.shape != values.shape:
        raise ValueError(f"{values.shape} scores, {uniforms.shape} uniforms: {settings.features} of each are needed")
    if not all(0.0 <= uniform <= 1.0 for uniform in uniforms.tolist()):
        raise ValueError(f"uniforms {uniforms.tolist()}: numbers between 0 and 1 are needed")
    kept = (
        state.scores[-(settings.windows_most // 2) :] if len(state.scores) >= settings.windows_most else state.scores
    )
    scores = np.concatenate((kept, values[None, :]))
    told = ~np.isnan(values)
    larger, equal, among = _counted(scores > values, scores == values, ~np.isnan(scores))
    p = np.where(told, (larger + uniforms * equal) / np.maximum(among, 1), 1.0)
    climbed = climb(state.log_r, log_power_bets(p, settings.powers))
    after = State(scores, np.where(told[:, None], climbed, state.log_r), state.steps + 1)
    return after, verdict(settings, after)


def _counted(*found: NDArray[np.bool_]) -> NDArray[np.intp]:
    """How often each is true by feature, [found, features], in one pass: a ``np.count_nonzero`` each takes longer."""
    both = np.add.reduce(np.concatenate(found, axis=1), axis=0, dtype=np.intp)
    return np.asarray(both.reshape(len(found), -1))


def verdict(settings: Settings, state: State) -> Verdict:
    """What the state says, without a step. ``parts``: log evidence a feature."""
    statistic = float(log_average(state.log_r))
    parts = tuple(log_average(state.log_r, axis=1).tolist())
    return Verdict(plain(statistic), settings.threshold, statistic >= math.log(settings.threshold), parts)


def uniform_of(*names: str | int | float) -> float:
    """A number in [0, 1) that the names alone decide: 53 bits of blake2b over them.

    >>> uniform_of("flights", "temp", 1.5) == uniform_of("flights", "temp", 1.5) != uniform_of("flights", "temp", 2.5)
    True
    """
    digest = hashlib.blake2b("\x1f".join(map(repr, names)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) / 9007199254740992.0


def to_bytes(state: State) -> bytes:
    return pack(_VERSION, state.scores, state.log_r, state.steps)


def from_bytes(data: bytes) -> State:
    scores, log_r, steps = unpack(data, _VERSION)
    return State(scores, log_r, int(steps))
