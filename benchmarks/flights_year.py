"""The year of the demo on the topics: every flight of 2013 a prediction, every outcome a truth; no service runs.

January and February are history, scored by models that had not seen the day, and the reference is built of them; from
March on the demo's first model serves, frozen: what the loop would have trained is no matter of a replay's speed.
"""

from __future__ import annotations

from typing import NamedTuple, cast

from driftloop.client import Follower, Producer
from driftloop.console.demo.app import FIRST_VERSION, MODEL, App
from driftloop.console.demo.flight_files import load
from driftloop.console.demo.flights import DAY_SECONDS, HOUR_SECONDS, START
from driftloop.console.demo.history import out_of_fold
from driftloop.console.demo.offline import SPECIFICATION, specification
from driftloop.console.demo.policies import Fits
from driftloop.console.demo.run import YEAR_DAYS
from driftloop.console.demo.trainer import FlightModel
from driftloop.console.monitor import apply_monitor
from driftloop.console.reference import Selection, build
from driftloop.console.topics import apply_topics
from driftloop.schemas.settings import Settings

QUICK_DAYS = 60
BUFFER_RECORDS_MOST = 20_000


class Served(NamedTuple):
    """What the app asks a follower for, and the model that it is given."""

    predictor: FlightModel
    version: str = FIRST_VERSION

    def wait(self, timeout_seconds: float) -> Served:  # noqa: ARG002 (it is there)
        return self


def fill(settings: Settings, quick: bool) -> int:
    """Fresh topics with the year (``quick``: of what is served two months) and the live monitor; records in all."""
    apply_topics(settings)
    apply_monitor(settings, SPECIFICATION)
    flights, retrain = load(), specification().retrain
    end = START + (QUICK_DAYS if quick else YEAR_DAYS) * DAY_SECONDS
    flights = flights.rows(flights.event_time < end)
    model = Fits(flights, retrain).at(START)
    scores = out_of_fold(flights.rows(flights.event_time < START), retrain.seed)
    begin = float(flights.event_time[0] // HOUR_SECONDS * HOUR_SECONDS)
    with Producer(
        MODEL, settings, version=FIRST_VERSION, block_seconds_most=60, buffer_records_most=BUFFER_RECORDS_MOST
    ) as producer:
        app = App(flights, producer, begin)
        app.relive(scores, START)
        app.mark()
        for line in build(settings, MODEL, Selection(None, None, "history", None)):
            print(f"  {line}")
        app.serve(cast(Follower, Served(model)), end + specification().horizon_seconds)
        app.mark()
    return app.sent
