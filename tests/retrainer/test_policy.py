"""The policy told as transcripts: what is heard, what goes on the record, and what the state remembers."""

from __future__ import annotations

import itertools
import math

import pytest
from driftloop.retrainer.policy import HANDLERS, Deploy, Train, check_time, concerns, decide, pending, rebuild
from driftloop.retrainer.runs import RunEnded, run_id
from driftloop.retrainer.state import (
    IDLE,
    PUBLISHED,
    RUNNING,
    TRANSITIONS,
    WAITING,
    ModelState,
    UnknownTransition,
    fold,
)
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import DecisionRecorded, DeploymentChanged

from .stories import DAY, T0, Story, command, first_model, specification, trained_run, window


def test_a_first_model_is_a_persons_order_and_goes_all_the_way() -> None:
    story = Story(specification())
    assert story.hear(window(1, labelled=5000)) == ["declined"]
    assert story.reason == "nothing was fitted yet; 5000 labels are known"
    assert story.hear(command("retrain", day=1.5)) == ["accepted", "started"]
    run = run_id("loans", T0 + 1.5 * DAY, "command", 0)
    assert story.todo == [Train(story.last)]
    assert (story.last.version, story.last.run, story.state.name) == ("v1", run, RUNNING)
    assert story.last.details == {
        "spec": story.specification.spec,
        "trainer": "driftloop.retrainer.river_trainer:train",
    }
    assert story.hear(trained_run(run, day=1)) == ["trained", "gated", "published"]
    assert isinstance(story.todo[0], Deploy)
    assert story.hear(DeploymentChanged("loans", "v1", T0, "", "", T0, run, "")) == ["promoted"]
    assert (story.state.name, story.state.champion, story.todo) == (IDLE, "v1", [])


def test_volume_starts_a_run_when_labels_have_grown_by_the_factor() -> None:
    story = first_model(Story(specification()))
    assert story.hear(window(4, labelled=1499)) == ["declined"]
    assert story.reason == "no incident is open; 1499 labels of the 1500 that call for a fit"
    assert story.last.thresholds["labels_for_volume"] == 1500
    assert story.hear(window(5, labelled=1500)) == ["accepted", "started"]
    assert (story.last.trigger, story.last.version, story.last.details["parent"]) == ("volume", "v2", "v1")
    assert story.finish(5, labelled=1490) == ["trained", "gated", "published", "promoted"]
    # The next growth counts from what the window knew, not from what could be joined.
    story.hear(window(9, labelled=2000))
    assert story.last.thresholds["labels_for_volume"] == 2250


def test_an_incident_is_answered_once() -> None:
    story = first_model(Story(specification()))
    assert story.hear(window(4, labelled=1200, incidents=["i1"])) == ["accepted", "started"]
    assert (story.last.trigger, story.reason) == ("incident", "incident i1 is open")
    story.finish(4, labelled=1200)
    assert story.hear(window(8, labelled=1400, incidents=["i1"])) == ["declined"]
    assert story.reason.startswith("incident i1 was answered; 1400 labels of the 1800")
    assert story.hear(window(9, labelled=1400, incidents=["i1", "i2"])) == ["accepted", "started"]
    assert story.reason == "incident i2 is open"


def test_nothing_is_learned_while_a_data_quality_incident_is_open() -> None:
    story = first_model(Story(specification()))
    broken = {"quality_incidents": ("q1",), "status": "DRIFT"}
    assert story.hear(window(4, labelled=1200, incidents=["i1"], **broken)) == ["declined"]
    assert story.reason == "incident i1 is open; a data quality incident is open: q1"
    assert story.hear(window(5, labelled=9000, **broken)) == ["declined"]
    assert story.reason.endswith("a data quality incident is open: q1"), "nor for the volume of labels"
    assert story.last.inputs["quality_incidents"] == 1.0
    assert story.hear(command("retrain", 5.5)) == ["refused"]
    assert story.hear(window(6, labelled=9100, incidents=["i1"])) == ["accepted", "started"]
    forced = first_model(Story(specification()))
    forced.hear(window(4, labelled=1200, **broken))
    assert forced.hear(command("retrain", 4.5, force="yes")) == ["accepted", "started"]


