"""Baseline and state as bytes and back: the same state, the same bytes; a cut anywhere changes nothing.

A structure is its arrays in the order of its fields: a record within a record in place, a tuple of slots as one array
with the slots first. Only the shapes travel, so a layout is a version (``packing``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles, pack, unpack
from driftloop.detectors.seasonal.baseline import Baseline
from driftloop.detectors.seasonal.channels import Weights
from driftloop.detectors.seasonal.core import Live
from driftloop.detectors.seasonal.incidents import Incidents
from driftloop.detectors.seasonal.keeper import Keeper
from driftloop.detectors.seasonal.level import Level
from driftloop.detectors.seasonal.noise import Filter, Wander
from driftloop.detectors.seasonal.season import Season, Shape
from numpy.typing import NDArray

VERSION = 1


class State(NamedTuple):
    """One monitor. ``gathering`` [bins]: the period that is not over yet, ``period`` its number, -1: none;
    ``late``: panes that came after their period had been judged."""

    live: Live
    gathering: NDArray[np.int64]
    period: int
    late: int


def to_bytes(state: State) -> bytes:
    """35 kB for 20 features on hours with a daily season, most of it the means by hour of week."""
    return pack(VERSION, *_arrays(state))


def from_bytes(data: bytes) -> State:
    """ValueError: cut, or of another version."""
    found = iter(unpack(data, VERSION))
    live = Live(
        _season(found),
        _level(found),
        Filter(*_take(found, 2)),
        next(found),
        Keeper(*_take(found, 2)),
        Incidents(_ints(found), _ints(found), _ints(found), _ints(found)),
        next(found).astype(np.bool_),
        next(found),
        int(next(found)),
    )
    return State(live, _ints(found), int(next(found)), int(next(found)))


def baseline_to_bytes(baseline: Baseline) -> bytes:
    return pack(VERSION, *_arrays(baseline))


def baseline_from_bytes(data: bytes) -> Baseline:
    """ValueError: cut, or of another version."""
    found = iter(unpack(data, VERSION))
    return Baseline(
        int(next(found)),
        float(next(found)),
        int(next(found)),
        Weights(*_take(found, 2)),
        Shape(*_take(found, 2)),
        _season(found),
        Wander(*_take(found, 2)),
        *_take(found, 5),
    )


def _arrays(structure: Any) -> Iterator[Any]:
    for part in structure:
        if isinstance(part, tuple) and hasattr(part, "_fields"):
            yield from _arrays(part)
        elif isinstance(part, tuple):
            yield np.stack(part)
        else:
            yield part


def _season(found: Iterator[Doubles]) -> Season:
    return Season(next(found), _slots(found), _slots(found), _slots(found), next(found))


def _level(found: Iterator[Doubles]) -> Level:
    b, anchor = _take(found, 2)
    return Level(b, anchor, _slots(found), _slots(found), _slots(found), next(found), _ints(found))


def _slots(found: Iterator[Doubles]) -> tuple[Doubles, ...]:
    return tuple(next(found))


def _take(found: Iterator[Doubles], arrays: int) -> list[Doubles]:
    return [next(found) for _ in range(arrays)]


def _ints(found: Iterator[Doubles]) -> NDArray[np.int64]:
    return next(found).astype(np.int64)
