"""A batch through a detector that restarts after each alarm: what is taken in, in what chunks, and what is found.

A value that is no number, infinite, or beyond 1e100 in size is left out and counted: it is no measurement, and one
such value blinds river's ADWIN, PageHinkley and DDM for good (squares of what is kept stay finite). Positions are
those in the batch as it was given.

A detector looks at a whole chunk as if no alarm would come. If one comes, what lay behind it was looked at in vain
and is looked at again after the restart; so chunks are small after an alarm and double while all is quiet. What a
detector keeps must not depend on the cuts: running sums are carried on, never begun anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from driftloop.detectors.packing import Doubles
from driftloop.detectors.verdict import Verdict
from numpy.typing import ArrayLike, NDArray

Positions = NDArray[np.int64]
Memory = TypeVar("Memory")

LARGEST = 1e100
CHUNK_LEAST, CHUNK_MOST = 256, 16_384
NONE: Positions = np.empty(0, np.int64)
NONE.flags.writeable = False


class Found(NamedTuple):
    """Positions in the batch after whose value river's flag ``drift_detected`` or ``warning_detected`` stands."""

    alarms: Positions
    warnings: Positions


class State(NamedTuple, Generic[Memory]):
    """``memory``: what the detector knows since its last restart. ``left_out``: values that were no measurements."""

    memory: Memory
    left_out: int


class Advanced(NamedTuple, Generic[Memory]):
    """``taken`` values of a chunk, up to the first alarm; ``memory`` to go on with; ``warned`` positions therein."""

    memory: Memory
    taken: int
    alarmed: bool
    warned: Positions = NONE


def scan(
    advance: Callable[[Memory, Doubles], Advanced[Memory]],
    state: State[Memory],
    values: ArrayLike,
    beside: Doubles | None = None,
) -> tuple[State[Memory], Found]:
    """Take a batch in. With ``beside``, a number a value, chunks are [values, 2]. ValueError: no row of numbers."""
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1:
        raise ValueError(f"values of shape {given.shape}: one row of numbers is needed")
    places = np.flatnonzero(np.abs(given) <= LARGEST)  # not NaN
    kept = np.ascontiguousarray(given[places])
    kept = kept if beside is None else np.column_stack((kept, beside[places]))
    memory, at, size = state.memory, 0, CHUNK_MOST
    alarms: list[int] = []
    warned: list[Positions] = []
    while at < len(kept):
        found = advance(memory, kept[at : at + size])
        memory = found.memory
        if len(found.warned):
            warned.append(found.warned + at)
        at += found.taken
        if found.alarmed:
            alarms.append(at - 1)
        size = CHUNK_LEAST if found.alarmed else min(2 * size, CHUNK_MOST)
    told = Found(places[np.array(alarms, np.int64)], places[np.concatenate(warned)] if warned else NONE)
    return State(memory, state.left_out + len(given) - len(kept)), told


def verdict_of(found: Found) -> Verdict:
    """``statistic`` is the number of alarms in the batch, against a threshold of 1."""
    return Verdict(float(len(found.alarms)), 1.0, len(found.alarms) > 0)


def first(alarmed: NDArray[np.bool_]) -> int:
    """Position of the first alarm, or -1."""
    at = int(np.argmax(alarmed)) if len(alarmed) else 0
    return at if len(alarmed) and alarmed[at] else -1


def ended(alarmed: NDArray[np.bool_], warned: NDArray[np.bool_], fresh: Memory) -> Advanced[Memory] | None:
    """The chunk up to its first alarm, with a fresh memory; None if there is no alarm in it."""
    at = first(alarmed)
    return None if at < 0 else Advanced(fresh, at + 1, True, np.flatnonzero(warned[: at + 1]))


def running(carried: float, values: Doubles) -> Doubles:
    """carried + values[0], … one after the other: the same numbers wherever a batch is cut."""
    sums = np.concatenate(((carried,), values))
    return np.asarray(np.add.accumulate(sums)[1:], dtype=np.float64)


def last_where(happened: NDArray[np.bool_]) -> Positions:
    """For every position the last one up to it where something happened; -1 before the first."""
    return np.asarray(np.maximum.accumulate(np.where(happened, np.arange(len(happened)), -1)), dtype=np.int64)


def carried_to(places: Positions, values: Doubles, carried: float) -> Doubles:
    """``values`` at places, what was carried where there is none (-1)."""
    return np.where(places >= 0, values[places], carried)
