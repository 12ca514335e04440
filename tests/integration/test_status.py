"""`driftloop status`: what it says while services run, when they are stopped, and where nothing is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from driftloop.console.status_reading import read_status
from driftloop.console.status_report import as_json
from driftloop.schemas.settings import Settings

from ..patience import GUARD_SECONDS
from .loop import Loop, prepare, publish, running, steps_of
from .world import DAY, World, make_world


def status(loop: Loop, *more: str) -> tuple[int, str]:
    """(exit code, what it printed)."""
    done = subprocess.run(
        [sys.executable, "-m", "driftloop.console", "status", *more],
        env=loop.environment,
        capture_output=True,
        text=True,
        timeout=GUARD_SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def by_service(said: str) -> dict[str, Any]:
    return {one["service"]: one for one in json.loads(said)["services"]}


def services(loop: Loop) -> dict[str, Any]:
    """What `status --json` prints, without a process a look: waiting for something cost more than what it is."""
    return by_service(as_json(read_status(loop.settings)))


def caught_up(loop: Loop, world: World) -> bool:
    """Observer and judge have read everything, and somebody holds every partition."""
    found = services(loop)
    records = sum(2 if loan.label is not None else 1 for loan in world.loans)
    observer = [s for p in found["observer"]["partitions"] for s in p["sources"]]
    return (
        sum(s["next_offset"] for s in observer) >= records
        and all(found[name]["lag"] == 0 for name in ("observer", "judge"))
        and all(p["owner"] for name in ("observer", "judge") for p in found[name]["partitions"])
    )


@pytest.mark.kafka
def test_state_lag_and_owners_while_they_run_and_while_they_do_not(settings: Settings, tmp_path: Path) -> None:
    world = make_world(seed=4, history_days=2, days=4, per_day=60)
    history, live = steps_of(world)
    with running(settings, tmp_path) as loop:
        assert status(loop)[0] == 0  # empty topics: nothing waits, so nothing is wrong
        prepare(loop, world)
        code, said = status(loop)
        assert code == 1
        assert f"{len(history) + 8} records wait in 4 partitions and no observer runs" in said  # 8 time markers

        loop.start("observer", "judge")
        publish(settings, live, world.end)
        loop.wait("everything", lambda: caught_up(loop, world))
        code, said = status(loop)
        assert code == 0, said
        found = by_service(status(loop, "--json")[1])
        for name in ("observer", "judge"):
            one = found[name]
            assert (one["group_state"], len(one["members"]), one["problems"]) == ("STABLE", 1, [])
            assert 0 <= one["oldest_checkpoint_seconds"] < 3600
            owner = one["partitions"][0]["owner"]
            assert owner["client_id"].startswith(f"{settings.prefix}-{name}@")
            assert f"{owner['client_id']} ({owner['host']})" in said
            assert sum(p["bytes"] for p in one["partitions"]) > 1000

        loop.wait("the group's offsets", lambda: follows(loop))
        assert loop.stop("observer") == {"observer": 0}
        loop.wait("its last checkpoint to be judged", lambda: services(loop)["judge"]["lag"] == 0)
        assert loop.stop() == {"judge": 0}
        code, said = status(loop)
        assert code == 0, said  # transaction markers at the end of the panes are no lag
        publish(settings, [(world.end + DAY, False, world.loans[0])])
        code, said = status(loop)
        assert code == 1
        assert "observer: 1 records wait in 1 partitions and no observer runs: `driftloop observer`" in said


def follows(loop: Loop) -> bool:
    """The group's commits have reached what the state has absorbed."""
    sources = [s for p in services(loop)["observer"]["partitions"] for s in p["sources"]]
    return all(s["committed"] == s["next_offset"] for s in sources if s["next_offset"])


@pytest.mark.kafka
def test_missing_topics_are_named(settings: Settings, tmp_path: Path) -> None:
    with running(settings, tmp_path) as loop:
        state = settings.topic("observer-state")
        admin = AdminClient(settings.confluent())
        admin.delete_topics([state])[state].result(GUARD_SECONDS)
        code, said = status(loop)
        assert code == 1
        assert f"observer: no such topic: {state}; `driftloop topics apply` creates our topics" in said


def test_a_cluster_that_is_away_is_said(tmp_path: Path) -> None:
    loop = Loop(Settings(bootstrap_servers="127.0.0.1:1", state_folder=tmp_path), tmp_path)
    code, said = status(loop)
    assert code == 75
    assert said.startswith("driftloop: no Kafka cluster answers at 127.0.0.1:1")
