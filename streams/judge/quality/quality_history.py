"""What is usual, as the windows of the last weeks tell it: volume, silence, duplicates at the same time of day.

    volume    least / 2.5 to most * 2.5  of the windows that began at the same time of the seven days before;
              median / 2.5 to median * 2.5  of those of the same weekday, once there are three of the last four

Windows of a day and longer are compared with the last seven alike. Nothing is usual before there are seven: a weekend
must have been among them. Days differ: at a standard deviation of 15 % a factor of two would be wrong once a year,
2.5 is five standard errors. A window that was odd itself (an outage, a burst) is not compared with, unless most of
them were: then it has become the habit. Windows shorter than a quarter of an hour, and those of which no whole number
makes a day, have no usual volume: a week of them is too much to remember.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import islice
from statistics import median
from typing import NamedTuple

_DAY_SECONDS = 86_400.0
COMPARED = 7
WEEKS, WEEKS_LEAST = 4, 3
FACTOR = 2.5
SHORTEST_SECONDS = 900.0
REMEMBERED_MOST = 680
"""Seven days of the shortest windows, four weeks of hours."""


class Past(NamedTuple):
    """One window: ``duplicates`` is the share of its records that repeated an id; ``odd``: it broke a rule by one of
    these."""

    start: float
    predictions: int
    silent_seconds: float
    duplicates: float
    odd: bool


class Usual(NamedTuple):
    """``volume``: the median, None: not known; ``volume_least``, ``volume_most``: its limits. Others: the most."""

    volume: float | None
    volume_least: float
    volume_most: float
    silent_seconds: float
    duplicates: float


@dataclass(slots=True)
class History:
    """Oldest first."""

    past: list[Past] = field(default_factory=list)

    def learn(self, window: Past) -> None:
        """A window has been judged. One that came before is not counted twice."""
        if not self.past or window.start > self.past[-1].start:
            self.past = [*self.past, window][-REMEMBERED_MOST:]

    def usual(self, start: float, window_seconds: float) -> Usual:
        """Of a window that begins at ``start``."""
        before = self.past[: bisect_left(self.past, start, key=lambda p: p.start)]
        last = _last(before, COMPARED, start, _apart_seconds(window_seconds))
        days, weeks = _even(last), _even(_last(before, WEEKS, start, 7 * _DAY_SECONDS))
        silent = max((p.silent_seconds for p in days), default=0.0)
        repeats = max((p.duplicates for p in days), default=0.0)
        if len(last) < COMPARED:
            return Usual(None, 0.0, float("inf"), silent, repeats)
        volumes = [float(p.predictions) for p in days]
        if len(weeks) >= WEEKS_LEAST:
            volumes = [median([float(p.predictions) for p in weeks])]
        return Usual(median(volumes), min(volumes) / FACTOR, max(volumes) * FACTOR, silent, repeats)


def _apart_seconds(window_seconds: float) -> float | None:
    """Windows that are compared begin so far apart; None: with all of them; infinity: with none."""
    if window_seconds >= _DAY_SECONDS:
        return None
    daily = window_seconds >= SHORTEST_SECONDS and _DAY_SECONDS % window_seconds == 0
    return _DAY_SECONDS if daily else math.inf


def _last(past: list[Past], most: int, start: float, apart_seconds: float | None) -> list[Past]:
    """From the end on, for the past may be hundreds."""
    apart = apart_seconds
    alike = (p for p in reversed(past) if apart is None or (start - p.start) % apart == 0)
    return list(islice(alike, most))[::-1]


def _even(past: list[Past]) -> list[Past]:
    """Without the odd ones, unless they are the habit."""
    even = [p for p in past if not p.odd]
    return even if len(even) > len(past) // 2 else past
