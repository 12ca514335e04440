"""Has the share of errors risen above its best? DDM (Gama et al. 2004), the alarms of river's.

    p = errors / n      s = sqrt(p (1 - p) / n)      (p_min, s_min): where p + s was least, of ties the latest
    warning: p + s > p_min + warning_threshold * s_min      alarm: the same with drift_threshold

Input: 1 is an error, 0 a success; a number outside 0..1 is refused (river ends in a math domain error). Known of it:
after a start without errors p_min = s_min = 0, and the **first error is an alarm**; false alarms are not bounded over
a run: measured in docs/detectors.md. A constant stream never alarms. State: 5 doubles.

>>> settings = Settings()
>>> state, found = scan(settings, start(settings), [0, 1] * 500 + [1] * 400)
>>> found.alarms.tolist(), int(found.warnings[0])
([1067], 1032)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from driftloop.detectors.face import face
from driftloop.detectors.packing import Doubles
from driftloop.detectors.scanning import Advanced, carried_to, ended, last_where, running

BOUND = "none stated"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """As river's: ``warm_start`` values are only counted; thresholds in standard deviations."""

    warm_start: int = 30
    warning_threshold: float = 2.0
    drift_threshold: float = 3.0


class Memory(NamedTuple):
    """``seen`` values, their ``total``, and the best so far."""

    seen: float = 0.0
    total: float = 0.0
    p_min: float = 0.0
    s_min: float = 0.0
    least: float = np.inf


def _advance(settings: Settings, memory: Memory, chunk: Doubles) -> Advanced[Memory]:
    if chunk.min() < 0 or chunk.max() > 1:
        raise ValueError(f"DDM watches errors: a value between 0 and 1 is needed, not {chunk.min()} or {chunk.max()}")
    n = memory.seen + np.arange(1.0, len(chunk) + 1)
    total = running(memory.total, chunk)
    p = total / n
    s = np.sqrt(np.maximum(p * (1 - p), 0.0) / n)
    warm = n > settings.warm_start
    level = np.where(warm, p + s, np.inf)
    least = np.minimum.accumulate(np.concatenate(((memory.least,), level)))
    best = last_where(warm & (level <= least[:-1]))
    p_min, s_min = carried_to(best, p, memory.p_min), carried_to(best, s, memory.s_min)
    alarmed = warm & (level > p_min + settings.drift_threshold * s_min)
    warned = warm & (level > p_min + settings.warning_threshold * s_min) & ~alarmed
    after = Memory(n[-1], total[-1], p_min[-1], s_min[-1], least[-1])
    return ended(alarmed, warned, Memory()) or Advanced(after, len(chunk), False, np.flatnonzero(warned))


start, scan, step, to_bytes, from_bytes = face(_VERSION, Memory(), _advance)
