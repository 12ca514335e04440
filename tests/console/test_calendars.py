"""A calendar function that cannot be used is refused where it is named, and what it says is written down."""

from __future__ import annotations

from pathlib import Path

import pytest
from driftloop.console.calendars import written_down
from driftloop.console.monitor import read_monitor
from driftloop.detectors.seasonal import Slot, tabulate, tabulated
from driftloop.detectors.seasonal.calendar import REPEATED_HOURS, local
from driftloop.schemas.errors import ConfigError

HOUR, DAY = 3_600.0, 86_400.0
NEW_YEAR = 1_767_225_600.0  # 2026-01-01 00:00 UTC
MONITOR = """model = "shop"
classes = ["no", "yes"]
[features]
amount = "numeric"
[time]
horizon = "1 d"
[season]
calendar = "CALENDAR"
"""
MODULE = """
calls = 0

def good(event_time):
    return int(event_time // 3600) % 24, 0

def raises(event_time):
    raise KeyError("no such day")

def large(event_time):
    return 24, 0

def fickle(event_time):
    global calls
    calls += 1
    return calls % 24, 0

number = 7
"""


@pytest.fixture
def days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"days_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("raises", r"it raised KeyError\('no such day'\) of 176"),
        ("large", r"it says \(24, 0\) of 176\d+, not an hour 0 to 23 and a kind of day 0 to 6"),
        ("fickle", "asked twice, it says two things of one instant"),
        ("number", "has no function number"),
        ("gone", "has no function gone"),
    ],
)
def test_a_calendar_that_cannot_be_used_is_refused_with_its_line(
    days: str, function: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "shop.toml"
    file.write_text(MONITOR.replace("CALENDAR", f"{days}:{function}"))
    with pytest.raises(ConfigError, match=rf"shop\.toml:8: season\.calendar cannot be used: .*{said}") as told:
        read_monitor(file, [days])
    assert "def slot(event_time)" in told.value.hint
    with pytest.raises(ConfigError, match=said):
        written_down(f"{days}:{function}", NEW_YEAR, NEW_YEAR + DAY, [days])


def test_only_a_module_that_is_allowed_is_imported(days: str, tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text(MONITOR.replace("CALENDAR", f"{days}:good"))
    with pytest.raises(ConfigError, match=r"shop\.toml:8: .*is not allowed to be imported \(none is\)") as told:
        read_monitor(file)
    assert f"DRIFTLOOP_DETECTORS={days}" in told.value.hint
    season = read_monitor(file, [days]).season
    assert season is not None
    assert season.calendar == f"{days}:good"
    file.write_text(MONITOR.replace("CALENDAR", f"{days}:good") + 'zone = "Europe/Berlin"\n')
    with pytest.raises(ConfigError, match=r"shop\.toml:8: season\.calendar says whose hours they are, and zone too"):
        read_monitor(file, [days])
    file.write_text(MONITOR.replace("CALENDAR", "days"))
    with pytest.raises(ConfigError, match=r"shop\.toml:8: season\.calendar is 'days', not module:function"):
        read_monitor(file, [days])


def test_a_table_says_what_the_calendar_says_and_repeats_its_last_year() -> None:
    berlin = local("Europe/Berlin", frozenset({"2026-12-25"}))
    end = NEW_YEAR + 500 * DAY
    written = tabulate(berlin, NEW_YEAR, end)
    table = tabulated(written)
    hours = [NEW_YEAR + h * HOUR for h in range(500 * 24)]
    assert [table(t) for t in hours] == [berlin(t) for t in hours]
    assert table(NEW_YEAR + 358 * DAY + 12 * HOUR) == Slot(13, 6), "Christmas is a Sunday"
    behind = end + 3 * DAY + 5 * HOUR
    assert table(behind) == table(behind - REPEATED_HOURS * HOUR)
    assert table(NEW_YEAR - HOUR) == table(NEW_YEAR + (REPEATED_HOURS - 1) * HOUR)
    assert len(written) < 2_000
    with pytest.raises(ValueError, match="no table of a calendar"):
        tabulated("eJwDAAAAAAE=")