def test_a_rejected_candidate_answers_the_incident_too_but_a_failed_run_does_not() -> None:
    story = first_model(Story(specification()))
    story.hear(window(4, labelled=1200, incidents=["i1"]))
    assert story.finish(4, labelled=1200, accepted=False) == ["trained", "gated", "rejected"]
    assert (story.state.champion, story.state.labels_at_fit) == ("v1", 1200)
    assert story.hear(window(8, labelled=1400, incidents=["i1"])) == ["declined"]

    story = first_model(Story(specification()))
    story.hear(window(4, labelled=1200, incidents=["i1"]))
    assert story.hear(RunEnded("loans", story.state.run.run, failure="out of memory", log="Traceback")) == ["failed"]
    assert (story.reason, story.last.details) == ("out of memory", {"log": "Traceback"})
    assert story.hear(window(6, labelled=1300, incidents=["i1"])) == ["declined"]
    assert "cooling down until 2023-11-22 00:00 UTC" in story.reason
    assert story.hear(window(7, labelled=1300, incidents=["i1"])) == ["accepted", "started"]
    assert story.last.version == "v2"


@pytest.mark.parametrize(
    ("settings", "heard", "why"),
    [
        ({}, window(4, 1050, ["i1"]), "only 50 new labels since the last fit, 100 are needed"),
        ({"cooldown_seconds": 9 * DAY}, window(4, 2000), "cooling down until 2023-11-24 00:00 UTC"),
        (
            {"cooldown_seconds": 0.0, "runs_per_day": 1},
            window(0.5, 2000),
            "1 runs within a day are as many as allowed",
        ),
        (
            {},
            window(4, 2000, ["i1"], status="UNKNOWN", reason="no data", predictions=0),
            "the window is UNKNOWN: no data",
        ),
        ({"mode": "observe"}, window(4, 2000), "mode observe: nothing is started"),
    ],
)
def test_every_guard_says_why(settings, heard, why) -> None:
    story = first_model(Story(specification(**settings)))
    assert story.hear(heard) == ["declined"]
    assert story.reason.endswith(why)
    assert story.last.trigger in ("incident", "volume")
    assert not story.last.accepted
    assert story.state.name == IDLE


def test_nothing_is_learned_in_a_maintenance_window_whatever_asks_for_it() -> None:
    story = first_model(Story(specification()))
    reason = "maintenance until 2023-11-20T00:00:00.000Z (ada: core bank down)"
    known = {"status": "UNKNOWN", "reason": reason}
    assert story.hear(window(4, 2000, ["i1"], **known)) == ["declined"]
    assert story.reason == f"incident i1 is open; the window is UNKNOWN: {reason}"
    assert story.hear(window(5, 9000, **known)) == ["declined"], "nor for the volume of labels"
    assert story.hear(command("retrain", 5.5)) == ["refused"]
    assert story.hear(window(6, 9000, ["i1"])) == ["accepted", "started"]


def test_a_silenced_incident_starts_nothing_until_its_silence_is_over() -> None:
    story = first_model(Story(specification()))
    assert story.hear(window(4, 1200, ["i1"], silenced_incidents=("i1",))) == ["declined"]
    assert story.reason == "incident i1 is silenced; 1200 labels of the 1500 that call for a fit"
    assert story.last.details["silenced"] == "i1"
    assert story.hear(window(5, 1300, ["i1", "i2"], silenced_incidents=("i1",))) == ["accepted", "started"]
    assert story.reason == "incident i2 is open"
    story = first_model(Story(specification()))
    story.hear(window(4, 1200, ["i1"], silenced_incidents=("i1",)))
    assert story.hear(window(5, 1300, ["i1"])) == ["accepted", "started"], "it still stands, and nobody is asked"
    assert story.reason == "incident i1 is open"


def test_an_answered_incident_is_not_answered_again_behind_a_silence() -> None:
    story = first_model(Story(specification()))
    story.hear(window(4, 1200, ["i1"]))
    story.finish(4, labelled=1200)
    assert story.hear(window(8, 1400, ["i1"], silenced_incidents=("i1",))) == ["declined"]
    assert story.reason.startswith("incident i1 was answered; 1400 labels")
    assert story.hear(window(9, 1400, ["i1"])) == ["declined"]


def test_a_silence_does_not_hold_up_what_the_volume_of_labels_calls_for() -> None:
    story = first_model(Story(specification()))
    assert story.hear(window(4, 1600, ["i1"], silenced_incidents=("i1",))) == ["accepted", "started"]
    assert story.last.trigger == "volume"


