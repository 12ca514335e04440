"""The throw-away broker: it answers, it is light, and it dies with whoever asked for it, by kill -9 too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from driftloop.console.broker.embedded import EmbeddedBroker

from ..patience import GUARD_SECONDS

OWNER = """
import sys
from driftloop.console.broker.embedded import EmbeddedBroker
with EmbeddedBroker() as broker:
    print(broker.supervisor_pid, broker.bootstrap, broker.folder, flush=True)
    sys.stdin.read()
"""


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + GUARD_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def group_is_gone(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return True
    return False


def resident_mb(leader: int) -> float:
    listed = subprocess.run(
        ["ps", "-o", "rss=", "-g", str(leader)], capture_output=True, text=True, check=True
    ).stdout
    return sum(map(int, listed.split())) / 1024


def mapped(leader: int) -> list[str]:
    """What each process of the group has mapped."""
    pids = subprocess.run(["ps", "-o", "pid=", "-g", str(leader)], capture_output=True, text=True, check=True).stdout
    return [Path(f"/proc/{pid}/maps").read_text() for pid in pids.split()]


@pytest.mark.kafka
def test_a_broker_is_light_and_leaves_nothing() -> None:
    with EmbeddedBroker() as broker:
        cluster = AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=GUARD_SECONDS)
        assert len(cluster.brokers) == 1
        assert resident_mb(broker.supervisor_pid) < 400
        assert any("classes-" in maps for maps in mapped(broker.supervisor_pid)), (
            "its classes are those of the archive"
        )
        leader, folder = broker.supervisor_pid, broker.folder
    assert wait_until(lambda: group_is_gone(leader))  # and with it whoever held the port
    assert not folder.exists()


@pytest.mark.kafka
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "kill"])
def test_a_broker_dies_with_its_owner(how: signal.Signals) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdin is not None
    leader_text, _, folder = owner.stdout.readline().split()
    leader = int(leader_text)
    assert not group_is_gone(leader)
    owner.send_signal(how)
    owner.wait(GUARD_SECONDS)
    owner.stdin.close()
    owner.stdout.close()
    assert wait_until(lambda: group_is_gone(leader))
    assert wait_until(lambda: not Path(folder).exists())
