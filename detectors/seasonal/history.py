"""Reference panes as a regular series of periods, or why nothing can be learned from them.

The period is the shortest whose median holds ``ROWS_LEAST`` rows: three predictions an hour say nothing, a day
of them does. Holes in the series are periods without rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles
from driftloop.detectors.seasonal.baseline import Unknown
from driftloop.detectors.seasonal.plan import Clock, Place, Settings, bins_of
from numpy.typing import NDArray

ROWS_LEAST = 20.0
WEEKS_LEAST = 2
PERIODS_LEAST = 28
"""Below it the noise of a period is a guess: two weeks of hours are plenty, of days they are not."""
TURNS_OFF_MOST = 2
"""Days that a calendar may have more or fewer than the clock: it begins within one, and clocks are changed."""
HOLES_MOST = 0.5
"""Of the periods; more than that is no history of the stream."""


class Pane(NamedTuple):
    """``start``: seconds since the epoch, event time. ``counts``: all histograms, one after the other."""

    start: float
    counts: NDArray[np.int64]


class History(NamedTuple):
    """T periods from ``first`` on: ``counts`` [T, bins], ``places``, ``day`` [T] since the first, ``week`` [T]."""

    clock: Clock
    first: int
    counts: Doubles
    places: tuple[Place, ...]
    day: NDArray[np.int64]
    week: NDArray[np.int64]


def history_of(settings: Settings, panes: Sequence[Pane]) -> History | Unknown:
    """The panes in the shortest period that has enough rows."""
    panes = [pane for pane in panes if np.any(pane.counts)]
    if not panes:
        return Unknown("the reference has no rows", "build it from a range that has some")
    wrong = {len(pane.counts) for pane in panes} - {bins_of(settings.histograms)}
    if wrong:
        raise ValueError(f"panes have {wrong} counts, {bins_of(settings.histograms)} are needed")
    if not all(np.isfinite(pane.start) and (np.asarray(pane.counts) >= 0).all() for pane in panes):
        raise ValueError(
            "a pane of the reference has no time, or counts that are none: numbers of at least 0 are needed"
        )
    for hours in settings.periods_hours:
        clock = Clock(hours, settings.budget_seconds, settings.offset_seconds)
        found = _series(settings, clock, panes)
        rows = found.counts[:, : settings.histograms[0].bins].sum(1)
        if (typical := float(np.median(rows[rows > 0]))) >= ROWS_LEAST:
            return _long_enough(found)
    return Unknown(
        f"a day of the reference has {typical:.0f} rows (median), {ROWS_LEAST:.0f} are needed",
        "watch this stream with a longer reference and the conformal test of windows",
    )


def _long_enough(found: History) -> History | Unknown:
    clock, some = found.clock, int(found.counts.any(1).sum())
    days = round(len(found.counts) / clock.a_day)
    unit = "hours" if clock.hours == 1 else "days" if clock.hours == 24 else f"periods of {clock.hours} hours"
    if days < 7 * WEEKS_LEAST:
        return Unknown(
            f"the reference covers {days} days; a weekly season needs {7 * WEEKS_LEAST}",
            "build it from a longer range, or wait: it can be built again from the panes",
        )
    if some < PERIODS_LEAST:
        return Unknown(
            f"the reference holds {some} {unit} with rows, {PERIODS_LEAST} are needed",
            "build it from a longer range, or take shorter panes",
        )
    if some < HOLES_MOST * len(found.counts):
        return Unknown(
            f"of the {len(found.counts)} {unit} of the reference only {some} have rows",
            "build it from a range in which the model served",
        )
    return found


def _series(settings: Settings, clock: Clock, panes: Sequence[Pane]) -> History:
    numbers = np.array([clock.period(pane.start) for pane in panes])
    first = int(numbers.min())
    counts = np.zeros((int(numbers.max()) - first + 1, bins_of(settings.histograms)))
    np.add.at(counts, numbers - first, np.array([pane.counts for pane in panes], np.float64))
    places = tuple(clock.slot(settings.calendar, first + t) for t in range(len(counts)))
    turned = [0, *(a.of_day > b.of_day or clock.a_day == 1 for a, b in pairwise(places))]
    day, by_clock = np.cumsum(turned), np.arange(len(places)) // clock.a_day
    if abs(int(day[-1]) - int(by_clock[-1])) > TURNS_OFF_MOST:  # a user's calendar, whose hours do not go round
        day = by_clock
    return History(clock, first, counts, places, day, day // 7)
