"""The [season] of a monitor file: features that differ by hour and weekday are compared with their own hours.

[season]
zone = "Europe/Berlin"           # whose hours they follow; UTC where nothing is said
holidays = ["2026-12-25"]        # these days count as Sundays
calendar = "shop.calendar:slot"  # instead of both: a function, event time -> (hour 0 to 23, kind of day 0 to 6)
by = "hour of week"              # or "hour of day", "day of week": the other makes no difference
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from driftloop.schemas.monitor.season import BYS, By, Season
from driftloop.schemas.monitor.toml_reader import Table

DAY_SECONDS = 86_400.0
HOLIDAYS_MOST = 1_000
_EXAMPLE = '[season]\n              zone = "Europe/Berlin"'
_CALENDAR = 'calendar = "shop.calendar:slot"'
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_ZONE = 'zone = "Europe/Berlin"'
_HOLIDAYS = 'holidays = ["2026-12-25", "2027-01-01"]'


def read_season(root: Table, time: Mapping[str, Any], alarms: Mapping[str, Any]) -> Season | None:
    """The season of a file; None: it names none. Errors: ConfigError, the first mistake."""
    if root.get("season", None, _EXAMPLE) is None:
        return None
    table = root.table("season", _EXAMPLE)
    by = cast(By, table.one_of("by", BYS[0], BYS, 'by = "hour of day"'))
    season = Season(_zone(table), _holidays(table), by, _calendar(table))
    if by == "hour of day" and time["window_seconds"] >= DAY_SECONDS:
        table.refuse("by", "is 'hour of day', and time.window is a day or more", 'by = "day of week"')
    table.done()
    if DAY_SECONDS % time["window_seconds"]:
        root.refuse("season", "compares hours and days, and time.window does not divide a day", 'window = "1 h"')
    if alarms["budget_seconds"] < DAY_SECONDS:
        reason = "cannot be told from drift within the alarms.budget: more than 1 false alarm a day is none"
        root.refuse("season", reason, 'budget = "1 per week"')
    return season


def _calendar(table: Table) -> str:
    name = table.text("calendar", "", _CALENDAR)
    if name and not _FUNCTION.fullmatch(name):
        table.refuse("calendar", f"is {name!r}, not module:function", _CALENDAR)
    for other in ("zone", "holidays"):
        if name and table.get(other, None, "") is not None:
            table.refuse("calendar", f"says whose hours they are, and {other} too", _CALENDAR)
    return name


def _zone(table: Table) -> str:
    name = table.text("zone", "UTC", _ZONE)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        table.refuse("zone", f"is {name!r}, which is no time zone that this machine knows", _ZONE)
    return name


def _holidays(table: Table) -> tuple[str, ...]:
    """TOML has dates of its own; both spellings are one."""
    told = table.get("holidays", [], _HOLIDAYS)
    if not isinstance(told, list) or len(told) > HOLIDAYS_MOST:
        table.refuse("holidays", f"is {told!r:.60}, not a list of at most {HOLIDAYS_MOST} dates", _HOLIDAYS)
    found = {_date(table, day) for day in told}
    return tuple(sorted(found))


def _date(table: Table, day: Any) -> str:
    found = day.isoformat() if type(day) is date else day
    if not isinstance(found, str) or not _is_date(found):
        table.refuse("holidays", f"has {day!r}, which is no date such as 2026-12-25", _HOLIDAYS)
    return found


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
