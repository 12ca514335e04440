"""Do an older and a newer part of the window have different means? ADWIN (Bifet, Gavaldà 2007): river's alarms.

    at every ``clock``-th value, for every border between two buckets (window 0 before it, window 1 behind it):
    alarm: |mean 0 - mean 1| > sqrt(2 m v d) + 2/3 d m      d = log(2 log(n) / delta), v = variance of the window
    m = 1 / (n0 - min_window_length + 1) + 1 / (n1 - min_window_length + 1)

Between two restarts nothing is dropped, so all checks of a batch are rows of one matrix (adwin_buckets.py). As in
river's shell the whole window goes with an alarm, window 1 too; the mean told right after an alarm is that of the
window shrunk until no border stands out, as river tells it. ``delta`` bounds one check, not a run; measured:
docs/detectors.md. A constant stream never alarms. ``estimate`` is the mean that holds now: what ADWIN is best at.
State: 5 doubles and 2 a bucket, about 10 log2(n).

>>> settings = Settings()
>>> state, found = scan(settings, start(settings), [0, 0, 0, 1] * 250 + [1] * 100)
>>> found.alarms.tolist(), round(estimate(state), 2)
([1023], 1.0)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from driftloop.detectors import scanning
from driftloop.detectors.classical import adwin_buckets as buckets
from driftloop.detectors.classical.adwin_buckets import Row
from driftloop.detectors.face import face
from driftloop.detectors.packing import Doubles
from driftloop.detectors.scanning import Advanced, first, running
from numpy.typing import NDArray

BOUND = "none stated for a run; delta for one check of independent values"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """As river's. ``clock``: values from check to check; ``max_buckets`` a row; no check up to ``grace_period``."""

    delta: float = 0.002
    clock: int = 32
    max_buckets: int = 5
    min_window_length: int = 5
    grace_period: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.delta < 1:
            raise ValueError(f"delta is {self.delta}, not between 0 and 1")
        for name in ("clock", "max_buckets", "min_window_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, not at least 1")


class Memory(NamedTuple):
    """The window: values ``seen``, their ``total``, ``squares`` around their mean, its buckets (smallest first).
    ``alarmed``: it is told for its estimate only, the next value begins anew."""

    seen: float
    total: float
    squares: float
    alarmed: float
    totals: Doubles
    within: Doubles


State = scanning.State[Memory]
_EMPTY = np.empty(0)
_EMPTY.flags.writeable = False
_FRESH = Memory(0.0, 0.0, 0.0, 0.0, _EMPTY, _EMPTY)


def estimate(state: State) -> float | None:
    """The mean of the values that are held to be current; None before the first."""
    memory = state.memory
    return float(memory.total / memory.seen) if memory.seen else None


def _advance(settings: Settings, memory: Memory, chunk: Doubles) -> Advanced[Memory]:
    memory = _FRESH if memory.alarmed else memory
    seen, most = int(memory.seen), settings.max_buckets
    n = memory.seen + np.arange(1.0, len(chunk) + 1)
    total = running(memory.total, chunk)
    squares = running(memory.squares, _growth(memory, n, total, chunk))
    rows = buckets.unflattened(seen, most, memory.totals, memory.within)
    rows = buckets.grown(rows, seen, most, chunk)
    checked = np.flatnonzero((n % settings.clock == 0) & (n > settings.grace_period))
    if len(checked):
        window = n[checked].astype(np.int64), total[checked], squares[checked]
        found = first(np.any(_stands_out(settings, rows, *window), axis=1))
        if found >= 0:
            at = int(checked[found])
            return Advanced(_shrunk(settings, memory, chunk[: at + 1], total[at], squares[at]), at + 1, True)
    rows = buckets.standing(rows, seen + len(chunk), most)
    after = _memory(n[-1], total[-1], squares[-1], rows)
    return Advanced(after, len(chunk), False)


def _memory(seen: float, total: float, squares: float, rows: list[Row]) -> Memory:
    totals, within = (np.concatenate([row[i] for row in rows]) for i in (1, 2))
    return Memory(seen, total, squares, 0.0, totals, within)


def _growth(memory: Memory, n: Doubles, total: Doubles, chunk: Doubles) -> Doubles:
    """What each value adds to the squares around the mean."""
    before = np.concatenate(((memory.total,), total[:-1]))
    others = np.maximum(n - 1.0, 1.0)
    off = chunk - before / others
    return np.where(n > 1, (n - 1.0) * off * off / n, 0.0)


def _stands_out(
    settings: Settings, rows: list[Row], seen: NDArray[np.int64], total: Doubles, squares: Doubles
) -> NDArray[np.bool_]:
    """For each check and each border of buckets: do the means differ? [checks, slots]"""
    totals, sizes = buckets.oldest_first(rows, seen, settings.max_buckets)
    n0, u0 = np.add.accumulate(sizes, axis=1), np.add.accumulate(totals, axis=1)
    width = seen[:, None].astype(np.float64)
    n1 = width - n0
    u1 = np.subtract.accumulate(np.column_stack((total, totals)), axis=1)[:, 1:]
    return _differ(settings, n0, u0, n1, u1, squares[:, None] / width, width)


def _differ(
    settings: Settings, n0: Doubles, u0: Doubles, n1: Doubles, u1: Doubles, variance: Doubles, seen: Doubles
) -> NDArray[np.bool_]:
    least = settings.min_window_length
    asked = (n0 >= least) & (n1 >= least)
    n0, n1 = np.where(asked, n0, least), np.where(asked, n1, least)
    d = np.log(2 * np.log(seen) / settings.delta)
    m = 1.0 / (n0 - least + 1) + 1.0 / (n1 - least + 1)
    bound = np.sqrt(2 * m * variance * d) + 2 / 3 * d * m
    return np.asarray(asked & (np.abs(u0 / n0 - u1 / n1) > bound), dtype=np.bool_)


def _shrunk(settings: Settings, memory: Memory, values: Doubles, total: float, squares: float) -> Memory:
    """The window at an alarm without its oldest buckets, until no border stands out. One bucket at a time."""
    seen, most = int(memory.seen) + len(values), settings.max_buckets
    rows = buckets.unflattened(int(memory.seen), most, memory.totals, memory.within)
    rows = buckets.standing(buckets.grown(rows, int(memory.seen), most, values), seen, most)
    old = [(float(1 << r), t, q) for r in range(len(rows) - 1, -1, -1) for t, q in zip(*rows[r][1:], strict=True)]
    width = float(seen)
    while width > 0 and _any_border(settings, old, width, total, squares):
        size, bucket, within = old.pop(0)
        width -= size
        total -= bucket
        apart = bucket / size - total / width
        squares -= within + size * width * apart * apart / (size + width)
    return Memory(width, total, squares, 1.0, _EMPTY, _EMPTY)


def _any_border(
    settings: Settings, old: list[tuple[float, float, float]], width: float, total: float, squares: float
) -> bool:
    sizes, totals = (np.array([bucket[i] for bucket in old]) for i in (0, 1))
    n0, u0 = np.add.accumulate(sizes), np.add.accumulate(totals)
    u1 = np.subtract.accumulate(np.concatenate(((total,), totals)))[1:]
    return math.log(width) > 0 and bool(
        _differ(settings, n0, u0, width - n0, u1, np.asarray(squares / width), np.asarray(width)).any()
    )


start, scan, step, to_bytes, from_bytes = face(_VERSION, _FRESH, _advance)
