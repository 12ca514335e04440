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

from dataclasses import dataclass, field
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
        kept = [p for p in self.past if p.start < start]
        if window_seconds < _DAY_SECONDS:
            daily = window_seconds >= SHORTEST_SECONDS and _DAY_SECONDS % window_seconds == 0
            kept = [p for p in kept if daily and (start - p.start) % _DAY_SECONDS == 0]
        days, weeks = _even(kept[-COMPARED:]), _even(_same_weekday(kept, start))
        silent = max((p.silent_seconds for p in days), default=0.0)
        repeats = max((p.duplicates for p in days), default=0.0)
        if len(kept) < COMPARED:
            return Usual(None, 0.0, float("inf"), silent, repeats)
        volumes = [float(p.predictions) for p in days]
        if len(weeks) >= WEEKS_LEAST:
            volumes = [median([float(p.predictions) for p in weeks])]
        return Usual(median(volumes), min(volumes) / FACTOR, max(volumes) * FACTOR, silent, repeats)


def _same_weekday(past: list[Past], start: float) -> list[Past]:
    return [p for p in past if (start - p.start) % (7 * _DAY_SECONDS) == 0][-WEEKS:]


def _even(past: list[Past]) -> list[Past]:
    """Without the odd ones, unless they are the habit."""
    even = [p for p in past if not p.odd]
    return even if len(even) > len(past) // 2 else past
