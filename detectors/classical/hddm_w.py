"""Has the recent mean risen (or fallen)? HDDM with moving averages (Frías-Blanco et al. 2015): river's alarms.

    mean <- (1 - lambda) mean + lambda x      c <- lambda**2 + (1 - lambda)**2 c, from 1
    bound(c) = sqrt(c / 2 * log(1 / confidence))
    cut: where mean + bound(c) was least, of ties the first; the average ``after`` begins anew behind it
    alarm: mean of after - mean at cut > bound(c at cut + c of after)

The average behind the cut is had without running it: both averages forget at the same pace, so that they differ by
(1 - lambda)**k times what they differed by at its first value. Each comparison holds at its confidence once; alarms
over a run are not bounded, and correlated errors raise many: docs/detectors.md. A constant stream never alarms.
State: 10 doubles.

>>> settings = Settings()
>>> state, found = scan(settings, start(settings), [0, 0, 0, 1] * 250 + [1] * 100)
>>> found.alarms.tolist(), int(found.warnings[0])
([1014], 1011)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from driftloop.detectors.face import face
from driftloop.detectors.packing import Doubles
from driftloop.detectors.scanning import Advanced, carried_to, ended, last_where
from numpy.typing import NDArray

BOUND = "none stated"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """As river's. ``lambda_val``: the weight of the newest value. ``two_sided_test``: a fall is an alarm too."""

    drift_confidence: float = 0.001
    warning_confidence: float = 0.005
    lambda_val: float = 0.05
    two_sided_test: bool = False

    def __post_init__(self) -> None:
        for name in ("drift_confidence", "warning_confidence", "lambda_val"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, not between 0 and 1")


class Cut(NamedTuple):
    """``at``: number of the value it stands behind, 0: none. ``mean`` there, ``level`` = mean + bound, ``gap``: mean
    less value at the first value behind it."""

    at: float = 0.0
    mean: float = 0.0
    level: float = np.inf
    gap: float = 0.0


class Memory(NamedTuple):
    """Values ``seen``, the moving ``mean``; the cut of a rise and that of a fall (the mean with its sign turned)."""

    seen: float = 0.0
    mean: float = 0.0
    rise: Cut = Cut()
    fall: Cut = Cut()


def _advance(settings: Settings, memory: Memory, chunk: Doubles) -> Advanced[Memory]:
    mean = _moving(settings.lambda_val, memory, chunk)
    rise, alarmed, warned = _moved(settings, memory.seen, memory.rise, mean, chunk)
    warned &= ~alarmed
    fall = memory.fall
    if settings.two_sided_test:
        fall, fell, nearly = _moved(settings, memory.seen, memory.fall, -mean, -chunk)
        alarmed, warned = alarmed | fell, warned | (nearly & ~fell)
    after = Memory(memory.seen + len(chunk), mean[-1], rise, fall)
    return ended(alarmed, warned, Memory()) or Advanced(after, len(chunk), False, np.flatnonzero(warned))


def _moving(weight: float, memory: Memory, chunk: Doubles) -> Doubles:
    """The exponentially weighted mean, which begins at its first value."""
    from scipy.signal import lfilter

    before = memory.mean if memory.seen else chunk[0]
    return np.asarray(
        lfilter([weight], [1.0, weight - 1.0], chunk, zi=[(1.0 - weight) * before])[0], dtype=np.float64
    )


def _moved(
    settings: Settings, seen: float, cut: Cut, mean: Doubles, chunk: Doubles
) -> tuple[Cut, NDArray[np.bool_], NDArray[np.bool_]]:
    """The cut after the chunk; and at each value, whether the mean behind the cut is significantly above it."""
    log_one = np.log(1.0 / settings.drift_confidence)
    n = seen + np.arange(1.0, len(chunk) + 1)
    here = _conditions(settings.lambda_val, n)
    level = mean + np.sqrt(here * log_one / 2)
    least = np.minimum.accumulate(np.concatenate(((cut.level,), level)))
    place = last_where(level < least[:-1])
    at, at_mean = carried_to(place, n, cut.at), carried_to(place, mean, cut.mean)
    off = mean - chunk
    carried_gap = off[0] if cut.at == seen else cut.gap  # this chunk begins right behind the cut
    gap = np.where(place >= 0, off[np.minimum(place + 1, len(chunk) - 1)], carried_gap)
    behind = n - at
    inside = behind > 0
    after = mean - np.power(1.0 - settings.lambda_val, behind - 1.0) * gap
    both = _conditions(settings.lambda_val, at) + _conditions(settings.lambda_val, behind)
    risen = after - at_mean
    alarmed = inside & (risen > np.sqrt(both * log_one / 2))
    warned = inside & (risen > np.sqrt(both * np.log(1.0 / settings.warning_confidence) / 2))
    return Cut(at[-1], at_mean[-1], least[-1], gap[-1]), alarmed, warned


def _conditions(weight: float, counts: Doubles) -> Doubles:
    """c after so many values."""
    table = _conditions_up_to(weight, 1 << int(counts.max()).bit_length())
    return np.asarray(table[np.minimum(counts, len(table) - 1).astype(np.int64)], dtype=np.float64)


@lru_cache(maxsize=16)
def _conditions_up_to(weight: float, most: int) -> Doubles:
    """c after 0, 1, … values, up to ``most`` or to where it changes no more."""
    from scipy.signal import lfilter

    kept, size = (1 - weight) ** 2, 1024
    while True:
        later = lfilter([1.0], [1.0, -kept], np.full(size, weight * weight), zi=[kept])[0]
        if later[-1] == later[-2] or size >= most:
            break
        size *= 2
    found = np.concatenate(((1.0,), later))
    found = found[: int(np.argmax(found[1:] == found[:-1])) + 1] if later[-1] == later[-2] else found
    found.flags.writeable = False
    return found


start, scan, step, to_bytes, from_bytes = face(_VERSION, Memory(), _advance)
