"""Has the mean of a loss in 0..1 risen above what it was? The e-SR detector, stepped once an event.

    m: upper confidence bound (``gamma``) of the mean of the first ``reference`` events, unless it is given
    R_l <- (R_l + 1) * (1 + l * (x / m - 1)) ** t      alarm: weighted mean of R_l over the bets l >= A

While the conditional mean of x given the past is at most m, the expected number of events to an alarm is **at least
A**, for any such process: nothing is asked of the distribution or of independence (Shin, Ramdas, Rinaldo,
arXiv:2203.03532). m is an upper bound of the truth with probability 1 - gamma over the reference (Clopper–Pearson:
exact for bits, on the safe side for losses in between).

Errors that come in runs are not in the bound: their mean given the past is above m at times. So evidence is tempered
by what neighbours in the reference have in common: t = (1 - r) / (1 + r), r their correlation if it is beyond two
standard errors, else t = 1. (E[e ** t] <= E[e] ** t: the bound stays.) On Markov bits of correlation .3 that makes
false alarms a fifth of what they were. Not in the bound either: a baseline given too low.

NaN and infinities are left out and counted, a number outside 0..1 is refused, a constant stream never alarms. After
an alarm the next ``reference`` events are the new normal; with a given baseline it stays. From panes instead of
events: e_detector.py. Measured: docs/detectors.md. State: 12 doubles and up to 127 events, 1.3 kB.

>>> settings = Settings()
>>> state, found = scan(settings, start(settings), [0, 0, 0, 1] * 250 + [1, 0] * 100)
>>> found.alarms.tolist(), round(baseline(state), 3)
([1074], 0.0)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from driftloop.detectors import anchored, scanning
from driftloop.detectors.anchored import FACTOR_LEAST, Evidence
from driftloop.detectors.face import face
from driftloop.detectors.packing import Doubles
from driftloop.detectors.scanning import Advanced, first

BOUND = "average run length >= threshold events, for any process whose mean given the past is at most the baseline"
BETS = (0.05, 0.1, 0.25)
"""Larger bets find large rises no sooner than a few events, and take runs of errors for a rise: .4 and .8 beside
these gave four times the false alarms on untempered Markov bits. (Chosen on seeds of its own: docs/detectors.md.)"""
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """``threshold``: A, events. ``reference`` events give the baseline, which is below the truth with probability
    ``gamma`` at most; or ``mean`` is the baseline, above 0. ``weights`` of the bets, of sum 1."""

    threshold: float = 40_000.0
    reference: int = 500
    gamma: float = 0.1
    mean: float = 0.0
    bets: tuple[float, ...] = BETS
    weights: tuple[float, ...] = (0.2, 0.4, 0.4)

    def __post_init__(self) -> None:
        if not self.threshold >= 1:
            raise ValueError(f"threshold is {self.threshold}, not at least 1 event")
        if self.reference < 1:
            raise ValueError(f"reference is {self.reference}, not at least 1 event")
        if not 0 < self.gamma < 1:
            raise ValueError(f"gamma is {self.gamma}, not between 0 and 1")
        if not 0 <= self.mean <= 1:
            raise ValueError(f"mean is {self.mean}, neither 0 (learn it) nor a baseline up to 1")
        if not self.bets or not all(0 < bet <= 1 - FACTOR_LEAST for bet in self.bets):
            raise ValueError(f"bets are {self.bets}, not above 0 and at most {1 - FACTOR_LEAST}")
        if len(self.weights) != len(self.bets) or not abs(sum(self.weights) - 1) < 1e-9 or min(self.weights) < 0:
            raise ValueError(f"weights are {self.weights}, not one a bet, of sum 1")


class Memory(NamedTuple):
    """While ``mean`` is 0, it is learnt: from so many ``events``, their ``total``, the sums of their ``squares`` and
    of products of neighbours (``pairs``); ``last``: the newest of them. ``temper``: t."""

    events: float
    total: float
    squares: float
    pairs: float
    last: float
    mean: float
    temper: float
    evidence: Evidence


State = scanning.State[Memory]


def baseline(state: State) -> float:
    """m; 0 while it is being learnt."""
    return state.memory.mean


def upper_bound(events: float, total: float, gamma: float) -> float:
    """Clopper–Pearson: the largest mean under which so low a total has a probability of gamma.

    >>> round(upper_bound(500, 100, 0.1), 4)
    0.2248
    """
    from scipy.special import betaincinv

    return float(betaincinv(total + 1.0, events - total, 1.0 - gamma)) if total < events else 1.0


def _fresh(settings: Settings) -> Memory:
    return Memory(0.0, 0.0, 0.0, 0.0, 0.0, settings.mean, 1.0, anchored.none(len(settings.bets)))


def _advance(settings: Settings, memory: Memory, chunk: Doubles) -> Advanced[Memory]:
    if chunk.min() < 0 or chunk.max() > 1:
        raise ValueError(f"e-SR watches losses: values between 0 and 1 are needed, not {chunk.min()}, {chunk.max()}")
    if not memory.mean:
        return _learn(settings, memory, chunk)
    factors = partial(factors_of, settings.bets, memory.mean, memory.temper)
    evidence, statistics = anchored.climb(memory.evidence, chunk, factors, settings.weights)
    at = first(statistics >= settings.threshold)
    if at >= 0:
        return Advanced(_fresh(settings), at + 1, True)
    return Advanced(memory._replace(evidence=evidence), len(chunk), False)


def _learn(settings: Settings, memory: Memory, chunk: Doubles) -> Advanced[Memory]:
    taken = chunk[: settings.reference - int(memory.events)]
    events = memory.events + len(taken)
    sums = [
        float(scanning.running(carried, added)[-1])
        for carried, added in (
            (memory.total, taken),
            (memory.squares, taken * taken),
            (memory.pairs, taken * np.concatenate(((memory.last,), taken[:-1]))),
        )
    ]
    known = events >= settings.reference
    after = memory._replace(
        events=events,
        total=sums[0],
        squares=sums[1],
        pairs=sums[2],
        last=float(taken[-1]),
        mean=upper_bound(events, sums[0], settings.gamma) if known else 0.0,
        temper=tempering(events, *sums) if known else 1.0,
    )
    return Advanced(after, len(taken), False)


def tempering(events: float, total: float, squares: float, pairs: float) -> float:
    """t: what share of an independent event an event is worth, by the correlation of neighbours.

    >>> tempering(400, 100, 100, 25), round(tempering(400, 100, 100, 52), 2)
    (1.0, 0.47)
    """
    mean = total / events
    variance = squares / events - mean * mean
    if variance <= 0:
        return 1.0
    correlation = (pairs / events - mean * mean) / variance
    return (1 - correlation) / (1 + correlation) if 2 / events**0.5 < correlation < 1 else 1.0


def factors_of(bets: tuple[float, ...], mean: float, temper: float, losses: Doubles) -> Doubles:
    """What each bet [bets, events] is worth at these losses."""
    factors = 1.0 + np.asarray(bets)[:, None] * (losses / mean - 1.0)
    return np.asarray(factors if temper == 1.0 else factors**temper, dtype=np.float64)


start, scan, step, to_bytes, from_bytes = face(_VERSION, _fresh(Settings()), _advance, _fresh)
