"""Has the mean of a bounded loss risen above a baseline? The e-SR detector, stepped once a pane from a histogram.

    e_l = product over the pane's events of (1 + l * (x / m - 1)) ** t     R_l <- (R_l + 1) * e_l
    alarm: mean of R_l >= A                                                 (t = 1 unless rows depend on each other)

l in (0, 1) are the bets, m an upper bound of the loss while all is well, x >= 0. While the conditional mean of x
given the past is at most m, E[e_l | past] <= 1: each factor has conditional mean at most 1, whatever the dependence.
So the expected number of panes to an alarm is **at least A**, for any such process (Shin, Ramdas, Rinaldo,
arXiv:2203.03532).

A pane brings a histogram, not its events: an event counts at the least value of its bin, where the bet wins less. The
product is then smaller than the true one for every l, and the bound stays a bound; the price is power, by the width
of the bins at losses around m. (The average of the pane is not taken: one factor for a thousand events learns a
thousand times more slowly.)

Not in the bound: a baseline m that is below the truth (5 % below halved the run length), and events that are bad
together (a storm): the null is about the mean given the past, so to this test each bad day is a true alarm. Where
days differ by more than their events' sampling error, **temper** the evidence: e_l ** t with t = 1 / design effect,
the share of an independent event that one event is worth. E[e ** t] <= E[e] ** t <= 1 (Jensen), so the bound is
untouched; what is given up is power that dependent events do not have. On ten months of flights (850 a day, design
effect 36, A = 61) the untempered test alarms on 91 of 306 days, in 32 spells, the tempered one on 15, in 6. Measured
at A = 100 panes of 40 events (tests/detectors/test_e_detector.py): run length 232 on Bernoulli(.2) at m = .2, 290 on
the log loss of a calibrated model in 512 bins; a rise to .25, .3, .4 is found after 9.5, 4, 2 panes (median). State:
5 doubles a bet, 316 bytes. Cost: below .1 ms a pane of 512 bins.

>>> settings = Settings(mean=0.2, threshold=100.0, least=(0.0, 1.0))
>>> state = start(settings)
>>> state, verdict = step(settings, state, Losses(0.0, (80, 20), 20.0))
>>> verdict.alarmed, round(verdict.statistic, 2)
(False, 0.39)
>>> state, verdict = step(settings, state, Losses(3600.0, (50, 50), 50.0))
>>> verdict.alarmed, suspected(state)
(True, Change(since=3600.0, events=100, mean=0.5))
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from driftloop.detectors.by_identity import ByIdentity
from driftloop.detectors.packing import Doubles, pack, unpack
from driftloop.detectors.shiryaev_roberts import NOTHING, climb, log_average, plain
from driftloop.detectors.verdict import Verdict
from numpy.typing import ArrayLike

BETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""A rise of d (in units of m) with variance v (in units of m**2) is found fastest by l near d / v."""
BOUND = "average run length >= threshold panes, for any process whose mean given the past is at most the baseline"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """``mean``: the baseline m, > 0. ``threshold``: A, panes. ``least``: the least loss of each bin of the
    histogram. ``temper``: the power to which evidence is raised, in (0, 1]."""

    mean: float
    threshold: float
    least: tuple[float, ...]
    bets: tuple[float, ...] = BETS
    temper: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and self.mean > 0):
            raise ValueError(f"mean is {self.mean}, not a finite number above 0")
        if not self.threshold >= 1:
            raise ValueError(f"threshold is {self.threshold}, not at least 1 pane")
        if not self.least or min(self.least) < 0 or not all(map(math.isfinite, self.least)):
            raise ValueError("least must hold the least loss of every bin, finite and not below 0")
        if not self.bets or not all(0 < bet < 1 for bet in self.bets):
            raise ValueError(f"bets are {self.bets}, not between 0 and 1")
        if not 0 < self.temper <= 1:
            raise ValueError(f"temper is {self.temper}, not above 0 and at most 1")


class Losses(NamedTuple):
    """One pane. ``counts`` of the loss by bin, ``total`` the exact sum (for the estimate only), ``time`` its
    start."""

    time: float
    counts: ArrayLike
    total: float


class State(NamedTuple):
    """By bet: log R; a CUSUM walk of log e, and what it has seen since it last stood at zero. ``steps``: panes."""

    log_r: Doubles
    walk: Doubles
    since: Doubles
    events: Doubles
    total: Doubles
    steps: int


class Change(NamedTuple):
    """The most likely start of the change (a pane's start), and the mean loss since. ``events`` 0: none suspected."""

    since: float
    events: int
    mean: float


def start(settings: Settings) -> State:
    """Nothing seen."""
    zeros = np.zeros(len(settings.bets))
    return State(np.full(len(settings.bets), NOTHING), zeros, zeros, zeros, zeros, 0)


def step(settings: Settings, state: State, pane: Losses) -> tuple[State, Verdict]:
    """Take one pane in. A pane without events is no step. ValueError: counts that are no counts,
    a time or a total that is no number.

    The state goes on after an alarm (R only grows); ``start`` is the restart.
    """
    counts = np.asarray(pane.counts, dtype=np.float64)
    if counts.shape != (len(settings.least),) or not (counts.min() >= 0 and (most := counts.max()) < math.inf):
        raise ValueError(f"counts of shape {counts.shape}: {len(settings.least)} counts of at least 0 are needed")
    if not (math.isfinite(pane.total) and math.isfinite(pane.time)):
        raise ValueError(f"a pane at {pane.time} with losses of {pane.total} in all: finite numbers are needed")
    if not most:
        return state, verdict(settings, state)
    log_e = _log_factors(settings) @ counts
    fresh = state.walk <= 0
    return_to = State(
        log_r=climb(state.log_r, log_e),
        walk=np.where(fresh, 0.0, state.walk) + log_e,
        since=np.where(fresh, pane.time, state.since),
        events=np.where(fresh, 0.0, state.events) + counts.sum(),
        total=np.where(fresh, 0.0, state.total) + pane.total,
        steps=state.steps + 1,
    )
    return return_to, verdict(settings, return_to)


def verdict(settings: Settings, state: State) -> Verdict:
    """What the state says, without a step."""
    statistic = float(log_average(state.log_r))
    return Verdict(plain(statistic), settings.threshold, statistic >= math.log(settings.threshold))


def suspected(state: State) -> Change:
    """When the change began, by the bet that has won most (its CUSUM's last zero), and how bad it has been since."""
    best = int(np.argmax(state.walk))
    if state.walk[best] <= 0:
        return Change(0.0, 0, 0.0)
    events = int(state.events[best])
    return Change(float(state.since[best]), events, float(state.total[best]) / events)


def to_bytes(state: State) -> bytes:
    return pack(_VERSION, state.log_r, state.walk, state.since, state.events, state.total, state.steps)


def from_bytes(data: bytes) -> State:
    log_r, walk, since, events, total, steps = unpack(data, _VERSION)
    return State(log_r, walk, since, events, total, int(steps))


def _worth(settings: Settings) -> Doubles:
    """t * log(1 + l * (least / m - 1)) by bet and bin: the logarithm of what one event of the bin is worth."""
    ratio = np.asarray(settings.least) / settings.mean - 1.0
    factors = settings.temper * np.log1p(np.asarray(settings.bets)[:, None] * ratio[None, :])
    factors.flags.writeable = False
    return factors


_log_factors = ByIdentity(_worth)
