"""A worker with a million pending predictions is killed (-9); how long until its successor has absorbed a record?

The successor is started at the moment of the kill, as a supervisor would. It serves again when every partition has
absorbed a record that was sent after the kill; a trickle of predictions goes on all the time. The group's session
timeout, six seconds (the least that a broker allows by default), is part of it.
"""

from __future__ import annotations

import signal
import sys
import time
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


def recover(bench: Bench, fleet: Fleet, settings: Settings, now: float) -> dict[str, Any]:
    """Kill the fleet's worker; figures of its successor, which then stands in its place. ``now``: event time."""
    producer, _ = produce(bench, settings, TRICKLE_PER_SECOND, 1.0, now)
    try:
        time.sleep(3.0)
        found = kill_and_succeed(bench, fleet, settings)
    finally:
        producer.terminate()
        producer.wait(60)
    bench.say(
        f"killed; the successor absorbs {found['recovery_seconds_1m']:.2f} s later in all partitions, its progress "
        f"is visible after {found['recovery_visible_seconds_1m']:.2f} s (session {SESSION_SECONDS:.0f} s)"
    )
    return found | {"session_seconds": SESSION_SECONDS}


def kill_and_succeed(bench: Bench, fleet: Fleet, settings: Settings) -> dict[str, Any]:
    times = bench.folder / "successor.npz"
    progress = ProgressReader(settings)
    progress.catch_up()
    killed = fleet.workers[0]
    killed.stop(signal.SIGKILL)
    at = time.time()
    fleet.workers[0] = Worker(
        settings, bench.folder, "successor", (sys.executable, str(HERE / "timed_observer.py"), str(times))
    )
    progress.catch_up()
    before = {tp: offset + 1 for tp, offset in progress.offsets.items()}

    def visible() -> bool:
        progress.poll(0.02)
        return not progress.behind(before)

    wait_for(visible, RECOVERY_SECONDS_MOST, "the successor to publish progress of every partition")
    visible_seconds = time.time() - at
    progress.close()
    time.sleep(1.0)
    code = fleet.workers[0].stop()
    assert code == 0, f"the successor ended with {code}: {fleet.workers[0].log.read_text()[-2000:]}"
    records = np.load(times)["records"]
    sent_since = records[records[:, 0] > at]
    served = {p: float(sent_since[sent_since[:, 4] == p, 1].min(initial=np.inf)) for p in range(settings.partitions)}
    assert all(np.isfinite(list(served.values()))), f"partitions without a record since the kill: {served}"
    return {
        "recovery_seconds_1m": max(served.values()) - at,
        "recovery_first_absorb_seconds_1m": float(records[:, 1].min()) - at,
        "recovery_visible_seconds_1m": visible_seconds,
    }
