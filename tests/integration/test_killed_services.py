"""kill -9 changes no number: the same slice undisturbed, and with every service killed at random moments."""

from __future__ import annotations

import dataclasses
import random
import time
from pathlib import Path

import pytest
from driftloop.schemas.events import DecisionRecorded, WindowMeasured
from driftloop.schemas.settings import Settings

from .loop import MODEL, Loop, ended_runs, final_windows, prepare, publish, running, steps_of
from .world import DAY, World, expected_windows, make_world

SERVICES = ("observer", "judge", "retrainer")


def everything_arrived(loop: Loop, world: World) -> bool:
    """The last window is final, and its evaluation (which waits for a run in progress) is on the record."""
    last_day = world.end - DAY
    final = any(w.closing == "labels" and w.window_start == last_day for w in loop.read("windows"))
    decisions = loop.read("decisions")
    evaluated = any(d.kind == "evaluated" and d.as_of >= world.end for d in decisions)
    started = {d.run for d in decisions if d.kind == "started"}
    return final and evaluated and started == {d.run for d in ended_runs(decisions)}


def told(loop: Loop) -> tuple[dict[object, WindowMeasured], list[DecisionRecorded]]:
    """Final windows and decisions, in an order that no clock decides."""
    decisions = [d for d in loop.read("decisions") if isinstance(d, DecisionRecorded)]
    order = {"evaluated": 0, "started": 1, "trained": 2, "gated": 3, "published": 4, "promoted": 5, "rejected": 5}
    decisions.sort(key=lambda d: (d.as_of, d.run, order[d.kind]))
    return final_windows(loop.read("windows")), decisions


def live_slice(loop: Loop, world: World) -> None:
    prepare(loop, world)
    loop.start(*SERVICES)
    loop.command("retrain", MODEL, "--author", "test", "--reason", "first model")
    loop.wait("the first model", lambda: ended_runs(loop.read("decisions")))


@pytest.mark.kafka
def test_kills_at_random_moments_change_no_window_and_no_decision(settings: Settings, tmp_path: Path) -> None:
    world = make_world(seed=5, days=24, change_day=13)
    end = world.end + 2.5 * DAY  # the last label horizon, and the disorder that watermarks allow for
    results = {}
    for name in ("undisturbed", "killed"):
        here = dataclasses.replace(
            settings,
            prefix=f"{settings.prefix}-{name}",
            state_folder=settings.state_folder / name,
            instance_id="one",
        )
        logs = tmp_path / name
        logs.mkdir()
        with running(here, logs) as loop:
            loop.command("topics", "apply")
            live_slice(loop, world)
            if name == "undisturbed":
                publish(here, steps_of(world)[1], end)
            else:
                publish_between_kills(loop, world, end)
            loop.wait("everything", lambda loop=loop: everything_arrived(loop, world))
            results[name] = told(loop)
            assert len([d for d in results[name][1] if d.kind == "promoted"]) >= 2
            deployments = [d.champion for d in loop.read("deployments")]
            assert deployments == sorted(set(deployments)), "a deployment was repeated or lost"

    windows, decisions = results["undisturbed"]
    assert results["killed"][0] == windows
    assert [d.kind for d in results["killed"][1]] == [d.kind for d in decisions]
    assert results["killed"][1] == decisions
    for start, truth in expected_windows(world, until=end).items():
        window = windows[start, "v1"]
        assert (window.predictions, window.labelled) == (truth["predictions"], truth["labelled"])
        assert window.metrics["log_loss"].value == pytest.approx(truth["log_loss"], abs=1e-9)


def publish_between_kills(loop: Loop, world: World, end: float) -> None:
    """The same records in eight parts, and a service killed with -9 behind every one of them, then started again."""
    rng = random.Random(7)
    victims = [*SERVICES, *SERVICES, *rng.sample(SERVICES, 2)]
    rng.shuffle(victims)
    steps = steps_of(world)[1]
    size = len(steps) // len(victims) + 1
    for i, victim in enumerate(victims):
        part = steps[i * size : (i + 1) * size]
        publish(loop.settings, part, end if i == len(victims) - 1 else None)
        time.sleep(rng.random() * 1.5)  # the moment of the kill: anywhere in the work just given
        loop.kill(victim)
        loop.start(victim)
