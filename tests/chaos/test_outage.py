"""What chaos runs have found around a broker's absence, each alone."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from driftloop.console.topics import apply_topics
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.state.writer import StateRecord, Writer

from ..patience import GUARD_SECONDS
from .cluster import Cluster
from .traffic import publish_specifications
from .workers import Workers

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("chaos")]


def settings_of(cluster: Cluster, folder: Path) -> Settings:
    """Of a deployment with its topics."""
    where = cluster.bootstrap
    settings = Settings(where, prefix="outage", partitions=4, state_folder=folder, session_seconds=6.0)
    apply_topics(settings)
    return settings


def test_a_worker_told_to_stop_ends_without_its_broker(tmp_path: Path) -> None:
    """It said "stopped" and lived on, and when the broker came back its fetching thread was a member of the group
    again, was given partitions and did nothing with them."""
    with Cluster() as cluster:
        settings = settings_of(cluster, tmp_path)
        publish_specifications(settings)
        workers = Workers(settings, tmp_path, static=False)
        try:
            worker = workers.start()
            deadline = time.monotonic() + GUARD_SECONDS
            while "ready: partitions 0, 1, 2, 3" not in worker.log.read_text():
                assert worker.running and time.monotonic() < deadline, worker.log.read_text()
                time.sleep(0.05)
            cluster.kill(0)
            worker.process.terminate()
            worker.process.wait(GUARD_SECONDS)
            assert worker.exit_name in ("STOPPED", "DEADLINE"), worker.log.read_text()
        finally:
            workers.end()


def test_a_transaction_that_the_broker_never_heard_of_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first request is lost with the broker, its records time out. Then there is nothing to abort, which the
    broker says as an error, and the worker ended as refused."""
    monkeypatch.setattr("driftloop.streams.transport.state.writer.TRANSACTION_SECONDS_MOST", 4)
    state = [StateRecord(b"a", b"1")]
    with Cluster() as cluster, ThreadPoolExecutor(1) as pool:
        settings = settings_of(cluster, tmp_path)
        writer = Writer(settings, "test", settings.topic("observer-state"), 0)
        assert writer.open(lambda: True)
        assert writer.write(state, [])
        cluster.freeze(0)
        writing = pool.submit(writer.write, state, [])
        time.sleep(0.5)  # for its first request to be on the way
        cluster.kill(0)
        deadline = time.monotonic() + GUARD_SECONDS
        while not writer._undelivered:
            assert not writing.done() and time.monotonic() < deadline
            time.sleep(0.05)
        cluster.start(0)
        assert writing.result(GUARD_SECONDS) is False
        writer.close()
        assert writer.open(lambda: True), "as a reload does"
        assert writer.write(state, [])
        writer.close()
