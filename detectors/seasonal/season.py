"""What a channel is expected to be at this hour of this weekday, from as much of the week's shape as is clear.

    e = all + α_day · (hour of day - all) + α_week[weekday] · (hour of week - hour of day)
    α = max(0, 1 - 1.3 · noise / (m · between))

m weeks of means, ``noise`` the variance of one of them about its own slot, ``between`` the variance among slots: only
a shape that stands out of the noise counts (1.3: James and Stein's rule with a margin, so that a flat stream keeps
its one mean). The means go on being learned while all is well, over 26 weeks at most; the α stay the reference's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles
from driftloop.detectors.seasonal.plan import Place
from numpy.typing import NDArray

MARGIN = 1.3
WEEKS_MOST = 26.0
"""Memory of a slot, weeks: half a year, so that last year's habits do not stand in the way."""
Slots = tuple[Doubles, ...]
"""One array [M, G] a slot. A step replaces one of them, the others are shared with the state before."""


class Shape(NamedTuple):
    """α of the day [M, G] and of each weekday [7, M, G]."""

    day: Doubles
    week: Doubles


class Season(NamedTuple):
    """Means [M, G]: ``all``, ``day`` by place in the day, ``week`` by place in the week; ``spread`` of one row by
    place in the day, the last one over the whole day. ``weeks`` [M, slots of a week]: so many stand behind each."""

    all: Doubles
    day: Slots
    week: Slots
    spread: Slots
    weeks: Doubles


def expected(shape: Shape, season: Season, place: Place) -> Doubles:
    """e of every channel, [M, G]."""
    day = season.day[place.of_day]
    week = shape.week[place.weekday] * (season.week[place.of_week] - day)
    return np.asarray(season.all + shape.day * (day - season.all) + week)


def widening(shape: Shape, weeks: Doubles, place: Place, a_day: int) -> Doubles:
    """The prediction's own variance, as a share of a pane's: how few means stand behind it. ``weeks`` [M, 1]."""
    week, day = shape.week[place.weekday] ** 2, shape.day**2
    of_day = np.maximum(day - week, 0.0) / 7
    return np.asarray((week + of_day + (1 - day) / (7 * a_day)) / weeks)


def learn(season: Season, place: Place, y: Doubles, spread: Doubles, some: NDArray[np.bool_]) -> Season:
    """One period's values into the means of its slots, where ``some`` [M, G]."""
    weeks = season.weeks.copy()
    weeks[:, place.of_week] = np.where(
        some.any(1), np.minimum(weeks[:, place.of_week] + 1, WEEKS_MOST), weeks[:, place.of_week]
    )
    once = some / weeks[:, [place.of_week]]

    def towards(mean: Doubles, value: Doubles, panes_a_week: int) -> Doubles:
        return np.asarray(mean + once * ((value - mean) / panes_a_week))

    day, week = season.day[place.of_day], season.week[place.of_week]
    of_day = towards(season.spread[place.of_day], spread, 7)
    whole = towards(season.spread[-1], spread, len(season.week))
    return Season(
        towards(season.all, y, len(season.week)),
        replaced(season.day, place.of_day, towards(day, y, 7)),
        replaced(season.week, place.of_week, towards(week, y, 1)),
        (*replaced(season.spread[:-1], place.of_day, of_day), whole),
        weeks,
    )


def replaced(slots: Slots, i: int, value: Doubles) -> Slots:
    """The same with another array in slot i."""
    return (*slots[:i], value, *slots[i + 1 :])


def spread_of(shape: Shape, season: Season, place: Place) -> Doubles:
    """Variance of one row at this place in the day, [M, G], as far as the day's shape is clear."""
    whole = season.spread[-1]
    return np.asarray(whole + shape.day * (season.spread[place.of_day] - whole))
