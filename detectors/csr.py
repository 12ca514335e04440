"""Has the distribution of a value changed, in any way? Conformal Shiryaev–Roberts, stepped once a value.

    p = (values so far that are larger + u * those that are equal, itself included) / values so far
    z = normal quantile of 1 - p      R_b <- (R_b + 1) * f_b(z)      alarm: weighted mean of R_b >= A
    bets f of mean 1: exp(d z - d**2 / 2) for a shift d, exp(z**2 (1 - 1 / s**2) / 2) / s for a spread s

If values are exchangeable, every p is uniform and independent of those before it, whatever the distribution: the
expected number of values to an alarm is **at least A, exactly**, without a model (Vovk et al., arXiv:2102.10439).
Values may be bits, counts, losses, scores: only ranks count. u breaks ties: a hash of ``seed`` and the value's
position (``positions``: partition and offset in one number; by default its number among those taken in), so a replay
agrees.

To remember all values in bounded memory they are counted in bins, and a rank is drawn within its bin as among ties.
Any bins are right that do not look at what they count: the first ``reference`` values are the edges (an edge is a bin
of its own, so that discrete values keep their ties; beyond the ends edges go on in growing steps), and are not
counted. Against exact ranks this costs no more than two values of delay.

Not in the bound: values that depend on each other. AR(1) of rho .5 gives 12 false alarms in 10,000: there take
window_csr.py over windows much longer than the memory. NaN and infinities are left out and counted; a constant stream
never alarms. After an alarm it starts anew, the next ``reference`` values being the new normal. State: 11 kB.
Measured at A = 50,000: docs/detectors.md.

>>> rng = np.random.default_rng(1)
>>> settings = Settings()
>>> state, found = scan(settings, start(settings), np.append(rng.normal(0, 1, 3000), rng.normal(1, 1, 200)))
>>> found.alarms.tolist()
[3023]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from driftloop.detectors import anchored, face, scanning
from driftloop.detectors.anchored import FACTOR_LEAST, Evidence
from driftloop.detectors.packing import Doubles
from driftloop.detectors.scanning import Advanced, Found, first
from driftloop.detectors.verdict import Verdict
from numpy.typing import ArrayLike, NDArray

BOUND = "average run length >= threshold values, exact if values are exchangeable"
SHIFTS = (-1.0, -0.3, 0.3, 1.0)
SPREADS = (2.0, 1.5, 0.6)
WEIGHTS = (1 / 18, 6 / 18, 6 / 18, 1 / 18, 2 / 18, 1 / 18, 1 / 18)
"""Small shifts are the slow ones: a weight is worth most there. (Chosen on seeds of its own: docs/detectors.md.)"""
_BEYOND = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2])
"""Edges beyond the ends, in distances from the median to the end."""
_AT_ONCE = 128
_EARLIER = np.ascontiguousarray(np.tri(_AT_ONCE, dtype=np.bool_).T)
_LEAST_P = 1e-16
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """``threshold``: A, values. ``reference``: how many values give the edges. ``seed``: for the ties."""

    threshold: float = 50_000.0
    reference: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.threshold >= 1:
            raise ValueError(f"threshold is {self.threshold}, not at least 1 value")
        if self.reference < 2:
            raise ValueError(f"reference is {self.reference}, not at least 2 values")
        if not 0 <= self.seed < 1 << 64:
            raise ValueError(f"seed is {self.seed}, not a number of 64 bits")


class Memory(NamedTuple):
    """``learnt``: the first values while the edges are not known, then empty; ``counts`` of what followed: bin 2k + 1
    is the edge k itself, bin 2k what lies below it. ``seen`` values in the whole life."""

    seen: float
    learnt: Doubles
    edges: Doubles
    counts: Doubles
    evidence: Evidence


State = scanning.State[Memory]


def start(_: Settings) -> State:
    """Nothing seen."""
    return State(_fresh(0.0), 0)


def scan(
    settings: Settings, state: State, values: ArrayLike, positions: NDArray[np.uint64] | None = None
) -> tuple[State, Found]:
    """Take a batch in. ``positions``: what stands for each value in the choice of its u."""
    row = np.asarray(values, dtype=np.float64)
    if positions is None:
        numbers = np.add.accumulate(np.abs(row) <= scanning.LARGEST) if row.size else np.empty(0)
        positions = (state.memory.seen + numbers).astype(np.uint64)
    return scanning.scan(partial(_advance, settings), state, row, uniforms_of(settings.seed, positions))


def step(settings: Settings, state: State, values: ArrayLike) -> tuple[State, Verdict]:
    """``scan``, of which only the number of alarms is told."""
    state, found = scan(settings, state, values)
    return state, scanning.verdict_of(found)


def uniforms_of(seed: int, positions: NDArray[np.uint64]) -> Doubles:
    """A number in (0, 1) for each position, which seed and position alone decide (SplitMix64).

    >>> uniforms_of(7, np.array([1, 2, 1], np.uint64)).round(3).tolist()
    [0.017, 0.901, 0.017]
    """
    z = (positions.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    z ^= z >> np.uint64(31)
    return np.asarray(((z >> np.uint64(11)).astype(np.float64) + 0.5) / 9007199254740992.0, dtype=np.float64)


def to_bytes(state: State) -> bytes:
    return face.to_bytes(_VERSION, state)


def from_bytes(data: bytes) -> State:
    return face.from_bytes(_VERSION, _fresh(0.0), data)


def _fresh(seen: float) -> Memory:
    nothing = np.empty(0)
    return Memory(seen, nothing, nothing, nothing, anchored.none(len(WEIGHTS)))


def _advance(settings: Settings, memory: Memory, chunk: Doubles) -> Advanced[Memory]:
    if not len(memory.edges):
        return _learn(settings, memory, chunk[:, 0])
    p, counts = _ranked(memory, chunk)
    evidence, statistics = anchored.climb(memory.evidence, p, factors_of, WEIGHTS)
    at = first(statistics >= settings.threshold)
    if at >= 0:
        return Advanced(_fresh(memory.seen + at + 1), at + 1, True)
    after = memory._replace(seen=memory.seen + len(chunk), counts=counts, evidence=evidence)
    return Advanced(after, len(chunk), False)


def _learn(settings: Settings, memory: Memory, values: Doubles) -> Advanced[Memory]:
    taken = values[: settings.reference - len(memory.learnt)]
    learnt = np.concatenate((memory.learnt, taken))
    after = memory._replace(seen=memory.seen + len(taken), learnt=learnt)
    if len(learnt) == settings.reference:
        edges = _edges(learnt)
        after = after._replace(learnt=np.empty(0), edges=edges, counts=np.zeros(2 * len(edges) + 1))
    return Advanced(after, len(taken), False)


def _edges(learnt: Doubles) -> Doubles:
    inner, middle = np.unique(learnt), float(np.median(learnt))
    below, above = (middle + (end - middle) * (1 + _BEYOND) for end in (inner[0], inner[-1]))
    return np.unique(np.concatenate((below, inner, above)))


def _ranked(memory: Memory, chunk: Doubles) -> tuple[Doubles, Doubles]:
    """The p-value of every value [value, u] of a chunk, and the counts after it. Some at once are ranked among each
    other by comparing all pairs."""
    values, uniforms = chunk[:, 0], chunk[:, 1]
    codes = np.searchsorted(memory.edges, values, "left") + np.searchsorted(memory.edges, values, "right")
    counts, found = memory.counts.copy(), []
    for at in range(0, len(codes), _AT_ONCE):
        some = codes[at : at + _AT_ONCE]
        among = counts.sum() + np.arange(1, len(some) + 1)
        above = counts[::-1].cumsum()[::-1]
        short = some.astype(np.int16) if len(counts) < 1 << 15 else some
        earlier = _EARLIER[: len(some), : len(some)]
        larger = above[some] - counts[some] + _count((short[:, None] > short) & earlier)
        equal = counts[some] + _count((short[:, None] == short) & earlier)
        found.append((larger + uniforms[at : at + _AT_ONCE] * equal) / among)
        counts += np.bincount(some, minlength=len(counts))
    return np.concatenate(found), counts


def _count(pairs: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Of each column; never more than ``_AT_ONCE``."""
    return np.asarray(np.add.reduce(pairs.view(np.uint8), axis=0, dtype=np.uint8), dtype=np.uint8)


def factors_of(p: Doubles) -> Doubles:
    """What each bet [bets, values] is worth at these p-values, 1 % of it not bet."""
    from scipy.special import ndtri

    z = -ndtri(np.clip(p, _LEAST_P, 1 - _LEAST_P))
    shifts = [np.exp(d * z - d * d / 2) for d in SHIFTS]
    spreads = [np.exp(z * z * (1 - 1 / s**2) / 2) / s for s in SPREADS]
    return np.asarray((1 - FACTOR_LEAST) * np.stack(shifts + spreads) + FACTOR_LEAST, dtype=np.float64)
