"""Training processes: limits kept, ends told, nothing left behind. On the real broker, for they read from it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from driftloop.retrainer import jobs as jobs_module
from driftloop.retrainer import reading
from driftloop.retrainer.jobs import Jobs, run_folder
from driftloop.retrainer.runs import Plan, RunEnded
from driftloop.schemas.events import DecisionRecorded

from ..patience import GUARD_SECONDS
from .kafka_world import World
from .stories import DAY, T0, specification

pytestmark = pytest.mark.kafka
TOYS = str(Path(__file__).parent / "toys")


@pytest.fixture
def world(settings, monkeypatch) -> World:
    monkeypatch.setenv("PYTHONPATH", TOYS)
    world = World(settings)
    world.live(0, 6, "history", "v0", per_day=40)
    return world


def plan_for(world, trainer, run="r1", **retrain) -> tuple[Plan, object]:
    spec = specification(trainer=trainer, minimum_labels=50, **retrain)
    details = {"spec": spec.spec, "trainer": trainer}
    started = DecisionRecorded("loans", "started", T0 + 6 * DAY, run, "command", True, "", "v1", details=details)
    folder = run_folder(world.settings, run)
    return Plan(started, spec.to_json(), reading.log_ends(world.settings), str(folder)), spec.retrain


def ended(jobs: Jobs) -> RunEnded:
    """The end of the one run, waited for without blocking it."""
    deadline = time.monotonic() + GUARD_SECONDS
    while time.monotonic() < deadline:
        if found := jobs.finished():
            return found[0]
        threading.Event().wait(0.02)
    raise AssertionError("the run does not end")


def test_a_users_own_trainer_is_run_and_its_model_stored(world) -> None:
    jobs = Jobs(world.settings)
    plan, retrain = plan_for(world, "toy_trainers:share")
    jobs.start(plan, retrain)
    assert "r1" in jobs
    found = ended(jobs)
    assert (found.failure, found.accepted, found.reason) == ("", True, "first model")
    assert (found.labelled, found.dataset.rows) == (237, 237)
    assert (world.settings.artefacts / found.artefact.uri).stat().st_size == found.artefact.size_bytes
    assert len(jobs) == 0


@pytest.mark.parametrize(
    ("trainer", "limits", "failure", "in_log"),
    [
        ("toy_trainers:hungry", {"memory_limit_mb": 400}, "exit code 1: MemoryError", "MemoryError"),
        ("toy_trainers:slow", {"time_limit_seconds": 3.0}, "longer than the limit of 3 s", ""),
        ("toy_trainers:crashing", {}, "signal SIGSEGV", "labelled rows read"),
        ("toy_trainers:killed_by_a_nameless_signal", {}, f"signal {signal.SIGRTMIN + 6}", ""),
        ("toy_trainers:wrong", {}, "exit code 1: ZeroDivisionError: a bug of the user's", "Traceback"),
        (
            "toy_trainers:no_model",
            {},
            "of type int, which has no predict_score(columns)",
            "see artefacts/predictor.py",
        ),
        ("toy_trainers:odd", {}, "does not give one probability a row", "within 0..1"),
        ("toy_trainers:absent", {}, "toy_trainers has no function absent", "for example trainer"),
        ("nowhere:train", {}, "nowhere cannot be imported", "for example trainer"),
    ],
)
def test_a_run_that_breaks_says_how(world, trainer, limits, failure, in_log) -> None:
    jobs = Jobs(world.settings)
    jobs.start(*plan_for(world, trainer, **limits))
    found = ended(jobs)
    assert failure in found.failure
    assert in_log in found.log
    assert (found.accepted, found.artefact, len(jobs)) == (False, None, 0)


def test_an_answer_from_before_a_crash_is_not_asked_for_again(world) -> None:
    plan, retrain = plan_for(world, "toy_trainers:share")
    first = Jobs(world.settings)
    first.start(plan, retrain)
    answer = ended(first)
    again = Jobs(world.settings)
    again.start(plan, retrain)
    assert again.finished() == [answer]
    # The answer of another run in the same place would be none, and half an answer is none either.
    other, _ = plan_for(world, "toy_trainers:share", run="r2")
    (Path(plan.folder) / jobs_module.RESULT).rename(Path(plan.folder).parent / "kept")
    Path(other.folder).mkdir()
    (Path(plan.folder).parent / "kept").rename(Path(other.folder) / jobs_module.RESULT)
    again.start(other, retrain)
    assert ended(again).run == "r2"


def test_stopping_leaves_no_process_behind(world) -> None:
    jobs = Jobs(world.settings)
    jobs.start(*plan_for(world, "toy_trainers:slow"))
    pid = jobs._jobs["r1"].process.pid
    log = run_folder(world.settings, "r1") / jobs_module.LOG
    world.wait("the training", lambda: "this may take a while" in log.read_text())
    jobs.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert len(jobs) == 0


def test_what_a_trainer_has_started_ends_with_it(world) -> None:
    jobs = Jobs(world.settings)
    jobs.start(*plan_for(world, "toy_trainers:leaves_a_process"))
    log = run_folder(world.settings, "r1") / jobs_module.LOG
    world.wait("the training", lambda: "left it" in log.read_text())
    left = Path("/proc") / log.read_text().rpartition("left it ")[2].strip() / "stat"
    jobs.stop()
    world.wait("its end", lambda: _is_over(left))


def _is_over(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_child_leaves_when_its_service_is_gone(world) -> None:
    """kill -9 of the service closes the child's stdin and nothing else tells it."""
    jobs = Jobs(world.settings)
    jobs.start(*plan_for(world, "toy_trainers:slow"))
    process = jobs._jobs["r1"].process
    log = run_folder(world.settings, "r1") / jobs_module.LOG
    world.wait("the training", lambda: "this may take a while" in log.read_text())
    process.stdin.close()
    assert process.wait(GUARD_SECONDS) == 77
