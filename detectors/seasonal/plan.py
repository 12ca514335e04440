"""What is watched and how often: the histograms of a pane, the period a step stands for, the budget in periods.

A period is what the detector judges at once: an hour, or the pane if that is longer, or longer still where so few
rows come that an hour says nothing. Panes are sums, so shorter panes are added up to a period; the answer is the same
whatever their length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from driftloop.detectors.seasonal.calendar import DAY_SECONDS, HOUR_SECONDS, Calendar, utc

PERIODS_HOURS = (1, 2, 3, 4, 6, 8, 12, 24)
"""Lengths of a period: they divide a day, so every day has the same slots."""


By = Literal["hour of week", "hour of day", "day of week"]


class Histogram(NamedTuple):
    """One histogram of a pane. ``bins``: all of them.

    numeric: value bins, then missing. categorical: categories, then other, then missing. score: values only.
    """

    name: str
    kind: Literal["numeric", "categorical", "score"]
    bins: int


@dataclass(frozen=True)
class Settings:
    """``pane_seconds``: length of the panes that come. ``budget_seconds``: event time per allowed false incident.

    ``offset_seconds`` aligns panes and periods. ``floor``: a shift of so many sd (of a share: Cohen's h) belongs to
    "all is well". ``by``: what may make a difference at all; of the hour of the week both the hour of the day and the
    weekday, each as far as the reference shows it.
    """

    histograms: tuple[Histogram, ...]
    budget_seconds: float = 7 * DAY_SECONDS
    pane_seconds: float = HOUR_SECONDS
    offset_seconds: float = 0.0
    calendar: Calendar = utc
    floor: float = 0.02
    by: By = "hour of week"

    def __post_init__(self) -> None:
        least = {"numeric": 2, "categorical": 3, "score": 1}
        if not self.histograms or any(h.bins < least[h.kind] for h in self.histograms):
            raise ValueError(
                "histograms must name at least one with its bins: numeric 2 or more (the last is missing), "
                "categorical 3 or more (the last two are other and missing), score 1 or more"
            )
        if not any(_divides(self.pane_seconds, hours * HOUR_SECONDS) for hours in PERIODS_HOURS):
            raise ValueError(f"pane_seconds is {self.pane_seconds}: panes must divide a day; 300, 3600, 86400 do")
        if not self.budget_seconds >= DAY_SECONDS:
            raise ValueError(
                f"budget_seconds is {self.budget_seconds}: less than a day a false incident is no budget"
            )
        if not 0 <= self.floor < 1:
            raise ValueError(f"floor is {self.floor}, not from 0 to below 1 sd")

    @cached_property
    def periods_hours(self) -> tuple[int, ...]:
        """Possible lengths of a period, ascending."""
        return tuple(hours for hours in PERIODS_HOURS if _divides(self.pane_seconds, hours * HOUR_SECONDS))


@dataclass(frozen=True)
class Clock:
    """How time passes in periods of ``hours``: period k starts at offset + k * hours since the epoch."""

    hours: int
    budget_seconds: float
    offset_seconds: float = 0.0

    @cached_property
    def a_day(self) -> int:
        return 24 // self.hours

    @cached_property
    def a_week(self) -> int:
        return 7 * self.a_day

    @cached_property
    def budget(self) -> float:
        """H: periods per allowed incident."""
        return self.budget_seconds / (self.hours * HOUR_SECONDS)

    def periods(self, hours: float, least: int = 1) -> int:
        """So many hours of judged event time, in periods."""
        return max(least, round(hours / self.hours))

    def period(self, time: float) -> int:
        """Number of the period since the epoch."""
        return math.floor((time - self.offset_seconds) / (self.hours * HOUR_SECONDS))

    def start_of(self, period: int) -> float:
        """Seconds since the epoch."""
        return self.offset_seconds + period * self.hours * HOUR_SECONDS

    def slot(self, calendar: Calendar, period: int) -> Place:
        hour, weekday = calendar(self.start_of(period))
        return Place(hour // self.hours, weekday, weekday * self.a_day + hour // self.hours)


class Place(NamedTuple):
    """A period's place in the day, the week's day, and the place in the week."""

    of_day: int
    weekday: int
    of_week: int


def bins_of(histograms: Sequence[Histogram]) -> int:
    """Length of a pane's counts: the histograms one after the other."""
    return sum(h.bins for h in histograms)


def _divides(part: float, whole: float) -> bool:
    return 0 < part <= whole and whole % part == 0
