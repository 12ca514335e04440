"""Do errors come closer together than they did? EDDM (Baena-García et al. 2006), the alarms of river's.

    d = values from one error to the next     m = mean(d) + 2 sd(d)     level = m / largest m so far
    warning: level < alpha      alarm: level < beta      (after ``warm_start`` values and errors)

Input: exactly 1 is an error, any other number none. Known of it: many false alarms (docs/detectors.md), and a warning
stands until an error takes it back, through values that are no errors too: so do its positions here. A constant
stream never alarms. State: 7 doubles.

>>> settings = Settings()
>>> state, found = scan(settings, start(settings), [0, 0, 0, 1] * 100 + [1] * 400)
>>> found.alarms.tolist()
[531]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from driftloop.detectors.face import face
from driftloop.detectors.packing import Doubles
from driftloop.detectors.scanning import Advanced, Positions, ended, last_where, running

BOUND = "none stated"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """As river's: ``warm_start`` values and errors; levels of a warning (``alpha``) and of an alarm (``beta``)."""

    warm_start: int = 30
    alpha: float = 0.95
    beta: float = 0.9

    def __post_init__(self) -> None:
        if self.alpha < self.beta:
            raise ValueError(f"alpha is {self.alpha}, not at least beta, which is {self.beta}")


class Memory(NamedTuple):
    """Values ``seen``; number of the last error among them; errors, the sums of their distances and of the squares;
    the largest m; whether a warning stands."""

    seen: float = 0.0
    last_error: float = 0.0
    errors: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    largest: float = -1.0
    warned: float = 0.0


def _advance(settings: Settings, memory: Memory, chunk: Doubles) -> Advanced[Memory]:
    at = np.flatnonzero(chunk == 1.0)
    if not len(at):
        after = memory._replace(seen=memory.seen + len(chunk))
        return Advanced(after, len(chunk), False, np.arange(len(chunk) if memory.warned else 0))
    n = memory.seen + at + 1.0
    distances = np.diff(n, prepend=memory.last_error)
    count = memory.errors + np.arange(1.0, len(at) + 1)
    total, squares = running(memory.total, distances), running(memory.squares, distances * distances)
    # Distances are whole numbers, so sums are exact, and equal distances have a variance of exactly 0, as in river.
    variance = np.maximum(squares - total * total / count, 0.0) / np.maximum(count - 1.0, 1.0)
    measure = np.where(n > settings.warm_start, total / count + 2 * np.sqrt(variance), -1.0)
    largest = np.maximum.accumulate(np.concatenate(((memory.largest,), measure)))
    judged = (n > settings.warm_start) & (measure <= largest[:-1]) & (count > settings.warm_start)
    level = np.where(judged, measure / np.where(largest[1:] > 0, largest[1:], 1.0), np.inf)
    alarmed = level < settings.beta
    standing = _standing(len(chunk), at, judged & ~alarmed, level < settings.alpha, bool(memory.warned))
    all_alarmed = np.zeros(len(chunk), np.bool_)
    all_alarmed[at] = alarmed
    after = Memory(
        memory.seen + len(chunk), n[-1], count[-1], total[-1], squares[-1], largest[-1], float(standing[-1])
    )
    return ended(all_alarmed, standing, Memory()) or Advanced(after, len(chunk), False, np.flatnonzero(standing))


def _standing(length: int, at: Positions, told: np.ndarray, warned: np.ndarray, before: bool) -> np.ndarray:
    """Whether a warning stands after each value: as the last error that told something about it said."""
    happened = np.zeros(length, np.bool_)
    said = np.zeros(length, np.bool_)
    happened[at], said[at] = told, warned
    last = last_where(happened)
    return np.where(last >= 0, said[last], before)


start, scan, step, to_bytes, from_bytes = face(_VERSION, Memory(), _advance)
