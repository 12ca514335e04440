"""The demo in its order.

broker, topics, monitor -> January and February as history -> reference -> observer, judge, retrainer
-> the first model, ordered -> March to December, a day at a time -> what the topics say of it
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from driftloop.client import Follower, Producer, follow
from driftloop.console.broker.embedded import EmbeddedBroker
from driftloop.console.demo.app import FIRST_VERSION, MODEL, App
from driftloop.console.demo.comparison import SPECIFICATION, specification
from driftloop.console.demo.flight_files import load
from driftloop.console.demo.flights import DAY_SECONDS, HOUR_SECONDS, START, Flights, Floats
from driftloop.console.demo.history import out_of_fold
from driftloop.console.demo.memory import MemoryMeter
from driftloop.console.demo.processes import Processes
from driftloop.console.demo.report import Report, make_report
from driftloop.console.demo.results import read_results
from driftloop.console.demo.screen import Moment, Screen
from driftloop.console.demo.watch import Watch
from driftloop.console.monitor import apply_monitor
from driftloop.console.reference import Selection, build
from driftloop.console.retrain import order_retrain
from driftloop.console.topics import apply_topics
from driftloop.schemas.settings import Settings

COMPARISON = "comparison"
COMPARISON_SECONDS_MOST = 300.0
LOWEST_PRIORITY = 19
BLOCK_SECONDS_MOST = 30.0
"""A real app would rather lose a record than wait so long; the demo wants every record counted."""


def run_demo(settings: Settings, screen: Screen, days: int) -> Report:
    """Everything, in one process and those it starts; none of them is left behind, however it ends."""
    began, end = time.monotonic(), START + days * DAY_SECONDS
    with ExitStack() as stack:
        preparing = stack.enter_context(ThreadPoolExecutor(1)).submit(prepare, end)
        settings, broker = _cluster(settings, screen, stack)
        processes = stack.enter_context(Processes(settings, settings.state_folder / "logs", broker))
        meter = stack.enter_context(MemoryMeter(processes.names))
        apply_topics(settings)
        apply_monitor(settings, SPECIFICATION)
        processes.service("retrainer")
        compared = settings.state_folder / "comparison.json"
        _start_comparison(processes, compared, end)
        flights, scores = preparing.result()

        producer = stack.enter_context(
            Producer(MODEL, settings, version=FIRST_VERSION, block_seconds_most=BLOCK_SECONDS_MOST)
        )
        app = App(flights, producer, now=float(flights.event_time[0] // HOUR_SECONDS * HOUR_SECONDS))
        app.relive(scores, START)
        app.mark()
        screen.say(f"January and February are on the log: {app.predictions:,} predictions, {app.truths:,} truths")
        for line in build(settings, MODEL, Selection(None, None, "history", None)):
            screen.say(line)
        processes.service("observer")
        processes.service("judge")
        order_retrain(settings, MODEL, "demo", "the first model: January and February", as_of=START)

        watch = Watch(settings, processes.check)
        stack.callback(watch.close)
        follower = stack.enter_context(follow(MODEL, settings))
        watch.first_model(follower)
        serving_since = time.monotonic()
        screen.serving(app.sent)
        serve_days(app, follower, watch, screen, days)
        serving_seconds = time.monotonic() - serving_since

        screen.say("reading the topics, waiting for the comparison")
        results = read_results(settings)
        processes.wait(COMPARISON, COMPARISON_SECONDS_MOST)
        meter.sample()
        processes.stop()
        return make_report(
            results,
            json.loads(compared.read_text()),
            days,
            time.monotonic() - began,
            serving_seconds,
            meter.peak_mb,
            meter.peak_together_mb,
        )


def prepare(end: float) -> tuple[Flights, Floats]:
    """The flights that depart before ``end``, and honest scores for those before the start."""
    flights = load()
    flights = flights.rows(flights.event_time < end)
    history = flights.rows(flights.event_time < START)
    return flights, out_of_fold(history, specification().retrain.seed)


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


def _cluster(settings: Settings, screen: Screen, stack: ExitStack) -> tuple[Settings, EmbeddedBroker | None]:
    """The cluster of the settings, or a broker of our own."""
    if settings.bootstrap_servers:
        screen.say(f"Kafka at {settings.bootstrap_servers}, our topics begin with {settings.prefix}")
        return settings, None
    broker = stack.enter_context(EmbeddedBroker(screen.say))
    screen.say(f"Apache Kafka at {broker.bootstrap}")
    return replace(settings, bootstrap_servers=broker.bootstrap), broker


def _start_comparison(processes: Processes, file: Path, end: float) -> None:
    """At low priority beside the loop, on one thread: it takes what the loop leaves."""
    module = "driftloop.console.demo.comparison"
    processes.job(COMPARISON, ["-m", module, str(file), str(end)], {"OMP_NUM_THREADS": "1"}, nice=LOWEST_PRIORITY)
