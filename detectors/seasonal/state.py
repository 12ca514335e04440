"""Baseline and state as bytes and back: the same state, the same bytes; a cut anywhere changes nothing.

``to_bytes`` is one value. ``to_records`` is the same state in many, by what a period changes: of 120 channels on
hours three records, 24 kB of 295, one alone while the evidence is high. So a state log need not write all of it at
every checkpoint, and no record outgrows a topic (1,200 channels: 2.9 MB in all, 167 kB the largest).

Where nothing was ever taken over the bytes are those of version 1. Afterwards ``now`` is of version 2, and what is
known by place in the week (weekly.py) stands in each record of the week, of the channels that have something there.
Either is read; a judge that knows version 1 only refuses the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from driftloop.detectors.seasonal.season import Season, Shape, Slots
from driftloop.detectors.seasonal.weekly import Weekly, nothing
from numpy.typing import NDArray

VERSION, TAKEN_OVER = 1, 2
_SLOTS = ("offset", "doubt", "x", "seen")


class State(NamedTuple):
    """One monitor. ``gathering`` [bins]: the period that is not over yet, ``period`` its number, -1: none;
    ``late``: panes that came after their period had been judged."""

    live: Live
    gathering: NDArray[np.int64]
    period: int
    late: int


def to_bytes(state: State) -> bytes:
    """295 kB for 120 channels on hours."""
    week = [np.stack(plane) for plane in zip(*_week(state.live), strict=True)]
    return pack(_version(state), *_now(state), np.array(_of_day(state.live)), *week)


def from_bytes(data: bytes) -> State:
    """ValueError: cut, or of another version."""
    version = _written(data)
    found, planes = unpack(data, version), 1 + len(_SLOTS) * (version == TAKEN_OVER)
    *now, of_day = found[:-planes]
    return _state(now, of_day, np.stack(found[-planes:], axis=1))


def to_records(state: State) -> dict[str, bytes]:
    """``now``, and a record for each place in the day and in the week."""
    found = {"now": pack(_version(state), *_now(state))}
    found |= {f"day/{i:02}": pack(VERSION, np.stack(one)) for i, one in enumerate(_of_day(state.live))}
    return found | {f"week/{i:03}": pack(VERSION, *_sparse(one)) for i, one in enumerate(_week(state.live))}


def from_records(records: Mapping[str, bytes]) -> State:
    """ValueError: one is cut, or of another version; KeyError: one is missing."""
    names, now = sorted(records), records["now"]
    of_day = [unpack(records[name], VERSION)[0] for name in names if name.startswith("day/")]
    week = [_dense(unpack(records[name], VERSION)) for name in names if name.startswith("week/")]
    return _state(unpack(now, _written(now)), np.stack(of_day), np.stack(week))


def _version(state: State) -> int:
    return TAKEN_OVER if state.live.weekly.offset else VERSION


def _written(data: bytes) -> int:
    return TAKEN_OVER if data[:1] == bytes([TAKEN_OVER]) else VERSION


def _now(state: State) -> list[Any]:
    """What every period changes."""
    season, level, weekly, filtered, r, keeper, incidents, hot, recent, period = state.live
    slow = (season.all, season.spread[-1], season.weeks, level.b, level.anchor, level.times, level.told)
    slopes = (weekly.slope, weekly.unsure, weekly.most) if weekly.offset else ()
    return [*slow, *filtered, r, *keeper, *incidents, hot, recent, period, *state[1:], *slopes]


def _of_day(live: Live) -> list[tuple[Doubles, ...]]:
    """By place in the day: mean, spread, provisional offset, its weight, what was measured."""
    season, level = live.season, live.level
    columns = (season.day, season.spread[:-1], level.offset, level.weight, level.measured)
    return list(zip(*columns, strict=True))


def _week(live: Live) -> list[tuple[Doubles, ...]]:
    """By place in the week: mean; where something was taken over, what is known of it there."""
    slots = [getattr(live.weekly, name) for name in _SLOTS] if live.weekly.offset else []
    return list(zip(live.season.week, *slots, strict=True))


def _sparse(week: Sequence[Doubles]) -> list[Doubles]:
    """Mean; if there is more: which channels have some, and theirs."""
    mean, *slots = week
    if not slots:
        return [mean]
    own = np.flatnonzero(np.any(slots, axis=(0, 1)))
    return [mean, own.astype(np.float64), np.stack(slots)[..., own]]


def _dense(record: Sequence[Doubles]) -> Doubles:
    """[1 or 1 + slots, M, G]."""
    if len(record) == 1:
        return record[0][None]
    mean, own, slots = record
    found = np.zeros((1 + len(_SLOTS), *mean.shape))
    found[0], found[1:, :, _ints(own)] = mean, slots
    return found


def _state(now: Sequence[Doubles], of_day: Doubles, week: Doubles) -> State:
    mean, spread, offset, weight, measured = (tuple(column) for column in np.moveaxis(of_day, 1, 0).copy())
    of_week, *slots = (tuple(column) for column in np.moveaxis(week, 1, 0).copy())
    whole, of_all, weeks, b, anchor, times, told, x, p, r, c, k, *rest = now
    state, judged, opened, alarmed, hot, recent, period, gathering, gathered, late, *slopes = rest
    if bool(slots) != bool(slopes):
        raise ValueError("the records are of different states")
    live = Live(
        Season(whole, mean, of_week, (*spread, of_all), weeks),
        Level(b, anchor, offset, weight, measured, times, _ints(told)),
        _weekly(slots, slopes) if slots else nothing(*b.shape),
        Filter(x, p),
        r,
        Keeper(c, k),
        Incidents(_ints(state), _ints(judged), _ints(opened), _ints(alarmed)),
        hot.astype(np.bool_),
        recent,
        int(period),
    )
    return State(live, _ints(gathering), int(gathered), int(late))


def _weekly(slots: Sequence[Slots], slopes: Sequence[Doubles]) -> Weekly:
    offset, doubt, x, seen = slots
    slope, unsure, most = slopes
    return Weekly(offset, doubt, x, seen, slope, unsure, most)


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


def _slots(found: Iterator[Doubles]) -> tuple[Doubles, ...]:
    return tuple(next(found))


def _take(found: Iterator[Doubles], arrays: int) -> list[Doubles]:
    return [next(found) for _ in range(arrays)]


def _ints(array: Doubles) -> NDArray[np.int64]:
    return array.astype(np.int64)
