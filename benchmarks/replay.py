"""`driftloop replay`: records a second of one core, observer and judge together, all detectors on.

Of the year of the demo (its monitor, reference and partitions), which the target is about, and of the stream of the
other parts, whose rows lie denser: a flight shares its pane and partition with some 200, a row there with 900. What a
window costs is shared by the 900 flights of its day.

The command runs as a process of its own, as an operator would run it; its CPU is that of all threads, start-up
included (of Python with its bytecode compiled).
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import flights_year
from backlog_topics import make_backlog
from bench import Bench
from driftloop.console.demo.run import PARTITIONS as DEMO_PARTITIONS
from driftloop.schemas.settings import Settings
from stream import MODEL, make_stream, publish_monitors, records

SECONDS_MOST = 300


def run(bench: Bench) -> dict[str, Any]:
    return of_flights(bench) | of_the_stream(bench)


def of_flights(bench: Bench) -> dict[str, Any]:
    settings = replace(bench.settings("replay-flights"), partitions=DEMO_PARTITIONS)
    count = flights_year.fill(settings, bench.quick)
    return measured(bench, settings, flights_year.MODEL, count, "replay_flights")


def of_the_stream(bench: Bench) -> dict[str, Any]:
    stream = make_stream(bench.pairs)
    every = list(records(stream))
    settings = bench.settings("replay")
    backlog = make_backlog(settings, stream, every)
    publish_monitors(settings, stream)
    backlog.release()
    backlog.end()
    return measured(bench, settings, MODEL, backlog.count, "replay_records")


def measured(bench: Bench, settings: Settings, model: str, count: int, name: str) -> dict[str, Any]:
    """Figures of the command, under keys that begin with ``name``; time markers may come beside ``count`` records."""
    compiled = bench.folder / "bytecode"
    command(settings, model, compiled)
    told, cpu_seconds = command(settings, model, compiled)
    assert told["records"] >= count, f"{told['records']} of {count} records were replayed"
    assert told["dead_letters"] == 0, f"{told['dead_letters']} could not be read"
    found = {
        f"{name}_per_core_second": told["records"] / cpu_seconds,
        f"{name}_per_second": told["records_per_second"],
        f"{name}_cpu_seconds": cpu_seconds,
        f"{name}_windows": told["windows"],
    }
    bench.say(
        f"{model}: {told['records']:,} records, {1e6 * cpu_seconds / told['records']:.2f} µs CPU each with start-up, "
        f"{told['records_per_second']:,.0f} a second by the wall clock, {told['windows']} windows"
    )
    return found


def command(settings: Settings, model: str, compiled: Path) -> tuple[dict[str, Any], float]:
    """What the command says, and the CPU it took (its children's time is ours once it has ended). ``compiled`` keeps
    Python's bytecode, as an installation does: only the first run compiles the sources."""
    environment = settings.environment(os.environ)
    environment |= {"PYTHONPYCACHEPREFIX": str(compiled), "PYTHONDONTWRITEBYTECODE": ""}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "driftloop.console", "replay", model, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MOST,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
