"""Has the mean of a bounded value risen (or fallen)? HDDM with averages (Frías-Blanco et al. 2015): river's alarms.

    best: where mean + hoeffding(n) was least, of ties the latest      hoeffding(n) = sqrt(log(1 / confidence) / 2 n)
    alarm: mean - mean at best >= sqrt(m / 2 * log(2 / confidence))    m = (n - n_best) / (n_best * n)

Each comparison holds at its confidence once, for independent values in 0..1; the alarms of a run are not bounded:
docs/detectors.md has what was measured. Values outside 0..1 are taken as they are, as by river. A constant stream
never alarms. State: 6 doubles.

>>> settings = Settings()
>>> state, found = scan(settings, start(settings), [0, 0, 0, 1] * 250 + [0, 1] * 500)
>>> found.alarms.tolist(), int(found.warnings[0])
([1059], 1045)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from driftloop.detectors.face import face
from driftloop.detectors.packing import Doubles
from driftloop.detectors.scanning import Advanced, carried_to, ended, last_where, running
from numpy.typing import NDArray

BOUND = "none stated"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """As river's. ``two_sided_test``: a fall of the mean is an alarm too."""

    drift_confidence: float = 0.001
    warning_confidence: float = 0.005
    two_sided_test: bool = False

    def __post_init__(self) -> None:
        for name in ("drift_confidence", "warning_confidence"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, not between 0 and 1")


class Memory(NamedTuple):
    """Values ``seen`` and their ``total``; the same at the lowest and at the highest mean."""

    seen: float = 0.0
    total: float = 0.0
    low_seen: float = 0.0
    low_total: float = 0.0
    high_seen: float = 0.0
    high_total: float = 0.0


def _advance(settings: Settings, memory: Memory, chunk: Doubles) -> Advanced[Memory]:
    n = memory.seen + np.arange(1.0, len(chunk) + 1)
    total = running(memory.total, chunk)
    low_n, low_total, alarmed, warned = _moved(settings, n, total, memory.low_seen, memory.low_total, 1.0)
    warned &= ~alarmed
    high_n, high_total = n, total
    if settings.two_sided_test:
        high_n, high_total, fell, nearly = _moved(settings, n, total, memory.high_seen, memory.high_total, -1.0)
        alarmed, warned = alarmed | fell, warned | (nearly & ~fell)
    after = Memory(n[-1], total[-1], low_n[-1], low_total[-1], high_n[-1], high_total[-1])
    return ended(alarmed, warned, Memory()) or Advanced(after, len(chunk), False, np.flatnonzero(warned))


def _moved(
    settings: Settings, n: Doubles, total: Doubles, best_n: float, best_total: float, sign: float
) -> tuple[Doubles, Doubles, NDArray[np.bool_], NDArray[np.bool_]]:
    """Values and total at the best so far, and whether the mean is significantly above it (sign -1: below)."""
    log_one = np.log(1.0 / settings.drift_confidence)
    mean = sign * (total / n)
    level = mean + np.sqrt(1.0 / (2 * n) * log_one)
    carried = sign * (best_total / best_n) + np.sqrt(1.0 / (2 * best_n) * log_one) if best_n else np.inf
    least = np.minimum.accumulate(np.concatenate(((carried,), level)))
    best = last_where(level <= least[:-1])
    at_n, at_total = carried_to(best, n, best_n), carried_to(best, total, best_total)
    behind = n > at_n
    m = (n - at_n) / at_n * (1.0 / n)
    risen = mean - sign * (at_total / at_n)
    alarmed = behind & (risen >= np.sqrt(m / 2 * np.log(2.0 / settings.drift_confidence)))
    warned = behind & (risen >= np.sqrt(m / 2 * np.log(2.0 / settings.warning_confidence)))
    return at_n, at_total, alarmed, warned


start, scan, step, to_bytes, from_bytes = face(_VERSION, Memory(), _advance)
