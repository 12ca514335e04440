"""Do the newest values look like a sample of those before them? KSWIN (Raab et al. 2020): the alarms of river's.

    at each value, once ``window_size`` are there: Kolmogorov–Smirnov between the newest ``stat_size`` and as many of
    those before them, drawn without replacement;   alarm: p <= alpha and distance > .1

The draws are river's own (``random.Random(seed)``, begun anew after each alarm), so the alarms are too. Both samples
have one size, so the distance is a whole number of ``stat_size``-ths, the exact p-value a function of it, and the
test a comparison of whole numbers. Known of it: ``alpha`` holds for one value, so the default of .005 raises many
false alarms. A constant stream never alarms. State: the window and the 625 words of the
random generator, 5.8 kB at the default.

>>> settings = Settings(alpha=0.0001)
>>> state, found = scan(settings, start(settings), [0, 0, 0, 1] * 250 + [2] * 100)
>>> found.alarms.tolist()
[1016]
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from driftloop.detectors.face import face
from driftloop.detectors.packing import Doubles
from driftloop.detectors.scanning import Advanced, first
from numpy.typing import NDArray

BOUND = "none stated"
_VERSION = 1
_STAT_SIZE_MOST = 10_000
"""Beyond it scipy, and so river, takes the asymptotic p-value."""
_RANDOM_VERSION = 3
_LEAST_DISTANCE = 0.1
_ROWS_MOST = 2048


@dataclass(frozen=True, slots=True)
class Settings:
    """As river's; ``seed`` must be given or is 42: a replay has to draw the same."""

    alpha: float = 0.005
    window_size: int = 100
    stat_size: int = 30
    seed: int = 42

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha is {self.alpha}, not between 0 and 1")
        if not 1 <= self.stat_size <= _STAT_SIZE_MOST:
            raise ValueError(f"stat_size is {self.stat_size}, not between 1 and {_STAT_SIZE_MOST}")
        if self.window_size < 2 * self.stat_size:
            raise ValueError(f"window_size is {self.window_size}, not at least twice stat_size ({self.stat_size})")


class Memory(NamedTuple):
    """The newest values, at most ``window_size`` less one; the words of the random generator."""

    window: Doubles
    words: Doubles


@lru_cache(maxsize=64)
def _fresh(settings: Settings) -> Memory:
    return Memory(np.empty(0), _words(random.Random(settings.seed)))


def _words(drawn: random.Random) -> Doubles:
    words = np.array(drawn.getstate()[1], dtype=np.float64)
    words.flags.writeable = False
    return words


def _advance(settings: Settings, memory: Memory, chunk: Doubles) -> Advanced[Memory]:
    chunk = chunk[:_ROWS_MOST]  # a test is a row of a matrix
    values = np.concatenate((memory.window, chunk))
    tests = len(values) - settings.window_size + 1
    if tests <= 0:
        return Advanced(Memory(values, memory.words), len(chunk), False)
    drawn = random.Random()
    drawn.setstate((_RANDOM_VERSION, tuple(map(int, memory.words)), None))
    older = range(settings.window_size - settings.stat_size)
    picked = np.array([drawn.sample(older, settings.stat_size) for _ in range(tests)])
    windows = np.lib.stride_tricks.sliding_window_view(values, settings.window_size)
    distances = _distances(np.take_along_axis(windows, picked, axis=1), windows[:, -settings.stat_size :])
    at = first(distances >= _least_alarming(settings))
    if at >= 0:
        return Advanced(_fresh(settings), at + len(chunk) - tests + 1, True)
    return Advanced(Memory(values[tests:].copy(), _words(drawn)), len(chunk), False)


def _distances(one: Doubles, other: Doubles) -> NDArray[np.int64]:
    """Kolmogorov–Smirnov between the rows of two samples of one size s, in s-ths."""
    both = np.concatenate((one, other), axis=1)
    order = np.argsort(both, axis=1, kind="stable")
    ordered = np.take_along_axis(both, order, axis=1)
    ahead = np.add.accumulate(np.where(order < one.shape[1], 1, -1), axis=1)[:, :-1]
    return np.asarray(np.where(ordered[:, 1:] > ordered[:, :-1], np.abs(ahead), 0).max(axis=1), dtype=np.int64)


@lru_cache(maxsize=64)
def _least_alarming(settings: Settings) -> int:
    """The least distance, in ``stat_size``-ths, that is an alarm; one more than there are, if none is."""
    s = settings.stat_size
    for h in range(1, s + 1):
        if h / s > _LEAST_DISTANCE and exact_p(s, h) <= settings.alpha:
            return h
    return s + 1


def exact_p(s: int, h: int) -> float:
    """P(distance >= h / s) of two samples of s from one continuous distribution: paths that leave a strip.

    2 * (C(2s, s + h) - C(2s, s + 2h) + ...) / C(2s, s), from the last term on (Hodges 1958).

    >>> exact_p(2, 2)
    0.3333333333333333
    """
    p = 0.0
    for k in range(s // h, 0, -1):
        p = _share(s, k * h) - p
    return min(1.0, 2.0 * p)


def _share(s: int, off: int) -> float:
    """C(2s, s + off) / C(2s, s)."""
    share = 1.0
    for j in range(off):
        share *= (s - j) / (s + j + 1)
    return share


start, scan, step, to_bytes, from_bytes = face(_VERSION, _fresh(Settings()), _advance, _fresh)
