"""Which hour of which weekday a pane belongs to: seasons follow people's clocks, so hours are local ones.

A calendar is a pure function of event time. ``local`` knows daylight saving (the hour that is skipped in spring has
no pane, the one that comes twice in autumn has two) and holidays, which count as the weekday they are like.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

HOUR_SECONDS = 3_600.0
DAY_SECONDS = 86_400.0
SUNDAY = 6


class Slot(NamedTuple):
    """``hour`` 0..23 of the day, ``weekday`` 0 (Monday) to 6."""

    hour: int
    weekday: int


Calendar = Callable[[float], Slot]
"""Event time, seconds since the epoch -> slot."""


def utc(time: float) -> Slot:
    """Hours of UTC.

    >>> utc(0.0)
    Slot(hour=0, weekday=3)
    """
    hours = int(time // HOUR_SECONDS)
    return Slot(hours % 24, (hours // 24 + 3) % 7)


def local(zone: str, holidays: frozenset[str] = frozenset(), like: int = SUNDAY) -> Calendar:
    """Hours of a time zone. ``holidays``: dates such as 2026-12-25, which are ``like`` this weekday.

    ValueError: no such zone.

    >>> new_york = local("America/New_York", frozenset({"1970-01-01"}))
    >>> new_york(0.0), new_york(86_400.0)
    (Slot(hour=19, weekday=2), Slot(hour=19, weekday=6))
    """
    try:
        found = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {zone!r}; a correct one is Europe/Berlin") from error

    def slot(time: float) -> Slot:
        moment = datetime.fromtimestamp(time, found)
        return Slot(moment.hour, like if moment.date().isoformat() in holidays else moment.weekday())

    return slot