def test_unknown_for_want_of_a_reference_forbids_nothing() -> None:
    story = first_model(Story(specification()))
    thin = window(4, 2000, status="UNKNOWN", reason="30 predictions, fewer than 200", predictions=30)
    assert story.hear(thin) == ["accepted", "started"]


def test_a_proposal_waits_for_a_word_and_is_run_as_proposed() -> None:
    story = first_model(Story(specification("propose")))
    assert story.hear(window(4, labelled=1600)) == ["proposed"]
    assert (story.reason, story.state.name) == ("1600 labels, 1000 at the last fit; waiting for approval", WAITING)
    assert story.hear(window(5, labelled=1700)) == ["proposed"]
    assert story.hear(command("approve", day=5.7)) == ["accepted", "started"]
    assert (story.last.as_of, story.last.trigger) == (T0 + 5 * DAY, "volume")
    assert story.last.run == run_id("loans", T0 + 5 * DAY, "volume", 1)
    assert story.last.inputs["labelled"] == 1700


def test_a_proposal_lapses_when_its_reason_is_gone() -> None:
    story = first_model(Story(specification("propose")))
    story.hear(window(4, labelled=1200, incidents=["i1"]))
    assert story.hear(window(5, labelled=1300)) == ["declined"]
    assert story.state.name == IDLE
    assert story.hear(command("approve", day=5.5)) == ["refused"]
    assert story.reason == "nothing waits for approval"


def test_a_persons_no_is_an_answer() -> None:
    story = first_model(Story(specification("propose")))
    story.hear(window(4, labelled=1600, incidents=["i1"]))
    assert story.hear(command("reject", day=4.5)) == ["withdrawn"]
    assert story.hear(window(5, labelled=1700, incidents=["i1"])) == ["declined"]
    assert "cooling down until" in story.reason
    assert story.hear(window(7, labelled=1700, incidents=["i1"])) == ["proposed"]
    assert story.last.trigger == "volume"


def test_an_order_passes_mode_cooldown_and_budget_but_not_an_outage() -> None:
    story = first_model(Story(specification("observe", runs_per_day=1)))
    first = story.decisions[-1].run
    assert story.hear(command("retrain")) == ["accepted", "started"]
    assert story.last.run != first  # ordered again as of the same time: another run
    story.finish(0.1)
    story.hear(window(1, status="UNKNOWN", reason="label outage"))
    assert story.hear(command("retrain", day=1.1)) == ["refused"]
    assert story.reason == "the window is UNKNOWN: label outage; force=yes trains all the same"
    assert story.hear(command("retrain", day=1.2, force="yes")) == ["accepted", "started"]
    assert story.hear(command("retrain", day=1.3)) == ["refused"]
    assert story.reason == "a run of this model is going on"


def test_an_order_with_a_clock_years_ahead_counts_from_its_data() -> None:
    story = Story(specification())
    story.hear(command("retrain", day=3650))
    story.finish(day=2)
    assert story.state.last_run_at == T0 + 2 * DAY
    assert story.state.runs_at == (T0 + 2 * DAY,)
    assert story.hear(window(5, labelled=1500)) == ["accepted", "started"]


def test_too_little_data_is_no_failure_and_no_fit() -> None:
    story = Story(specification())
    story.hear(command("retrain"))
    run = story.state.run.run
    assert story.hear(RunEnded("loans", run, labelled=7, reason="only 7 labelled rows, 100 are needed")) == [
        "rejected"
    ]
    assert (story.state.labels_at_fit, story.state.published, story.state.name) == (0, 0, IDLE)


def test_a_window_is_evaluated_once_whatever_comes_again() -> None:
    story = first_model(Story(specification()))
    story.hear(window(4, labelled=1100))
    before = story.state
    for again in (window(4, labelled=9000), window(3, labelled=9000), window(4, labelled=9000, revision=1)):
        assert story.hear(again) == []
        assert story.state == before


def test_only_closed_features_of_the_champion_are_evaluated() -> None:
    assert concerns(window(1))
    assert not concerns(window(1, closing="labels"))
    assert not concerns(window(1, closing="provisional"))
    assert not concerns(window(1, role="challenger"))


