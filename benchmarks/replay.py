"""`driftloop replay` over a backlog: records a second of one core, observer and judge together, all detectors on.

The command runs as a process of its own, as an operator would run it; its CPU is that of all threads, start-up
included (of Python with its bytecode compiled).
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from backlog_topics import make_backlog
from bench import Bench
from stream import MODEL, make_stream, publish_monitors, records

SECONDS_MOST = 300


def run(bench: Bench) -> dict[str, Any]:
    stream = make_stream(bench.pairs)
    every = list(records(stream))
    settings = bench.settings("replay")
    backlog = make_backlog(settings, stream, every)
    publish_monitors(settings, stream)
    backlog.release()
    backlog.end()
    compiled = bench.folder / "bytecode"
    command(settings.bootstrap_servers, settings.prefix, compiled)
    told, cpu_seconds = command(settings.bootstrap_servers, settings.prefix, compiled)
    assert told["records"] == backlog.count, f"{told['records']} of {backlog.count} records were replayed"
    assert told["dead_letters"] == 0, f"{told['dead_letters']} could not be read"
    found = {
        "replay_records_per_core_second": told["records"] / cpu_seconds,
        "replay_records_per_second": told["records_per_second"],
        "replay_cpu_seconds": cpu_seconds,
        "replay_windows": told["windows"],
    }
    bench.say(
        f"replay: {told['records']:,} records, {1e6 * cpu_seconds / told['records']:.2f} µs CPU each with start-up, "
        f"{found['replay_records_per_second']:,.0f} a second by the wall clock, {told['windows']} windows"
    )
    return found


def command(bootstrap: str, prefix: str, compiled: Path) -> tuple[dict[str, Any], float]:
    """What the command says, and the CPU it took (its children's time is ours once it has ended). ``compiled`` keeps
    Python's bytecode, as an installation does: only the first run compiles the sources."""
    environment = os.environ | {"DRIFTLOOP_BOOTSTRAP_SERVERS": bootstrap, "DRIFTLOOP_PREFIX": prefix}
    environment |= {"PYTHONPYCACHEPREFIX": str(compiled), "PYTHONDONTWRITEBYTECODE": ""}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "driftloop.console", "replay", MODEL, "--json"],
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
