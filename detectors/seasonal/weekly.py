"""A new normal by place in the week: what two days have shown of it need not hold on the others.

    offset of a place = that of its hour (level.py) + B + S · x

What shifts a stream shifts each channel by an amount that depends on where it stood: a value's square by 2μδ + δ².
``x`` is how far a place stands, in the reference, from those that were measured. The slope S is taken from the hours
of the days that were measured, as far as they tell, and learned when the others come; B is what is left, learned hour
by hour of the week: a Kalman filter each, with the variances ``unsure`` and ``doubt``. So the first weekend may be
another one, the second is known. S goes no further than MOST standard deviations: a second shift stays to be seen.

An incident of a feature with a new normal that goes by itself was perhaps the week's shape. Half of what was ``seen``
is expected a week later: then x is what was seen, and S within ±1.

Where nothing was ever taken over there are no slots, and where the reference knows no unlike days x is 0: nothing is
added to anything, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles
from driftloop.detectors.seasonal.channels import Channels
from driftloop.detectors.seasonal.plan import Place
from driftloop.detectors.seasonal.season import Slots, replaced
from numpy.typing import NDArray

CURVE = 0.5
"""Sd of S per sd of shift: most would move alike everywhere, but for the bins at the ends."""
CURVES = {"spread": (1, 1.5), "skewness": (2, 2.0)}
"""So many channels before it are of a lower degree, and the sd of S per sd of their shift: of Hermite polynomials of
degree 2 and 3 one sd from the middle S is 1.4 and 2.4 times the shift of the mean."""
BESIDE = 0.3
"""Sd of B, of what x is expected to make at most."""
EXTRAPOLATED = 0.3
"""Sd of a slope that was taken from the hours, of itself: other days stand further off than the hours of a day."""
PIECES = 4
"""Parts of a day that are independent of each other: what the slope leaves of one hour it leaves of the next."""
AGAIN = 0.5
"""Of what was seen in a week is expected in the next, and the sd of that: all of it, or nothing."""
MOST = 2.0
Facts = NDArray[np.bool_]


class Weekly(NamedTuple):
    """By place in the week [M, G], () before anything was taken over: ``offset`` B, its ``doubt``, ``x``, the
    deviation ``seen`` there last. ``slope`` S, its variance ``unsure``, ``most`` of it, [M, G]."""

    offset: Slots
    doubt: Slots
    x: Slots
    seen: Slots
    slope: Doubles
    unsure: Doubles
    most: Doubles


class Share(NamedTuple):
    """At a place, [M, G]: ``offset`` B + S·x and its variance ``doubt``."""

    offset: Doubles
    doubt: Doubles


class Measured(NamedTuple):
    """What is taken over, [places in the day, M, G]: ``shift``, 0 where nothing is, ``known``; ``noise`` [M, G]:
    variance of a period; ``places`` of the week."""

    shift: Doubles
    known: Facts
    noise: Doubles
    places: Sequence[Place]


def nothing(monitors: int, channels: int) -> Weekly:
    """Nothing was ever taken over."""
    zero = np.zeros((monitors, channels))
    return Weekly((), (), (), (), zero, zero, zero)


def at(weekly: Weekly, place: Place) -> Share:
    if not weekly.offset:
        return Share(weekly.slope, weekly.unsure)
    x = weekly.x[place.of_week]
    return Share(weekly.offset[place.of_week] + weekly.slope * x, weekly.doubt[place.of_week] + x * x * weekly.unsure)


def learn(weekly: Weekly, place: Place, i: Doubles, noise: Doubles, doubt: Doubles, some: Facts) -> Weekly:
    """What was left of a deviation, ``i`` of variance ``noise`` + ``doubt``, into slope and offset."""
    if not weekly.offset:
        return weekly
    of_slope, of_place, x = weekly.unsure, weekly.doubt[place.of_week], weekly.x[place.of_week]
    gain = np.where(some, 1 / (noise + doubt), 0.0)
    slope = np.clip(weekly.slope + of_slope * x * gain * i, -weekly.most, weekly.most)
    return weekly._replace(
        offset=replaced(weekly.offset, place.of_week, weekly.offset[place.of_week] + of_place * gain * i),
        doubt=replaced(weekly.doubt, place.of_week, of_place * (1 - of_place * gain)),
        slope=slope,
        unsure=of_slope * (1 - of_slope * x * x * gain),
    )


def see(weekly: Weekly, place: Place, d: Doubles, taken_over: Facts, a_week: int) -> Weekly:
    """What the channels that have a new normal showed here."""
    if not taken_over.any():
        return weekly
    weekly = _with_slots(weekly, a_week)
    seen = np.where(taken_over, d, weekly.seen[place.of_week])
    return weekly._replace(seen=replaced(weekly.seen, place.of_week, seen))


def expect_again(weekly: Weekly, gone: Facts, noise: Doubles) -> Weekly:
    """An incident of the channels ``gone`` [M, G] has gone by itself: the week that was seen may come again.
    ``noise``: variance of what was seen."""
    if not weekly.offset or not gone.any():
        return weekly
    seen, half = np.stack(weekly.seen), np.full_like(weekly.slope, AGAIN)
    again = gone & seen.any(0)
    found = _anew(weekly, again, seen, half, half**2)
    doubt = np.stack(found.doubt)
    more = np.where(seen != 0, np.maximum(doubt, (BESIDE * seen) ** 2 + noise), doubt)
    left = np.where(again, seen * (1 - AGAIN), seen)  # the rest is offset now: no second incident may add it again
    return found._replace(doubt=tuple(np.where(again, more, doubt)), seen=tuple(left))


def expect_curved(weekly: Weekly, channels: Channels, normal: Doubles, measured: Measured, floor: Doubles) -> Weekly:
    """Something was taken over: other days stand elsewhere. ``normal`` [S, M, G] was expected by place in the week;
    ``floor`` [G]: less is nothing."""
    weekly = _with_slots(weekly, len(normal))
    unit, a_day = channels.shift_unit, len(measured.shift)
    of_hour = np.zeros((a_day, *normal.shape[1:]))
    for h in range(a_day):
        here = [normal[p.of_week] for p in measured.places if p.of_day == h]
        of_hour[h] = sum(here) / len(here) if here else np.nan
    gap = np.nan_to_num(normal - np.tile(of_hour, (7, 1, 1))) * unit
    own, largest = _main(channels, gap), _of_feature(channels, gap)
    shift = np.sqrt((measured.shift**2).sum(0) / np.maximum(measured.known.sum(0), 1)) * unit
    size = np.maximum(CURVE * _of_feature(channels, shift), _curved(channels, shift)) / unit
    x = np.where(size * largest > floor, np.take_along_axis(gap, own[None], -1), 0.0)
    slope, unsure = _slope(np.take_along_axis(of_hour * unit, own[None], -1), measured, size)
    touched = (x != 0).any(0)
    found = _anew(weekly, touched, x, slope, unsure)
    taken = (measured.shift != 0).any(0)
    found = found._replace(seen=tuple(np.where(taken, 0.0, one) for one in found.seen))
    more = (BESIDE * np.where(x != 0, size * largest, 0.0)) ** 2
    return found._replace(doubt=tuple(np.stack(found.doubt) + more))


def _curved(channels: Channels, shift: Doubles) -> Doubles:
    """What a polynomial's shift may differ by, per sd of gap: by the shifts of those of lower degree."""
    found = np.zeros_like(shift)
    for g, name in enumerate(channels.names):
        degree, curve = CURVES.get(name, (0, 0.0))
        found[:, g] = curve * shift[:, g - degree : g].max(1) if degree else 0.0
    return found


