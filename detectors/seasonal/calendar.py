"""Which hour of which weekday a pane belongs to: seasons follow people's clocks, so hours are local ones.

A calendar is a pure function of event time. ``local`` knows daylight saving (the hour that is skipped in spring has
no pane, the one that comes twice in autumn has two) and holidays, which count as the weekday they are like. Any other
function can be written down hour by hour, ``tabulate``, and read back: a table says the same for ever, wherever.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

HOUR_SECONDS = 3_600.0
DAY_SECONDS = 86_400.0
SUNDAY = 6
REPEATED_HOURS = 52 * 7 * 24


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


def tabulate(calendar: Calendar, first: float, end: float) -> str:
    """What it says of every hour of UTC from ``first`` to ``end``: ``tabulated`` reads it. Some kB for five years.

    Errors: ValueError where it says something else than an hour and a kind of day; whatever the calendar raises.
    """
    start, stop = int(first // HOUR_SECONDS), int(end // HOUR_SECONDS) + 1
    codes = bytes(_code(calendar, hour * HOUR_SECONDS) for hour in range(start, stop))
    return base64.b64encode(zlib.compress(start.to_bytes(8, "big") + codes, 9)).decode()


def _code(calendar: Calendar, time: float) -> int:
    said = calendar(time)
    try:
        hour, kind = said
        if type(hour) is not int or type(kind) is not int or not (0 <= hour < 24 and 0 <= kind < 7):
            raise ValueError
    except (ValueError, TypeError):
        raise ValueError(
            f"it says {said!r:.60} of {time:.0f}, not an hour 0 to 23 and a kind of day 0 to 6"
        ) from None
    return 24 * kind + hour


def tabulated(table: str) -> Calendar:
    """The calendar of a table. Outside of it the 52 weeks at its near end repeat. ValueError: this is no table.

    >>> always_monday = tabulated(tabulate(lambda time: (int(time // 3600) % 24, 0), 0.0, 365 * 86400.0))
    >>> always_monday(5 * 3600.0), always_monday(400 * 86400.0)
    (Slot(hour=5, weekday=0), Slot(hour=0, weekday=0))
    """
    try:
        found = zlib.decompress(base64.b64decode(table, validate=True))
    except zlib.error as error:
        raise ValueError(f"this is no table of a calendar: {error}") from None
    first, codes = int.from_bytes(found[:8], "big"), found[8:]
    again = min(len(codes), REPEATED_HOURS)
    if not again or max(codes) >= 7 * 24:
        raise ValueError("this is no table of a calendar: it is empty, or says other things")

    def slot(time: float) -> Slot:
        at = int(time // HOUR_SECONDS) - first
        if at >= len(codes):
            at = len(codes) - again + (at - len(codes)) % again
        elif at < 0:
            at %= again
        kind, hour = divmod(codes[at], 24)
        return Slot(hour, kind)

    return slot
