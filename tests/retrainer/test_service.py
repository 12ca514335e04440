"""The service on the real broker: from a planted window to the deployment, and through kill -9 at any moment."""

from __future__ import annotations

import dataclasses
import itertools
import random
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from driftloop.artefacts.keys import trusted_keys
from driftloop.artefacts.signature import verify
from driftloop.retrainer import reading
from driftloop.retrainer import service as service_module
from driftloop.retrainer.publish import ENDS_HEADER
from driftloop.retrainer.run import run
from driftloop.retrainer.runs import Plan, ends_from_bytes
from driftloop.retrainer.service import serve
from driftloop.schemas.codec import decode
from driftloop.schemas.errors import ConfigError
from driftloop.streams.transport.exits import Exit

from ..patience import GUARD_SECONDS
from .kafka_world import World, process, serving
from .stories import DAY, T0, Story, command, specification, trained_run, window

pytestmark = pytest.mark.kafka


def test_from_a_window_to_the_deployment(settings) -> None:
    world = World(settings)
    world.live(0, 8, "history", "v0")
    world.live(8, 6, "champion", "v1", seed=2)
    spec = world.spec.spec
    with serving(settings):
        world.say("commands", "loans", command("retrain", day=8))
        (first,) = world.ended(1)
        assert (first.kind, first.version, first.trigger) == ("promoted", "v1", "command")
        world.say("windows", "loans", window(9, labelled=900, spec=spec))
        declined = world.evaluated(T0 + 9 * DAY)
        assert (declined.accepted, declined.reason) == (
            False,
            "no incident is open; 900 labels of the 1188 that call for a fit",
        )
        world.say("windows", "loans", window(14, labelled=1100, incidents=["i1"], spec=spec))
        _, second = world.ended(2)
        assert (second.kind, second.version, second.trigger) == ("promoted", "v2", "incident")
        # A repeat and a revision of the same window start nothing; the next window is evaluated.
        world.say("windows", "loans", window(14, labelled=9700, incidents=["i2"], spec=spec))
        world.say("windows", "loans", window(15, labelled=1200, incidents=["i1"], spec=spec))
        world.evaluated(T0 + 15 * DAY)
    run = ["started", "trained", "gated", "published", "promoted"]
    assert world.kinds() == ["evaluated", *run, "evaluated", "evaluated", *run, "evaluated"]

    manifests = world.heard("models")
    assert [(m.version, m.parent, m.run) for m in manifests] == [("v1", "", first.run), ("v2", "v1", second.run)]
    assert [(d.champion, d.previous) for d in world.heard("deployments")] == [("v1", ""), ("v2", "v1")]
    for manifest in manifests:
        verify(manifest, trusted_keys(settings))
    gated = [d for d in world.heard("decisions") if d.kind == "gated"][1]
    assert gated.accepted
    assert (gated.inputs["held_out_days"], gated.inputs["held_out_rows"]) == (3, 300)
    assert gated.inputs["champion_log_loss"] > gated.inputs["candidate_log_loss"] + 0.05
    # Labels known at day 14 and not one more: the last two hours' are still to come.
    trained = [d for d in world.heard("decisions") if d.kind == "trained"]
    assert [t.dataset.rows for t in trained] == [8 * 100 - 8, 14 * 100 - 8]
    model = world.load(manifests[1])
    columns = {
        "income": np.array([-2.0, 0.0, 2.0, np.nan]),
        "debt": np.zeros(4),
        "region": np.array(["south", "south", "south", None], dtype=object),
    }
    low, middle, high, missing = model.predict_score(columns)
    assert low < 0.15 < middle < 0.75 < high
    assert 0 < missing < 1


