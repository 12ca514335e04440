"""The five functions of a detector that watches single values, made from one: how it takes a chunk in (scanning.py).

    start, scan, step, to_bytes, from_bytes = face(version, memory, advance)

A memory is a NamedTuple of numbers, arrays and further such tuples; on the wire it is their numbers and arrays, in
order, then what was left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar, cast

import numpy as np
from driftloop.detectors import scanning
from driftloop.detectors.packing import Doubles, pack, unpack
from driftloop.detectors.scanning import Advanced, Found, Memory, State
from driftloop.detectors.verdict import Verdict
from numpy.typing import ArrayLike

Settings = TypeVar("Settings")


class Face(NamedTuple, Generic[Settings, Memory]):
    """``start(settings)``: nothing seen. ``scan(settings, state, values)``: take a batch in, told at which values it
    alarms. ``step``: the same, of which only the number of alarms is told. ``to_bytes(state)``, and
    ``from_bytes(data)`` with ValueError where they are bytes of something else."""

    start: Callable[[Settings], State[Memory]]
    scan: Callable[[Settings, State[Memory], ArrayLike], tuple[State[Memory], Found]]
    step: Callable[[Settings, State[Memory], ArrayLike], tuple[State[Memory], Verdict]]
    to_bytes: Callable[[State[Memory]], bytes]
    from_bytes: Callable[[bytes], State[Memory]]


def face(
    version: int,
    memory: Memory,
    advance: Callable[[Settings, Memory, Doubles], Advanced[Memory]],
    fresh: Callable[[Settings], Memory] | None = None,
) -> Face[Settings, Memory]:
    """``version`` of the bytes. ``memory``: of a detector that has seen nothing, where that depends on its settings
    only in kind, and ``fresh`` makes it."""

    def start(settings: Settings) -> State[Memory]:
        return State(memory if fresh is None else fresh(settings), 0)

    def scan(settings: Settings, state: State[Memory], values: ArrayLike) -> tuple[State[Memory], Found]:
        return scanning.scan(partial(advance, settings), state, values)

    def step(settings: Settings, state: State[Memory], values: ArrayLike) -> tuple[State[Memory], Verdict]:
        state, found = scan(settings, state, values)
        return state, scanning.verdict_of(found)

    return Face(start, scan, step, partial(to_bytes, version), partial(from_bytes, version, memory))


def to_bytes(version: int, state: State[Any]) -> bytes:
    """Every number and array of the memory, then what was left out."""
    return pack(version, *_parts(state.memory), float(state.left_out))


def from_bytes(version: int, memory: Memory, data: bytes) -> State[Memory]:
    """Back from ``to_bytes``; ``memory``: one of the same kind. ValueError: it is a state of something else."""
    *parts, left_out = unpack(data, version)
    kinds = list(_parts(memory))
    if [part.ndim for part in parts] != [np.ndim(kind) for kind in kinds] or left_out.ndim:
        raise ValueError(f"a state of {len(parts)} parts, {len(kinds)} others are needed")
    return State(cast(Memory, _filled(memory, iter(parts))), int(left_out))


def _parts(memory: Any) -> Iterator[Any]:
    for part in memory:
        if isinstance(part, tuple):
            yield from _parts(part)
        else:
            yield part


def _filled(memory: Any, parts: Iterator[Doubles]) -> Any:
    """A memory of this kind, out of the next parts."""
    found = (
        _filled(part, parts) if isinstance(part, tuple) else (next(parts) if np.ndim(part) else float(next(parts)))
        for part in memory
    )
    return type(memory)(*found)
