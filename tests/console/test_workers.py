"""`driftloop observer --workers 2`: a parent, two workers, and what becomes of them when one of the three dies."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from driftloop.console.restarts import CRASHES_MOST, Restarts
from driftloop.console.workers import ended, take_seats
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.exits import Exit

from ..patience import GUARD_SECONDS


@pytest.mark.parametrize("code", [Exit.STOPPED, Exit.CONFIG, Exit.REFUSED, Exit.SOURCE_LOST, 2])
def test_what_would_end_the_same_way_is_not_started_again(code: int) -> None:
    assert Restarts().wait_after(code, 100.0) is None


def test_crashes_in_a_row_wait_longer_and_have_an_end() -> None:
    restarts = Restarts()
    waits = [restarts.wait_after(-signal.SIGKILL, 1.0) for _ in range(CRASHES_MOST + 1)]
    assert waits == [0, 1, 2, 4, 8, 16, 30, 30, None]


def test_a_worker_that_has_worked_is_started_again_at_once() -> None:
    restarts = Restarts()
    assert [restarts.wait_after(Exit.FENCED, lived) for lived in (1, 1, 3600, 1)] == [0, 1, 0, 1]


def test_one_that_has_worked_waits_for_a_cluster_that_is_away_as_long_as_it_takes() -> None:
    stranger, worked = Restarts(), Restarts()
    assert [stranger.wait_after(Exit.UNAVAILABLE, 9.0) for _ in range(CRASHES_MOST + 1)][-1] is None
    worked.wait_after(Exit.UNAVAILABLE, 3600.0)
    waits = [worked.wait_after(Exit.UNAVAILABLE, 9.0) for _ in range(5_000)]
    assert (waits[0], set(waits[CRASHES_MOST:])) == (1, {30.0})
    assert worked.wait_after(Exit.BROKEN, 9.0) is None


def test_an_end_is_told_in_words() -> None:
    assert ended(-9) == "ended by signal 9"
    assert ended(70) == "ended with exit code 70 (fenced)"


def test_the_same_command_a_second_time_takes_other_seats(tmp_path: Path) -> None:
    settings = Settings(state_folder=tmp_path, instance_id="here")
    first = take_seats(settings, "observer", 2)
    assert [name for _, name, _ in first] == ["here-1", "here-2"]
    assert [name for _, name, _ in take_seats(settings, "observer", 1)] == ["here-3"]
    assert [name for _, name, _ in take_seats(settings, "judge", 1)] == ["here-1"]
    first[0][2].close()
    assert [number for number, _, _ in take_seats(settings, "observer", 1)] == [1]


class Parent:
    def __init__(self, settings: Settings, log: Path) -> None:
        self.settings, self.log = settings, log
        self.admin = AdminClient(settings.confluent())
        environment = replace(settings, session_seconds=3 * GUARD_SECONDS, instance_id="here").environment(os.environ)
        command = [sys.executable, "-m", "driftloop.console", "observer", "--workers", "2"]
        with log.open("wb") as file:
            self.process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def workers(self) -> dict[int, int]:
        """Process id by the worker's number, as last started."""
        return {int(n): int(pid) for n, pid in re.findall(r"\[(\d)\] started as \S+, process (\d+)", self.said())}

    def came_and_went(self, number: int) -> list[str]:
        """Starts and ends of a worker, and the assignments it has taken up."""
        return re.findall(rf"\[{number}\] (?:started|ended|.* ready:).*", self.said())

    def wait(self, fact: Callable[[], object], seconds: float = GUARD_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not fact():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def members(self) -> dict[str, list[int]]:
        """The partitions of each member of the group by its instance id, as `kafka-consumer-groups` sees them."""
        group = self.settings.group("observer")
        described = self.admin.describe_consumer_groups([group])[group].result(GUARD_SECONDS)
        return {
            m.group_instance_id: sorted({tp.partition for tp in m.assignment.topic_partitions})
            for m in described.members
        }

    def at_work(self) -> bool:
        return sorted(self.members().values()) == [[0, 1], [2, 3]]


@pytest.fixture
def parent(settings: Settings, tmp_path: Path) -> Iterator[Parent]:
    found = Parent(settings, tmp_path / "log")
    yield found
    if found.process.poll() is None:
        found.process.kill()
        found.process.wait()
    found.wait(lambda: not any(alive(pid) for pid in found.workers().values()))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.kafka
def test_two_workers_share_the_partitions_until_the_parent_is_told_to_stop(parent: Parent) -> None:
    parent.wait(parent.at_work)
    assert set(parent.members()) == {"here-1", "here-2"}
    parent.process.terminate()
    assert parent.process.wait(GUARD_SECONDS) == Exit.STOPPED
    for number in (1, 2):
        assert re.search(rf"\[{number}\] .* observer INFO stopped", parent.said())


@pytest.mark.kafka
def test_a_killed_worker_is_started_again_and_the_other_is_left_alone(parent: Parent) -> None:
    parent.wait(parent.at_work)
    shares = parent.members()
    for number in (1, 2):
        parent.wait(lambda n=number: re.search(rf"\[{n}\] .* ready: partitions \d, \d in", parent.said()))
    killed = parent.workers()[1]
    of_the_other = parent.came_and_went(2)
    os.kill(killed, signal.SIGKILL)
    parent.wait(lambda: parent.workers()[1] != killed)
    parent.wait(lambda: len(re.findall(r"\[1\] .* ready: partitions \d, \d in", parent.said())) >= 2)
    assert "[1] ended by signal 9; starting it again in 0 s" in parent.said()
    assert parent.members() == shares
    assert parent.came_and_went(2) == of_the_other


@pytest.mark.kafka
def test_workers_end_with_a_parent_that_is_killed(parent: Parent) -> None:
    parent.wait(parent.at_work)
    workers = list(parent.workers().values())
    parent.process.kill()
    parent.process.wait()
    parent.wait(lambda: not any(alive(pid) for pid in workers))


@pytest.mark.kafka
def test_what_only_a_person_can_mend_ends_all(settings: Settings, tmp_path: Path) -> None:
    from dataclasses import replace

    parent = Parent(replace(settings, prefix=f"{settings.prefix}-none"), tmp_path / "log")
    assert parent.process.wait(GUARD_SECONDS) == Exit.CONFIG
    assert "no such topic" in parent.said()
    assert "(config); all stop" in parent.said()
