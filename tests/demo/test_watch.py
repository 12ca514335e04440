"""When the demo's clock may go on: a story of decisions, windows and incidents."""

from __future__ import annotations

from dataclasses import replace

from driftloop.console.demo.watch import Tally
from driftloop.schemas.events import DecisionRecorded, IncidentChanged, WindowMeasured

DAY = 86_400.0
WINDOW = WindowMeasured(
    "flights", "v1", "champion", "spec", "ref", 0.0, DAY, "features", 0, DAY, "OK", "", 9, 0, None, None
)
EVALUATED = DecisionRecorded("flights", "evaluated", DAY, "", "", False, "no reason", details={"on": "window"})
OPENED = IncidentChanged("flights", "v1", "spec", "i1", "performance", "opened", DAY, DAY, "the loss is high")


def told(*events: object) -> Tally:
    tally = Tally()
    for event in events:
        tally.absorb(event)
    return tally


def decision(kind: str, run: str = "r1", version: str = "v2", **more: object) -> DecisionRecorded:
    return replace(EVALUATED, kind=kind, run=run, version=version, details={}, **more)  # type: ignore[arg-type]


def test_the_clock_waits_for_the_judge_and_for_the_retrainer() -> None:
    assert not told().settled(DAY)
    assert not told(WINDOW).settled(DAY)
    assert not told(EVALUATED).settled(DAY)
    assert told(WINDOW, EVALUATED).settled(DAY)
    assert not told(WINDOW, EVALUATED).settled(2 * DAY)


def test_other_closings_and_answers_to_commands_are_not_what_it_waits_for() -> None:
    assert not told(replace(WINDOW, closing="labels"), EVALUATED).settled(DAY)
    assert not told(WINDOW, replace(EVALUATED, details={"on": "retrain"})).settled(DAY)


def test_a_run_holds_the_clock_until_it_has_ended() -> None:
    so_far = [WINDOW, replace(EVALUATED, accepted=True, run="r1"), decision("started")]
    assert not told(*so_far).settled(DAY)
    assert not told(*so_far, decision("trained"), decision("gated"), decision("published")).settled(DAY)
    for end in ("rejected", "failed", "promoted"):
        assert told(*so_far, decision(end)).settled(DAY)
    assert told(*so_far, decision("promoted")).version == "v2"
    assert told(*so_far, decision("rejected")).version == ""


def test_counts_are_those_of_the_events() -> None:
    resolved = replace(OPENED, change="resolved")
    tally = told(
        WINDOW,
        WINDOW,
        EVALUATED,
        OPENED,
        replace(OPENED, change="updated"),
        replace(OPENED, incident="i2"),
        resolved,
        decision("started"),
        decision("promoted"),
        decision("started", run="r2"),
        decision("failed", run="r2"),
    )
    assert (tally.windows, tally.evaluations, tally.runs, tally.promotions) == (2, 1, 2, 1)
    assert (tally.opened, tally.open) == ({"i1", "i2"}, {"i2"})


def test_what_is_said_is_the_last_thing_worth_a_line() -> None:
    assert told(OPENED, WINDOW, EVALUATED).said == "the loss is high"
    assert "v2 promoted" in told(OPENED, decision("promoted")).said
