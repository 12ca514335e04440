"""`driftloop up` and `down` as a person uses them, without a cluster and with one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from driftloop.console import services
from driftloop.console.broker.daemon import running_broker
from driftloop.console.connection import QUIET
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.settings import Settings

from ..patience import GUARD_SECONDS

Run = Callable[[str], str]


def lives(pid: int | None) -> bool:
    """Not so for one that has ended but was not yet collected by process 1."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.fixture
def driftloop(tmp_path: Path) -> Iterator[Run]:
    """Runs one command with a state folder of its own and no cluster configured; what it said."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DRIFTLOOP_")}
    environment |= {"DRIFTLOOP_STATE": str(tmp_path), "DRIFTLOOP_PARTITIONS": "2"}

    def run(command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "driftloop.console", *command.split()],
            env=environment,
            capture_output=True,
            text=True,
            timeout=GUARD_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    yield run
    run("down")


@pytest.mark.kafka
def test_up_starts_everything_once_and_down_stops_it(driftloop: Run, tmp_path: Path) -> None:
    said = driftloop("up")
    assert [line.split()[0] for line in said.splitlines()] == [
        "broker",
        "topics",
        "observer",
        "judge",
        "retrainer",
        "all",
    ]
    broker = running_broker(tmp_path)
    assert broker is not None
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "logger": QUIET})
    for group in ("driftloop-observer", "driftloop-judge"):
        assert admin.describe_consumer_groups([group])[group].result(GUARD_SECONDS).members
    settings = Settings(state_folder=tmp_path)
    running = {name: services.background(settings, name).pid() for name in services.SERVICES}
    assert all(running.values())

    assert driftloop("up").count("runs already") == 3
    assert {name: services.background(settings, name).pid() for name in services.SERVICES} == running

    said = driftloop("down")
    assert [line.split() for line in said.splitlines()] == [
        ["observer", "stopped"],
        ["judge", "stopped"],
        ["retrainer", "stopped"],
        ["broker", "stopped"],
    ]
    assert running_broker(tmp_path) is None
    assert not any(lives(pid) for pid in running.values())
    assert "did not run" in driftloop("down")


@pytest.mark.kafka
def test_a_service_that_ends_at_once_is_told_with_the_end_of_its_log(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho topics are wrong; exit 2\n")
    program.chmod(0o755)
    monkeypatch.setattr(services.sys, "executable", str(program))
    said: list[str] = []
    with pytest.raises(
        Unavailable, match=r"observer ended while it started; the end of .*observer\.log:\s+topics are"
    ):
        services.up(settings, said.append)
    assert said[0] == f"broker     {settings.bootstrap_servers} (DRIFTLOOP_BOOTSTRAP_SERVERS)"
    services.down(settings, said.append)
    assert said[-1] == "broker     no embedded one ran"
