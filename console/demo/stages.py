"""The demo in its order.

broker, topics, monitor -> January and February as history -> reference -> observer, judge, retrainer
-> the first model, ordered -> March to December, a day at a time -> what the topics say of it
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

import numpy as np
from driftloop.client import Follower, Producer, follow
from driftloop.console.broker.embedded import EmbeddedBroker
from driftloop.console.demo.app import FIRST_VERSION, MODEL, App
from driftloop.console.demo.flight_files import load
from driftloop.console.demo.flights import DAY_SECONDS, HOUR_SECONDS, START, Flights, Floats
from driftloop.console.demo.memory import MemoryMeter
from driftloop.console.demo.offline import COMPARISON, HISTORY, SPECIFICATION, specification
from driftloop.console.demo.processes import OFFLINE, Processes
from driftloop.console.demo.report import Report, make_report
from driftloop.console.demo.results import read_results
from driftloop.console.demo.screen import Moment, Screen
from driftloop.console.demo.watch import Watch
from driftloop.console.monitor import apply_monitor
from driftloop.console.reference import Selection, build
from driftloop.console.retrain import order_retrain
from driftloop.console.topics import apply_topics
from driftloop.schemas.settings import Settings

OFFLINE_SECONDS_MOST = 300.0
BLOCK_SECONDS_MOST = 30.0
"""A real app would rather lose a record than wait so long; the demo wants every record counted."""
BUFFER_RECORDS_MOST = 20_000
"""Two weeks of flights: more would only cost memory."""


def run_demo(settings: Settings, screen: Screen, days: int) -> Report:
    """Everything, in one process and those it starts; none of them is left behind, however it ends."""
    began, end = time.monotonic(), START + days * DAY_SECONDS
    with ExitStack() as stack:
        processes = stack.enter_context(Processes(settings.state_folder))
        meter = stack.enter_context(MemoryMeter(processes.names))
        processes.job(OFFLINE, [str(settings.state_folder), str(end)])
        loading = stack.enter_context(ThreadPoolExecutor(1)).submit(load)
        settings = _cluster(settings, screen, stack, processes)
        apply_topics(settings)
        apply_monitor(settings, SPECIFICATION)
        processes.service("retrainer", settings)
        flights = loading.result()
        app = stack.enter_context(_app(settings, flights.rows(flights.event_time < end)))
        scores = np.load(processes.file(OFFLINE, HISTORY, OFFLINE_SECONDS_MOST))
        _set_the_stage(settings, screen, app, scores, processes)

        watch = stack.enter_context(closing(Watch(settings, processes.check)))
        follower = stack.enter_context(follow(MODEL, settings))
        watch.first_model(follower)
        serving_since = time.monotonic()
        screen.serving(app.sent)
        serve_days(app, follower, watch, screen, days)
        serving_seconds = time.monotonic() - serving_since

        screen.end_live()
        screen.say("all days are served; reading the topics")
        processes.stop_services()
        results = read_results(settings)
        others = json.loads(processes.file(OFFLINE, COMPARISON, OFFLINE_SECONDS_MOST).read_text())
        meter.sample()
        wall_seconds = time.monotonic() - began
        return make_report(results, others, days, wall_seconds, serving_seconds, meter)


def _set_the_stage(settings: Settings, screen: Screen, app: App, scores: Floats, processes: Processes) -> None:
    """January and February on the log, the reference of them, the services, and the order for the first model."""
    app.relive(scores, START)
    app.mark()
    screen.say(f"January and February are on the log: {app.predictions:,} predictions, {app.truths:,} truths")
    for line in build(settings, MODEL, Selection(None, None, "history", None)):
        screen.say(line)
    processes.service("observer", settings)
    processes.service("judge", settings)
    order_retrain(settings, MODEL, "demo", "the first model: January and February", as_of=START)


@contextmanager
def _app(settings: Settings, flights: Flights) -> Iterator[App]:
    """The app, at the hour of its first flight."""
    with Producer(
        MODEL,
        settings,
        version=FIRST_VERSION,
        block_seconds_most=BLOCK_SECONDS_MOST,
        buffer_records_most=BUFFER_RECORDS_MOST,
    ) as producer:
        yield App(flights, producer, now=float(flights.event_time[0] // HOUR_SECONDS * HOUR_SECONDS))


def serve_days(app: App, follower: Follower, watch: Watch, screen: Screen, days: int) -> None:
    """Day by day; then the last outcomes, and the days until the last window's labels are final."""
    for day in range(1, days + 1):
        until = START + day * DAY_SECONDS
        app.serve(follower, until)
        app.mark()
        watch.stop(until, follower)
        screen.show(Moment(until, day, days, app.sent, watch.tally))
    horizon_end = START + days * DAY_SECONDS + specification().horizon_seconds
    app.serve(follower, horizon_end)
    app.mark()
    watch.stop(horizon_end, follower)


def _cluster(settings: Settings, screen: Screen, stack: ExitStack, processes: Processes) -> Settings:
    """The settings with their cluster, or with a broker of our own."""
    if settings.bootstrap_servers:
        screen.say(f"Kafka at {settings.bootstrap_servers}, our topics begin with {settings.prefix}")
        return settings
    processes.broker = stack.enter_context(EmbeddedBroker(screen.say))
    stack.callback(processes.stop_services)  # before the broker: without it a service can neither drain nor leave
    screen.say(f"Apache Kafka at {processes.broker.bootstrap}")
    return replace(settings, bootstrap_servers=processes.broker.bootstrap)
