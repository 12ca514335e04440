"""Told to stop while the cluster is away: a worker must end all the same.

Seen in a chaos run: it said "stopped" and lived on, and when the broker came back its fetching thread was a member of
the group again, was given partitions and did nothing with them.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from driftloop.console.topics import apply_topics
from driftloop.schemas.settings import Settings

from .cluster import Cluster
from .traffic import publish_specifications
from .workers import Workers

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("chaos")]
END_SECONDS_MOST = 30.0
"""15 s to drain, and what the machine needs."""


def test_a_worker_told_to_stop_ends_without_its_broker(tmp_path: Path) -> None:
    with Cluster() as cluster:
        settings = Settings(
            bootstrap_servers=cluster.bootstrap,
            prefix="outage",
            partitions=4,
            state_folder=tmp_path,
            session_seconds=6,
        )
        apply_topics(settings)
        publish_specifications(settings)
        workers = Workers(settings, tmp_path, static=False)
        try:
            worker = workers.start()
            deadline = time.monotonic() + 60
            while "ready: partitions 0, 1, 2, 3" not in worker.log.read_text():
                assert worker.running and time.monotonic() < deadline, worker.log.read_text()
                time.sleep(0.05)
            cluster.kill(0)
            worker.process.terminate()
            worker.process.wait(END_SECONDS_MOST)
            assert worker.exit_name in ("STOPPED", "DEADLINE"), worker.log.read_text()
        finally:
            workers.end()