@pytest.fixture
def gate(monkeypatch, tmp_path) -> Path:
    """The trainer `toy_trainers:patient` does not end before this file is there."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "toys"))
    monkeypatch.setenv("TOY_GATE", str(tmp_path / "gate"))
    return tmp_path / "gate"


def test_the_windows_of_a_training_model_wait_for_the_end_of_its_run(settings, gate) -> None:
    world = World(settings, specification(trainer="toy_trainers:patient"))
    world.live(0, 8, "history", "v0")
    spec = world.spec.spec
    with serving(settings):
        world.say("commands", "loans", command("retrain", day=8))
        world.wait("the start", lambda: "started" in world.kinds())
        for day in (9, 10, 11):
            world.say("windows", "loans", window(day, labelled=900, spec=spec))
        world.say("commands", "loans", command("retrain", day=9))  # a person is answered at once
        world.wait("the answer", lambda: world.kinds().count("evaluated") == 2)
        gate.touch()
        world.evaluated(T0 + 11 * DAY)
    run = ["trained", "gated", "published", "promoted"]
    assert world.kinds() == ["evaluated", "started", "evaluated", *run, *["evaluated"] * 3]
    assert world.heard("decisions")[2].reason == "a run of this model is going on"


def kill_until(world, log, rng, done) -> None:
    """Start the service and kill it with -9 after a random while, three times; then it may go on until ``done``, and
    is killed once more."""
    for _ in range(3):
        service = process(world.settings, log)
        threading.Event().wait(rng.uniform(0.5, 4.0))  # the moment of the kill, wherever that may be
        service.kill()
        service.wait()
    service = process(world.settings, log)
    try:
        world.wait("the end", done)
    finally:
        service.kill()
        service.wait()


def test_kill_at_random_moments_makes_one_run_one_manifest_one_deployment(settings, tmp_path) -> None:
    """What a kill can hit: start, join, transaction, training, answer, publication, deployment, the next window."""
    world, rng = World(settings), random.Random(1)
    world.live(0, 8, "history", "v0")
    world.live(8, 6, "champion", "v1", seed=2)
    world.say("commands", "loans", command("retrain", day=8))
    kill_until(world, tmp_path / "log", rng, lambda: "promoted" in world.kinds())
    for day in range(9, 18):
        incidents = ["i1"] if day == 14 else []
        world.say("windows", "loans", window(day, labelled=800 + 10 * day, incidents=incidents, spec=world.spec.spec))

    def last_is_evaluated() -> bool:
        return any(d.kind == "evaluated" and d.as_of == T0 + 17 * DAY for d in world.heard("decisions"))

    kill_until(world, tmp_path / "log", rng, last_is_evaluated)
    decisions = world.heard("decisions")
    runs = [d.run for d in decisions if d.kind == "started"]
    assert len(runs) == len(set(runs)) == 2
    for kind in ("trained", "gated", "published", "promoted"):
        assert [d.run for d in decisions if d.kind == kind] == runs
    assert [d.as_of for d in decisions if d.kind == "evaluated"] == [T0 + day * DAY for day in range(8, 18)]
    assert [(m.version, m.run) for m in world.heard("models")] == [("v1", runs[0]), ("v2", runs[1])]
    assert [d.champion for d in world.heard("deployments")] == ["v1", "v2"]
    for manifest in world.heard("models"):
        world.load(manifest)


def test_sigterm_stops_the_training_and_the_next_start_goes_on_with_it(settings, tmp_path, gate) -> None:
    world = World(settings, specification(trainer="toy_trainers:patient"))
    world.live(0, 8, "history", "v0")
    world.say("commands", "loans", command("retrain", day=8))
    service = process(settings, tmp_path / "log")
    runs = settings.state_folder / "retrainer" / "runs"
    world.wait("the training process", lambda: list(runs.glob("*/log.txt")))
    service.send_signal(signal.SIGTERM)
    assert service.wait(GUARD_SECONDS) == 0
    assert world.kinds() == ["evaluated", "started"]
    gate.touch()
    with serving(settings):
        (end,) = world.ended(1)
    assert end.kind == "promoted"
    assert len(list(runs.iterdir())) == 1


def plan_on_record(world, folder) -> Plan:
    """What a service on another machine would read of the run in progress."""
    messages = reading.read_topic(world.settings, "decisions")
    found = next(m for m in messages if decode(m.value()).kind == "started")
    ends = ends_from_bytes(dict(found.headers())[ENDS_HEADER])
    return Plan(decode(found.value()), world.spec.to_json(), ends, str(folder))


def test_the_same_run_elsewhere_and_later_gives_the_same_artefact(settings, tmp_path) -> None:
    world = World(settings)
    world.live(0, 8, "history", "v0")
    world.say("commands", "loans", command("retrain", day=8))
    service = process(settings, tmp_path / "log")
    world.wait("the start", lambda: "started" in world.kinds())
    service.send_signal(signal.SIGKILL)
    service.wait()
    found = set()
    for name in ("first", "second"):
        elsewhere = dataclasses.replace(settings, state_folder=tmp_path / name)
        ended = run(plan_on_record(world, tmp_path), elsewhere, world.spec)
        found.add((ended.artefact.sha256, ended.dataset.sha256, ended.dataset.rows, ended.dataset.offsets))
        world.live(7, 2, "champion", "v1", seed=2)  # among the records behind the end, some as old as the run's own
    assert len(found) == 1


def test_of_two_retrainers_one_is_fenced_and_the_other_goes_on(settings, tmp_path) -> None:
    """Mostly the first. But if the second's joining makes it start over, it is the one who has come last."""
    world = World(settings)
    both = {"first": process(settings, tmp_path / "first")}
    try:
        world.say("windows", "loans", window(1, spec=world.spec.spec))
        world.evaluated(T0 + DAY)
        both["second"] = process(settings, tmp_path / "second")
        days = itertools.count(2, 0.01)  # a window of the future would be refused, however long this takes

        def gone() -> list[str]:
            """One leaves when it has something to write: any partition may be its own."""
            day = next(days)
            world.say("windows", f"key {day}", window(day, spec=world.spec.spec))
            return [name for name, one in both.items() if one.poll() is not None]

        (fenced,) = world.wait("the end of one", gone)
        assert both.pop(fenced).returncode == Exit.FENCED
        assert "another retrainer" in (tmp_path / fenced).read_text()
        last = next(days)
        world.say("windows", "loans", window(last, spec=world.spec.spec))
        world.evaluated(T0 + last * DAY)
        (left,) = both.values()
        left.terminate()
        assert left.wait(GUARD_SECONDS) == Exit.STOPPED
    finally:
        for one in both.values():
            one.kill()
            one.wait()
    evaluated = [d.as_of for d in world.heard("decisions")]
    assert evaluated == sorted(set(evaluated))


