"""What the transport costs over the fold, by event, byte, transaction and second; and the check of all units."""

from __future__ import annotations

import time
from typing import Any

from bench import Bench
from driftloop.console.topics import apply_topics
from live import produce
from processes import Fleet
from pure_fold import PARTITIONS
from runs import Run
from sizing import Load, Units, foretold
from stream import Record, Stream, make_stream, publish_monitors, records

PULSE_EVENTS = 144.0
"""Once a second, so that nearly every partition has one small batch of each source and one transaction a second."""
SECONDS = 12.0
NARROW, WIDE = 1, 40


def transport_units(bench: Bench, pure: dict[str, float]) -> dict[str, float]:
    """Calibrated on an idle worker, a pulse a second, and two backlogs whose records differ in width."""
    idle, pulsed, base_mb = quiet_and_pulsed(bench)
    fold = (pure["us_per_prediction"] + pure["us_per_truth"]) / 2
    per_transaction = (pulsed - idle - PULSE_EVENTS * fold) / PARTITIONS
    left, widths = [], []
    for numeric in (NARROW, WIDE):
        stream = make_stream(bench.pairs, numeric=numeric)
        every = list(records(stream))
        run = Run(bench, f"units-{numeric}", stream, every)
        known = Units.of(
            pure,
            {
                "us_per_event": 0.0,
                "us_per_byte": 0.0,
                "us_per_transaction": per_transaction,
                "idle_us_per_second": idle,
            },
        )
        load = load_of(run, stream, every, 1, numeric)
        left.append(run.found["cpu_us_per_event"] - foretold(known, load, run.found["wall_seconds"]))
        widths.append(load.bytes_per_event)
    per_byte = (left[1] - left[0]) / (widths[1] - widths[0])
    return {
        "us_per_event": left[0] - per_byte * widths[0],
        "us_per_byte": per_byte,
        "us_per_transaction": per_transaction,
        "idle_us_per_second": idle,
        "base_mb": base_mb,
    }


def quiet_and_pulsed(bench: Bench) -> tuple[float, float, float]:
    """CPU microseconds a second of a worker that has nothing, then little to do; its resident MB when idle."""
    settings = bench.settings("units-idle")
    apply_topics(settings)
    publish_monitors(settings, make_stream(20_000))
    with Fleet(settings, bench.folder) as fleet:
        base_mb = fleet.workers[0].resident_mb()
        idle = us_per_second(fleet)
        producer, _ = produce(bench, settings, PULSE_EVENTS, 1.0, step_seconds=1.0)
        time.sleep(3.0)
        pulsed = us_per_second(fleet)
        producer.terminate()
        assert producer.wait(60) == 0
    return idle, pulsed, base_mb


def us_per_second(fleet: Fleet) -> float:
    before, start = fleet.cpu_seconds()[0], time.perf_counter()
    time.sleep(SECONDS)
    return 1e6 * (fleet.cpu_seconds()[0] - before) / (time.perf_counter() - start)


def load_of(run: Run, stream: Stream, every: list[Record], workers: int, numeric: int = 10) -> Load:
    """The whole of a backlog as a load: a checkpoint of each partition a second while it lasts."""
    pairs, wall = len(stream.event_time), run.found["wall_seconds"]
    width = sum(len(record.key) + len(record.value) for record in every) / len(every)
    transactions = PARTITIONS * max(1.0, wall)
    return Load(pairs, pairs, run.found["panes"], transactions, width, workers, numeric)


def check_runs(bench: Bench, units: Units) -> dict[str, Any]:
    """Foretold against measured, for one, two and four workers."""
    stream = make_stream(bench.pairs, seed=2)
    every = list(records(stream))
    found = {}
    print("\nworkers  measured  foretold  error (µs CPU an event)")
    for workers in (1, 2, 4):
        run = Run(bench, f"check-{workers}", stream, every, workers=workers)
        measured = run.found["cpu_us_per_event"]
        expected = foretold(units, load_of(run, stream, every, workers), run.found["wall_seconds"])
        error = expected / measured - 1
        found[str(workers)] = {"measured": measured, "foretold": expected, "error": error, "run": run.found}
        print(f"{workers:7}  {measured:8.2f}  {expected:8.2f}  {100 * error:+5.1f} %", flush=True)
    return found
