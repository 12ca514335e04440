"""One measured run of the observer on topics of its own: fill, start, release, check that every pair was joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backlog_topics import SOURCES, make_backlog
from bench import PARTITIONS, Bench
from driftloop.schemas.settings import Settings
from measuring import told, work_off
from processes import Fleet
from stream import MODEL, Record, Stream, publish_monitors


class Run:
    """``found``: figures of ``workers`` workers over the whole backlog; the topics are still there."""

    def __init__(
        self,
        bench: Bench,
        prefix: str,
        stream: Stream,
        every: Sequence[Record],
        models: Sequence[str] = (MODEL,),
        workers: int = 1,
    ) -> None:
        self.settings: Settings = bench.settings(prefix)
        backlog = make_backlog(self.settings, stream, every)
        publish_monitors(self.settings, stream, models)
        with Fleet(self.settings, bench.folder, workers) as fleet:
            shares = fleet.shares()
            assert shares == [PARTITIONS // workers] * workers, f"{workers} workers hold {shares} partitions"
            self.found: dict[str, Any] = work_off(fleet, backlog) | told(self.settings) | {"partitions_each": shares}
        backlog.end()
        self.found |= traffic(self.settings, bench.broker_folder, self.found)
        pairs = len(stream.event_time)
        assert self.found["joined"] == pairs, f"{self.found['joined']} of {pairs} pairs were joined"
        assert self.found["dead_letters"] == 0, f"{self.found['dead_letters']} dead letters"


def traffic(settings: Settings, broker_folder: Path, found: dict[str, Any]) -> dict[str, float]:
    """Bytes on the broker's disk: the sources (lz4, written once, read once), the state log, the panes."""
    sources = sum(topic_bytes(settings, broker_folder, short) for short in SOURCES)
    return {
        "source_bytes_per_event": sources / found["events"],
        "state_log_bytes_per_event": topic_bytes(settings, broker_folder, "observer-state") / found["events"],
        "panes_topic_bytes_per_event": topic_bytes(settings, broker_folder, "panes") / found["events"],
    }


def topic_bytes(settings: Settings, broker_folder: Path, short: str) -> int:
    """Of a topic's segments."""
    return sum(log.stat().st_size for log in broker_folder.rglob(f"{settings.topic(short)}-*/*.log"))
