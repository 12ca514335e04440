"""The slow clock: the level of a channel may creep, and after an accepted change it starts from a provisional one.

    b ← b + d / τ     τ = clip(1600 · sd, 72, 336) hours: what is within the noise over days is followed, a jump shows
    provisional offset by place in the day: the mean deviation of an incident's last 48 hours, of weight 2, a running
    mean until its weight is 28 (four weeks); 1/weight of a pane's variance is added meanwhile. What the days of the
    week add to it: weekly.py

A level that has crept by .1 sd or 6 of its standard errors, whichever is more, from where it was last told is
``slow``: one standing notice, told again after four weeks. One offset a channel instead of one a place in the day
alarmed anew every 60 hours, because what shifts a stream shifts its season as well.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles
from driftloop.detectors.seasonal.season import Slots, replaced
from numpy.typing import NDArray

SLOW_SD = 0.1
SLOW_ERRORS = 6.0
TOLD_EVERY_HOURS = 672
SETTLED = 28.0
FROM_INCIDENT = 2.0
SURE = 1e9
"""Weight of an offset that was never provisional."""
NEVER = 10**9
TAU_FACTOR, TAU_HOURS = 1_600.0, (72.0, 336.0)
Facts = NDArray[np.bool_]


class Level(NamedTuple):
    """[M, G]: ``b``, ``anchor`` where b was last told. By place in the day: ``offset``, its ``weight``, and
    ``measured``: mean deviation in the last hours of an incident, of ``times`` [M, places] periods each. ``told``
    [M]: judged periods at the last notice."""

    b: Doubles
    anchor: Doubles
    offset: Slots
    weight: Slots
    measured: Slots
    times: Doubles
    told: NDArray[np.int64]


def level_of(monitors: int, channels: int, a_day: int) -> Level:
    """Where the reference left it."""
    zero = np.zeros((monitors, channels))
    slots = (zero,) * a_day
    return Level(
        zero, zero, slots, (zero + SURE,) * a_day, slots, np.zeros((monitors, a_day)), np.full(monitors, -NEVER)
    )


def creep(level: Level, d: Doubles, tau: Doubles, some: Facts) -> Level:
    """The level follows the deviation ``d``, where ``some`` [M, G]."""
    return level._replace(b=level.b + np.where(some, d, 0.0) / tau)


def notice(
    level: Level, unit: Doubles, error: Doubles, calm: Facts, now: NDArray[np.int64], again: int
) -> tuple[Level, Facts]:
    """(after, monitors [M] that have a slow notice to tell). ``unit``: sd per unit of y, ``error`` of the level."""
    far = np.abs(level.b - level.anchor) > np.maximum(SLOW_SD / unit, SLOW_ERRORS * error)
    far &= calm[:, None]
    crept = far.any(1)
    tell = crept & (now - level.told > again)
    anchor = np.where(far, level.b, level.anchor)
    return level._replace(anchor=anchor, told=np.where(crept, now, level.told)), tell


def settle(level: Level, place: int, d: Doubles, sure: Doubles, some: Facts) -> Level:
    """A provisional offset of this place in the day learns on until it is settled: the more, the surer it is, 0 to 1,
    that the deviation is the hour's and not the week's."""
    weight = level.weight[place]
    young = some & (weight < SETTLED)
    if not young.any():
        return level
    weight = np.where(young, weight + sure, weight)
    offset = level.offset[place] + np.where(young, sure * d, 0.0) / weight
    return level._replace(offset=replaced(level.offset, place, offset), weight=replaced(level.weight, place, weight))


def forget_measured(level: Level, opened: Facts) -> Level:
    """An incident has begun: nothing of its end is known."""
    return level._replace(times=np.where(opened[:, None], 0.0, level.times)) if opened.any() else level


def measure_end(level: Level, place: int, d: Doubles, some: Facts, most: float) -> Level:
    """Where ``some``, this period belongs to the end of an incident; the newest ``most`` periods of a place count."""
    own = np.asarray(some.any(1))
    if not own.any():
        return level
    times = level.times.copy()
    times[own, place] = np.minimum(times[own, place] + 1, most)
    before = np.where(times[:, [place]] == 1, 0.0, level.measured[place])
    mean = np.where(some, before + (d - before) / np.maximum(times[:, [place]], 1), before)
    kept = np.where(own[:, None], mean, level.measured[place])
    return level._replace(measured=replaced(level.measured, place, kept), times=times)


def anchor_anew(level: Level, hot: Facts) -> Level:
    """The shift of the channels ``hot`` [M, G] is the new normal, provisionally."""
    if not hot.any():
        return level
    known = level.times.T[:, :, None] > 0
    return level._replace(
        offset=tuple(
            one + np.where(hot & some, m, 0.0)
            for one, m, some in zip(level.offset, level.measured, known, strict=True)
        ),
        weight=tuple(np.where(hot, FROM_INCIDENT, one) for one in level.weight),
    )
