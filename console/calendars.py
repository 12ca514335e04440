"""A calendar function of the user's: imported where a monitor is applied and a reference is built, and only there.

    [season]
    calendar = "shop.calendar:slot"

    def slot(event_time: float) -> tuple[int, int]: ...

It says of an instant which hour it is (0 to 23) of which kind of day (0 to 6): days of one kind have one shape, hours
of one number in them are compared with each other. What it says of every hour is written down with the reference, for
years ahead, so that judge and replay need neither the module nor trust in it. Its module must be among those that
DRIFTLOOP_DETECTORS allows: whoever writes a monitor file must not make another process run what they like.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from driftloop.detectors.by_name import imported
from driftloop.detectors.seasonal import tabulate
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.monitor.toml_reader import read_toml

DAY_SECONDS = 86_400.0
BEFORE_SECONDS = 8 * DAY_SECONDS
AHEAD_SECONDS = 5 * 365 * DAY_SECONDS
SAMPLE = (1_767_225_600.0, 1_767_225_600.0 + 14 * DAY_SECONDS)
"""Two weeks of 2026, tried when a monitor is applied."""
EXAMPLE = "for example def slot(event_time): return (int(event_time // 3600) % 24, 0)"


def check_calendar(specification: MonitorSpecification, text: str, place: str, modules: Collection[str]) -> None:
    """ConfigError: it cannot be called here, or says what no calendar says; with its line."""
    if specification.season is None or not specification.season.calendar:
        return
    try:
        _tabulated_twice(specification.season.calendar, *SAMPLE, modules)
    except ValueError as error:
        table = read_toml(text, place).table("season", "")
        table.refuse("calendar", f"cannot be used: {error}", _way_out(specification.season.calendar))


def written_down(name: str, first: float, last: float, modules: Collection[str]) -> str:
    """Its table, from a week before the reference to five years behind it. ConfigError as above."""
    try:
        return _tabulated_twice(name, first - BEFORE_SECONDS, last + AHEAD_SECONDS, modules)
    except ValueError as error:
        raise ConfigError(f"season.calendar {name} cannot be used: {error}", _way_out(name)) from error


def _tabulated_twice(name: str, first: float, end: float, modules: Collection[str]) -> str:
    module, _, function = name.partition(":")
    told: Callable[..., object] = imported(module, function, modules)

    def calendar(time: float) -> object:
        try:
            return told(time)
        except Exception as error:  # the code is not ours
            raise ValueError(f"it raised {error!r:.80} of {time:.0f}") from error

    once, again = (tabulate(calendar, first, end) for _ in range(2))  # type: ignore[arg-type]
    if once != again:
        raise ValueError("asked twice, it says two things of one instant")
    return once


def _way_out(name: str) -> str:
    module = name.partition(":")[0]
    return f"start this command with DRIFTLOOP_DETECTORS={module}, where it can be imported; {EXAMPLE}"
