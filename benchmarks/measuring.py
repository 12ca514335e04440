"""From the release of a backlog to the transaction that has saved its last record: CPU, wall, memory."""

from __future__ import annotations

import time
from typing import Any

from backlog_topics import Backlog, ProgressReader, read_topic
from driftloop.schemas.codec import decode
from driftloop.schemas.events import Pane
from driftloop.schemas.settings import Settings
from processes import Fleet

SECONDS_MOST = 600.0


def work_off(fleet: Fleet, backlog: Backlog) -> dict[str, Any]:
    """Release it, wait until all of it is saved; what that took."""
    progress = ProgressReader(backlog.settings)
    progress.poll(0.2)
    base_mb = max(worker.resident_mb() for worker in fleet.workers)
    before, start = fleet.cpu_seconds(), time.perf_counter()
    backlog.release()
    while progress.behind(backlog.ends):
        progress.poll(0.05)
        if time.perf_counter() - start > SECONDS_MOST:
            raise TimeoutError(f"{progress.behind(backlog.ends)} partitions are still behind")
    wall_seconds = time.perf_counter() - start
    cpu = [now - then for now, then in zip(fleet.cpu_seconds(), before, strict=True)]
    progress.close()
    return {
        "events": backlog.count,
        "wall_seconds": wall_seconds,
        "cpu_seconds": sum(cpu),
        "cpu_seconds_each": cpu,
        "cpu_us_per_event": 1e6 * sum(cpu) / backlog.count,
        "events_per_second_per_core": backlog.count / sum(cpu),
        "base_mb": base_mb,
        "peak_rss_mb": max(worker.resident_mb(peak=True) for worker in fleet.workers),
    }


def told(settings: Settings) -> dict[str, int]:
    """Panes told, and labelled rows in the last revision of each: the pairs joined."""
    latest: dict[tuple[Any, ...], Pane] = {}
    panes = 0
    for event in map(decode, read_topic(settings, "panes")):
        if isinstance(event, Pane):
            panes += 1
            if event.kind == "labels":
                p = event
                key = (p.model, p.version, p.role, p.spec, p.pane_start, p.partition, p.bucket)
                if key not in latest or latest[key].revision <= event.revision:
                    latest[key] = event
    return {
        "panes": panes,
        "joined": sum(pane.counts["labelled"] for pane in latest.values()),
        "dead_letters": len(read_topic(settings, "dead-letter")),
    }