def a_long_story() -> Story:
    story = first_model(Story(specification("propose", cooldown_seconds=0.0, runs_per_day=9)))
    for day in range(1, 12):
        incidents = [f"i{day // 4}"] if day % 3 == 0 else []
        story.hear(window(day, labelled=1000 + 200 * day, incidents=incidents))
        if story.state.name == WAITING:
            story.hear(command("reject" if day % 4 == 2 else "approve", day + 0.1))
        if story.state.name == RUNNING:
            story.finish(day, labelled=1000 + 200 * day, accepted=day % 2 == 0)
    return story


def test_the_state_is_the_fold_of_the_decisions_wherever_the_log_is_cut() -> None:
    story = a_long_story()
    kinds = {d.kind for d in story.decisions}
    assert kinds == {"evaluated", "started", "trained", "gated", "published", "promoted", "rejected"}
    assert rebuild(story.decisions)["loans"] == story.state
    for cut in range(len(story.decisions)):
        middle = rebuild(story.decisions[:cut]).get("loans", ModelState())
        for decision in story.decisions[cut:]:
            middle = fold(middle, decision)
        assert middle == story.state


def test_a_restart_asks_the_state_what_is_to_be_done() -> None:
    story = Story(specification())
    story.hear(command("retrain"))
    assert pending(rebuild(story.decisions)["loans"]) == story.todo == [Train(story.last)]
    started = story.last
    story.hear(trained_run(started.run, day=0))
    assert pending(rebuild(story.decisions)["loans"]) == story.todo == [Deploy(started)]


EVENTS = {
    "WindowMeasured": window(9, labelled=5000),
    "retrain": command("retrain"),
    "approve": command("approve"),
    "reject": command("reject"),
    "silence": command("silence"),
    "RunEnded": trained_run("r", 0),
    "DeploymentChanged": DeploymentChanged("loans", "v1", T0, "", "", T0, "r", ""),
}
KINDS = (
    "declined",
    "proposed",
    "accepted",
    "withdrawn",
    "refused",
    "started",
    "trained",
    "gated",
    "published",
    "promoted",
    "rejected",
    "failed",
    "evaluated by nobody",
)


@pytest.mark.parametrize(("name", "event"), list(itertools.product((IDLE, WAITING, RUNNING, PUBLISHED), EVENTS)))
def test_an_event_without_meaning_raises_and_leaves_the_state_as_it_was(name, event) -> None:
    if (name, event) in HANDLERS:
        return
    state = ModelState(name=name)
    with pytest.raises(UnknownTransition, match=f"loans: '{event}' has no meaning while {name}"):
        decide(state, EVENTS[event], specification())
    assert state == ModelState(name=name)


@pytest.mark.parametrize(("name", "kind"), list(itertools.product((IDLE, WAITING, RUNNING, PUBLISHED), KINDS)))
def test_a_decision_without_meaning_raises_and_leaves_the_state_as_it_was(name, kind) -> None:
    if (name, kind) in TRANSITIONS:
        return
    evaluated = kind not in ("started", "trained", "gated", "published", "promoted", "rejected", "failed")
    decision = DecisionRecorded(
        "loans",
        "evaluated" if evaluated else kind,
        T0,
        "",
        "",
        False,
        "",
        details={"verdict": kind} if evaluated else {},
    )
    state = ModelState(name=name)
    with pytest.raises(UnknownTransition, match="has no meaning while"):
        fold(state, decision)
    assert state == ModelState(name=name)


def test_the_end_of_another_run_is_refused() -> None:
    story = Story(specification())
    story.hear(command("retrain"))
    with pytest.raises(UnknownTransition, match=r"while .* is going on"):
        fold(story.state, DecisionRecorded("loans", "failed", T0, "another", "", False, ""))


def test_a_window_from_the_future_is_not_a_models_last() -> None:
    produced = int((T0 + 4 * DAY) * 1000)
    check_time(window(4), produced)
    check_time(window(4.5), produced)  # clocks differ
    check_time(command("retrain", day=900), produced)  # a person's clock; its run counts from its data
    for wrong in (window(900), window(math.inf), window(math.nan), command("retrain", day=math.nan)):
        with pytest.raises(BadRecord, match="who else writes to this topic") as error:
            check_time(wrong, produced)
        assert error.value.reason == "wrong-time"