def test_a_bad_record_is_a_dead_letter_and_a_foreign_command_is_not_ours(settings) -> None:
    world = World(settings)
    with serving(settings):
        world.producer.produce(settings.topic("windows"), b"\xc3\x01nonsense", b"loans")
        world.say("commands", "loans", command("silence"))
        world.say("commands", "loans", dataclasses.replace(command("retrain"), model="nobody's"))
        world.say("windows", "loans", window(1, spec="0" * 16))
        world.say("windows", "loans", window(2, spec=world.spec.spec))
        world.evaluated(T0 + 2 * DAY)
        letters = world.wait("the dead letter", lambda: reading.read_topic(settings, "dead-letter"))
    headers = dict(letters[0].headers())
    assert letters[0].value() == b"\xc3\x01nonsense"
    assert headers["__connect.errors.topic"].decode() == settings.topic("windows")
    assert headers["driftloop.reason"] in (b"unknown-schema", b"truncated", b"unknown-framing")
    assert world.kinds() == ["evaluated"]


def test_a_decision_that_somebody_else_has_written_stops_no_start(settings, caplog) -> None:
    world = World(settings)
    for value in (b"", b"\xc3\x01nonsense"):
        world.producer.produce(settings.topic("decisions"), value, b"loans")
    world.say("decisions", "loans", command("retrain"))
    with serving(settings):
        world.say("windows", "loans", window(2, spec=world.spec.spec))
        world.wait("the evaluation", lambda: len(reading.read_topic(settings, "decisions")) == 4)
    assert caplog.text.count("is passed over") == 3


def test_a_crash_between_manifest_and_deployment_leaves_only_the_deployment_to_do(settings) -> None:
    """The log as it stands after the first of the two transactions; a start makes the second and trains nothing."""
    world = World(settings)
    story = Story(world.spec)
    story.hear(command("retrain"))
    story.hear(trained_run(story.state.run.run, day=0))
    for decision in story.decisions:
        world.say("decisions", "loans", decision)
    with serving(settings):
        (end,) = world.ended(1)
    assert (end.kind, end.version) == ("promoted", "v1")
    assert [(d.champion, d.run) for d in world.heard("deployments")] == [("v1", end.run)]
    assert world.heard("models") == []
    assert not (settings.state_folder / "retrainer").exists()


def test_a_deployment_without_topics_is_refused_with_the_way_out(settings) -> None:
    nowhere = dataclasses.replace(settings, prefix="t-nowhere")
    with pytest.raises(ConfigError, match="there is no topic t-nowhere") as caught:
        serve(nowhere, threading.Event())
    assert caught.value.hint == "driftloop topics apply"


def test_where_nothing_answers_it_tries_again_until_told_to_stop(settings, caplog, monkeypatch) -> None:
    monkeypatch.setattr(service_module, "TRANSACTION_SECONDS_MOST", 0.3)
    stop = threading.Event()

    def stop_when_tried_twice() -> None:
        while caplog.text.count("starting over") < 2:
            threading.Event().wait(0.02)
        stop.set()

    threading.Thread(target=stop_when_tried_twice, daemon=True).start()
    assert serve(dataclasses.replace(settings, bootstrap_servers="127.0.0.1:1"), stop) == 0
