"""A worker with a million pending predictions is killed (-9); how long until its successor has absorbed a record?

The successor is started at the moment of the kill, as a supervisor would. It serves again when every partition has
absorbed a record that was sent after the kill; a trickle of predictions goes on all the time. First an ordinary
member with a session of six seconds (the least that a broker allows by default), which is part of the figure; then a
static member, with the session as it ships, which its successor replaces within it.
"""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from backlog_topics import ProgressReader
from bench import Bench
from driftloop.schemas.settings import Settings
from live import produce
from processes import Fleet, Worker, wait_for

HERE = Path(__file__).parent
SESSION_SECONDS = 6.0
TRICKLE_PER_SECOND = 600.0
RECOVERY_SECONDS_MOST = 120.0
STATIC_NAME = "bench-1"


def recover(bench: Bench, fleet: Fleet, settings: Settings, now: float) -> dict[str, Any]:
    """Kill the fleet's worker; figures of its successor, which then stands in its place. ``now``: event time."""
    producer, _ = produce(bench, settings, TRICKLE_PER_SECOND, 1.0, now)
    try:
        time.sleep(3.0)
        ordinary = kill_and_succeed(bench, fleet, settings, "")
        say(bench, f"session {SESSION_SECONDS:.0f} s", ordinary)
        progress = ProgressReader(settings)
        settings = replace(settings, session_seconds=Settings().session_seconds)
        fleet.workers[0] = successor(bench, settings, STATIC_NAME, "static")
        wait_for_progress(progress)
        progress.close()
        static = kill_and_succeed(bench, fleet, settings, STATIC_NAME)
        say(bench, "static member", static)
    finally:
        producer.terminate()
        producer.wait(60)
    return {
        "session_seconds": SESSION_SECONDS,
        "recovery_seconds_1m": ordinary["serves_seconds"],
        "recovery_seconds_1m_static": static["serves_seconds"],
        "recovery": ordinary,
        "recovery_static": static,
    }


def say(bench: Bench, how: str, found: dict[str, float]) -> None:
    bench.say(
        f"killed, {how}: its successor absorbs in all partitions {found['serves_seconds']:.2f} s later "
        f"(in the first {found['first_absorb_seconds']:.2f} s); its progress is visible after "
        f"{found['visible_seconds']:.2f} s"
    )


def successor(bench: Bench, settings: Settings, instance: str, name: str) -> Worker:
    """A timed worker; it leaves ``name``.npz at its end."""
    command = (sys.executable, str(HERE / "timed_observer.py"), str(bench.folder / f"{name}.npz"))
    return Worker(settings, bench.folder, name, command, **({"DRIFTLOOP_INSTANCE_ID": instance} if instance else {}))


def wait_for_progress(progress: ProgressReader) -> None:
    """Every partition has published more than what is there now."""
    progress.catch_up()
    before = {tp: offset + 1 for tp, offset in progress.offsets.items()}

    def visible() -> bool:
        progress.poll(0.02)
        return not progress.behind({tp: end for tp, end in before.items() if tp[0].endswith("predictions.v1")})

    wait_for(visible, RECOVERY_SECONDS_MOST, "the successor to publish progress of every partition")


def kill_and_succeed(bench: Bench, fleet: Fleet, settings: Settings, instance: str) -> dict[str, float]:
    """The successor ends when it has served."""
    name = f"successor-{instance or 'ordinary'}"
    progress = ProgressReader(settings)
    progress.catch_up()
    fleet.workers[0].stop(signal.SIGKILL)
    at = time.time()
    fleet.workers[0] = successor(bench, settings, instance, name)
    wait_for_progress(progress)
    visible_seconds = time.time() - at
    progress.close()
    time.sleep(1.0)
    code = fleet.workers[0].stop()
    assert code == 0, f"the successor ended with {code}: {fleet.workers[0].log.read_text()[-2000:]}"
    records = np.load(bench.folder / f"{name}.npz")["records"]
    sent_since = records[records[:, 0] > at]
    served = {p: float(sent_since[sent_since[:, 4] == p, 1].min(initial=np.inf)) for p in range(settings.partitions)}
    assert all(np.isfinite(list(served.values()))), f"partitions without a record since the kill: {served}"
    return {
        "serves_seconds": max(served.values()) - at,
        "first_absorb_seconds": float(records[:, 1].min()) - at,
        "visible_seconds": visible_seconds,
    }
