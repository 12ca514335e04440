"""The app tells the flights in the order of event time, and no model before it holds it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
from driftloop.client import Follower, Loaded, Producer
from driftloop.console.demo.app import App, prediction_id
from driftloop.console.demo.flights import DAY_SECONDS, HOUR_SECONDS, START, Flights
from driftloop.schemas.errors import Unavailable

BEGIN = START - 3 * DAY_SECONDS
END = START + 4 * DAY_SECONDS


class Said(NamedTuple):
    """One call of the producer; ``what``: predicted, observed, tick."""

    what: str
    event_time: float
    name: str = ""
    more: Mapping[str, Any] = {}


class Recorder:
    """A producer that writes down what it is told."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.failed = self.dropped = 0

    def predicted(self, features: Any, score: float, *, event_time: float, prediction_id: str, **more: Any) -> None:
        self.said.append(Said("predicted", event_time, prediction_id, {"features": features, "score": score, **more}))

    def observed(self, name: str, label: str, *, event_time: float) -> None:
        self.said.append(Said("observed", event_time, name, {"label": label}))

    def tick(self, event_time: float) -> None:
        self.said.append(Said("tick", event_time))

    def flush(self, _: float) -> int:
        return 0


class Hourly:
    """A follower whose champion changes with the app's clock; its model scores with the distance, in 10,000 miles."""

    def __init__(self) -> None:
        self.version = "v1"
        self.calls: list[int] = []

    def wait(self, timeout_seconds: float) -> Loaded:  # noqa: ARG002  (as the follower's)
        return Loaded(self.version, self, cast(Any, None))

    def predict_score(self, columns: Mapping[str, Any]) -> Any:
        self.calls.append(len(columns["distance"]))
        return columns["distance"] / 10_000


@pytest.fixture
def days(year: Flights) -> Flights:
    return year.rows((year.event_time >= BEGIN) & (year.event_time < END))


def app_of(flights: Flights) -> tuple[App, Recorder, Hourly]:
    recorder = Recorder()
    return App(flights, cast(Producer, recorder), BEGIN), recorder, Hourly()


def of(recorder: Recorder, what: str) -> list[Said]:
    return [said for said in recorder.said if said.what == what]


def test_every_flight_and_every_outcome_is_told_once_each_stream_in_order_of_event_time(days: Flights) -> None:
    app, recorder, follower = app_of(days)
    app.relive(np.full(len(days), 0.25), START)
    app.mark()
    app.serve(cast(Follower, follower), END + 3 * DAY_SECONDS)

    names = {prediction_id(number) for number in days.number.tolist()}
    known = {prediction_id(number) for number in days.number[days.label >= 0].tolist()}
    predicted, observed = of(recorder, "predicted"), of(recorder, "observed")
    assert Counter(said.name for said in predicted) == Counter(names)
    assert Counter(said.name for said in observed) == Counter(known)
    for stream in (predicted, observed):
        times = [said.event_time for said in stream]
        assert times == sorted(times)
    assert (app.predictions, app.truths, app.sent) == (len(names), len(known), len(names) + len(known))


def test_a_mark_stands_between_what_was_before_it_and_what_comes_after(days: Flights) -> None:
    app, recorder, follower = app_of(days)
    app.relive(np.zeros(len(days)), START)
    app.mark()
    for day in (1, 2):
        app.serve(cast(Follower, follower), START + day * DAY_SECONDS)
        app.mark()
    at = [i for i, said in enumerate(recorder.said) if said.what == "tick"]
    assert [recorder.said[i].event_time for i in at] == [START, START + DAY_SECONDS, START + 2 * DAY_SECONDS]
    for i in at:
        now = recorder.said[i].event_time
        assert all(said.event_time <= now for said in recorder.said[:i])
        assert all(said.event_time >= now for said in recorder.said[i + 1 :])


def test_outcomes_known_at_the_very_instant_of_a_decision_are_told_before_it(year: Flights) -> None:
    known = np.where(year.label >= 0, year.known_at, 1.0)
    sharp = np.flatnonzero((known % HOUR_SECONDS == 0) & (year.event_time > START))[0]
    flights = year.rows(slice(int(sharp) - 500, int(sharp) + 500))
    begin = float(flights.event_time[0] // HOUR_SECONDS * HOUR_SECONDS)
    recorder = Recorder()
    app = App(flights, cast(Producer, recorder), begin)
    app.serve(cast(Follower, Hourly()), float(year.known_at[sharp]))
    assert prediction_id(year.number[sharp]) in {said.name for said in of(recorder, "observed")}


def test_the_past_has_its_role_and_the_present_the_version_that_the_follower_holds(days: Flights) -> None:
    app, recorder, follower = app_of(days)
    app.relive(np.full(len(days), 0.25), START)
    app.serve(cast(Follower, follower), START + DAY_SECONDS)
    follower.version = "v2"
    app.serve(cast(Follower, follower), END)
    seen = Counter(
        (said.event_time >= START, said.event_time >= START + DAY_SECONDS, said.more["role"], said.more["version"])
        for said in of(recorder, "predicted")
    )
    assert set(seen) == {
        (False, False, "history", "v1"),
        (True, False, "champion", "v1"),
        (True, True, "champion", "v2"),
    }


def test_all_flights_of_an_hour_are_scored_in_one_call_with_their_own_features(days: Flights) -> None:
    app, recorder, follower = app_of(days)
    app.relive(np.zeros(len(days)), START)
    app.serve(cast(Follower, follower), END)
    served = days.rows(days.event_time >= START)
    assert len(follower.calls) == len(np.unique(served.event_time // HOUR_SECONDS))
    assert sum(follower.calls) == len(served)
    row_of = {prediction_id(number): row for row, number in enumerate(served.number.tolist())}
    columns = served.columns()
    for said in of(recorder, "predicted")[-500:]:
        row = row_of[said.name]
        assert said.more["score"] == columns["distance"][row] / 10_000
        assert said.more["predicted"] == ("late" if said.more["score"] >= 0.5 else "on time")
        for name, value in said.more["features"].items():
            expected = columns[name][row]
            assert value == expected or (np.isnan(value) and np.isnan(expected)), name


def test_a_record_that_did_not_reach_kafka_is_no_small_matter(days: Flights) -> None:
    app, recorder, _ = app_of(days)
    recorder.dropped = 2
    with pytest.raises(Unavailable, match="2 records"):
        app.mark()