def _slope(level: Doubles, measured: Measured, size: Doubles) -> tuple[Doubles, Doubles]:
    """(S, its variance) from the hours that were measured, where they stood at ``level``: least squares, drawn to 0
    by what S may be. What the line leaves is its noise, and only PIECES of a day are independent."""
    some = measured.known & np.isfinite(level)
    k = np.maximum(some.sum(0), 1)
    x = np.where(some, level - np.where(some, level, 0.0).sum(0) / k, 0.0)
    y = np.where(some, measured.shift - np.where(some, measured.shift, 0.0).sum(0) / k, 0.0)
    xx, xy = (x * x).sum(0), (x * y).sum(0)
    left = ((y - x * xy / np.maximum(xx, 1e-12)) ** 2).sum(0) / k
    noise = np.maximum(left, measured.noise / 2) * np.maximum(1.0, k / PIECES)
    told = xx + noise / np.maximum(size, 1e-12) ** 2
    slope = xy / told
    return slope, noise / told + (EXTRAPOLATED * slope) ** 2


def _anew(weekly: Weekly, where: Facts, x: Doubles, slope: Doubles, unsure: Doubles) -> Weekly:
    """Another x: what the slope had made of the one before, and is expected to make of this one, is offset."""
    before = np.stack(weekly.offset)
    offset = np.where(where, before + weekly.slope * np.stack(weekly.x) + slope * x, before)
    return weekly._replace(
        offset=tuple(offset),
        x=tuple(np.where(where, x, np.stack(weekly.x))),
        slope=np.where(where, 0.0, weekly.slope),
        unsure=np.where(where, unsure, weekly.unsure),
        most=np.where(where, MOST * np.sqrt(unsure), weekly.most),
    )


def _main(channels: Channels, gap: Doubles) -> NDArray[np.int64]:
    """Of each channel's feature the channel in which its places differ most, [M, G]."""
    size = (gap * gap).sum(0)
    ends = [*channels.channel_first, size.shape[1]]
    return np.concatenate(
        [np.repeat(a + size[:, a:b].argmax(1)[:, None], b - a, axis=1) for a, b in pairwise(ends)], axis=1
    )


def _of_feature(channels: Channels, values: Doubles) -> Doubles:
    """The largest of the channels of each one's feature."""
    largest = np.maximum.reduceat(np.abs(values), channels.channel_first, axis=-1)
    return np.asarray(largest[..., channels.feature])


def _with_slots(weekly: Weekly, a_week: int) -> Weekly:
    if weekly.offset:
        return weekly
    zero = (0 * weekly.slope,) * a_week
    return weekly._replace(offset=zero, doubt=zero, x=zero, seen=zero)
