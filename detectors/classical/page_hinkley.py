"""Has the mean moved? Page–Hinkley (Page 1954), two-sided, with forgetting: the alarms of river's.

    d = x - mean so far      up <- alpha * up + d - delta      down <- alpha * down + d + delta
    alarm: up - least up > threshold, or largest down - down > threshold     (after ``min_instances`` values)

Known of it: ``delta`` and ``threshold`` have the unit of x, so the default that is quiet on bits gives 6 false alarms
in 10,000 values of N(0, 1) and 20 of Student's t3 (docs/detectors.md): set them in standard deviations of yours. A
constant stream never alarms. State: 6 doubles.

>>> settings = Settings()
>>> state, found = scan(settings, start(settings), [0, 1] * 500 + [5] * 1000)
>>> found.alarms.tolist()
[1011]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from driftloop.detectors.face import face
from driftloop.detectors.packing import Doubles
from driftloop.detectors.scanning import Advanced, ended, running

BOUND = "none stated"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """As river's. ``alpha``: what is kept of the sums at each value; ``mode``: up, down or both."""

    min_instances: int = 30
    delta: float = 0.005
    threshold: float = 50.0
    alpha: float = 1 - 0.0001
    mode: str = "both"

    def __post_init__(self) -> None:
        if self.mode not in ("up", "down", "both"):
            raise ValueError(f"mode is {self.mode!r}, not up, down or both")


class Memory(NamedTuple):
    """Values ``seen``, their ``total``; the two sums and what they were at best. (river begins ``most_down`` at
    -1.)"""

    seen: float = 0.0
    total: float = 0.0
    up: float = 0.0
    down: float = 0.0
    least_up: float = np.inf
    most_down: float = -1.0


def _advance(settings: Settings, memory: Memory, chunk: Doubles) -> Advanced[Memory]:
    n = memory.seen + np.arange(1.0, len(chunk) + 1)
    total = running(memory.total, chunk)
    off = chunk - total / n
    up = _fading(settings.alpha, memory.up, off - settings.delta)
    down = _fading(settings.alpha, memory.down, off + settings.delta)
    least = np.minimum.accumulate(np.concatenate(((memory.least_up,), up)))[1:]
    most = np.maximum.accumulate(np.concatenate(((memory.most_down,), down)))[1:]
    risen, fallen = up - least > settings.threshold, most - down > settings.threshold
    asked = {"up": risen, "down": fallen, "both": risen | fallen}[settings.mode]
    alarmed = asked & (n >= settings.min_instances)
    after = Memory(n[-1], total[-1], up[-1], down[-1], least[-1], most[-1])
    none = np.zeros(len(chunk), np.bool_)
    return ended(alarmed, none, Memory()) or Advanced(after, len(chunk), False)


def _fading(kept: float, carried: float, values: Doubles) -> Doubles:
    """s <- kept * s + value, one after the other."""
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, -kept], values, zi=[kept * carried])[0], dtype=np.float64)


start, scan, step, to_bytes, from_bytes = face(_VERSION, Memory(), _advance)
