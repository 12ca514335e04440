"""`broker start | stop | status`: one daemon a state folder, found again, with its data, whatever happened to it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from driftloop.console.broker import launch
from driftloop.console.broker.daemon import running_broker, start_broker, stop_broker
from driftloop.console.broker.embedded import say_nothing
from driftloop.console.connection import QUIET
from driftloop.schemas.errors import Unavailable

from ..patience import GUARD_SECONDS


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_broker(tmp_path)


def admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "logger": QUIET})


@pytest.mark.kafka
def test_a_life_of_the_daemon(state: Path) -> None:
    assert running_broker(state) is None
    assert stop_broker(state) is False

    first = start_broker(state, say_nothing)
    assert running_broker(state) == first
    assert start_broker(state, say_nothing) == first, "a second start finds the first"
    client = admin(first.bootstrap)
    for future in client.create_topics([NewTopic("kept", 1)]).values():
        future.result(GUARD_SECONDS)

    assert stop_broker(state) is True
    assert running_broker(state) is None

    second = start_broker(state, say_nothing)
    assert second.bootstrap == first.bootstrap
    assert second.pid != first.pid
    assert "kept" in admin(second.bootstrap).list_topics(timeout=GUARD_SECONDS).topics

    os.kill(second.pid, signal.SIGKILL)
    deadline = time.monotonic() + GUARD_SECONDS
    while running_broker(state) is not None:
        assert time.monotonic() < deadline, "a broker that was killed still counts as running"
    third = start_broker(state, say_nothing)
    assert "kept" in admin(third.bootstrap).list_topics(timeout=GUARD_SECONDS).topics


@pytest.mark.kafka
def test_a_start_that_fails_shows_the_end_of_the_log(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "HEAP", ("-Xmx1k",))
    with pytest.raises(Unavailable, match=r"the end of .*broker\.log:\s+Error occurred during initialization of VM"):
        start_broker(state, say_nothing)
    assert running_broker(state) is None
