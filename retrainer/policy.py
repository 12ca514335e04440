"""What to do about it: ``decide(state, event, specification) -> (state, [command])``, by one table.

The table says which handler answers which event in which state. A handler returns decisions; the state behind them is
their fold (state.py), so it can always be rebuilt from the decisions topic. What has to be done besides recording
follows from the state alone (``pending``): a restart asks the same question and goes on where it was.

A window of a model that is running is not in the table: whoever drives the policy holds it until the run has ended.
Hence decisions depend on the order of windows and never on how long a training took.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from driftloop.retrainer.runs import RunEnded, ending_decisions, run_id
from driftloop.retrainer.state import (
    ACCEPTED,
    DECLINED,
    IDLE,
    PROPOSED,
    PUBLISHED,
    REFUSED,
    RUNNING,
    WAITING,
    WITHDRAWN,
    ModelState,
    UnknownTransition,
    fold,
)
from driftloop.retrainer.trainers import DEFAULT
from driftloop.retrainer.triggers import Finding, examine, outage_of
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import CommandGiven, DecisionRecorded, DeploymentChanged, WindowMeasured
from driftloop.schemas.monitor.specification import MonitorSpecification

Event = WindowMeasured | CommandGiven | RunEnded | DeploymentChanged
Decisions = list[DecisionRecorded]
COMMANDS = ("retrain", "approve", "reject")
"""The commands that are the retrainer's; others on the topic are somebody else's."""
AHEAD_SECONDS_MOST = 86_400.0
"""Event time runs ten minutes ahead of Kafka's at most, and clocks of apps an hour ahead of ours."""


class Record(NamedTuple):
    """Write this decision."""

    decision: DecisionRecorded


class Train(NamedTuple):
    """Bring this run to its end: train, prove, store. ``started`` holds all it depends on."""

    started: DecisionRecorded


class Deploy(NamedTuple):
    """Make this run's published model the champion."""

    started: DecisionRecorded


Command = Record | Train | Deploy


def decide(state: ModelState, event: Event, specification: MonitorSpecification) -> tuple[ModelState, list[Command]]:
    """Answer one event. UnknownTransition for an event that has no meaning in this state, which stays as it was."""
    handler = HANDLERS.get((state.name, event_type(event)))
    if handler is None:
        raise UnknownTransition(f"{event.model}: {event_type(event)!r} has no meaning while {state.name}")
    decisions = handler(state, event, specification)
    after = state
    for decision in decisions:
        after = fold(after, decision)
    return after, [*map(Record, decisions), *pending(after)]


def pending(state: ModelState) -> list[Command]:
    """What remains to be done in this state, besides waiting for the next event."""
    if state.name == RUNNING and state.run:
        return [Train(state.run)]
    if state.name == PUBLISHED and state.run:
        return [Deploy(state.run)]
    return []


def event_type(event: Event) -> str:
    """The name the table knows an event by: a command by its own."""
    return event.command if isinstance(event, CommandGiven) else type(event).__name__


def concerns(window: WindowMeasured) -> bool:
    """Only these windows are evaluated: once each, when the predictions of the champion are complete."""
    return window.closing == "features" and window.role == "champion"


def check_time(event: WindowMeasured | CommandGiven, timestamp_ms: int) -> None:
    """``timestamp_ms``: Kafka's, of its record. Errors: BadRecord ``wrong-time``.

    A window is evaluated once and no earlier one after it: one record from 2099 would have been the model's last.
    """
    ahead = event.as_of - timestamp_ms / 1000.0 > AHEAD_SECONDS_MOST
    if (ahead and isinstance(event, WindowMeasured)) or not math.isfinite(event.as_of):
        hint = "no judge and no command of driftloop's says so: who else writes to this topic?"
        raise BadRecord("wrong-time", f"a {type(event).__name__} of {event.model} as of {event.as_of!r}", hint)


def rebuild(decisions: Sequence[DecisionRecorded]) -> dict[str, ModelState]:
    """The state of every model from the whole decisions topic."""
    states: dict[str, ModelState] = {}
    for decision in decisions:
        states[decision.model] = fold(states.get(decision.model, ModelState()), decision)
    return states


def _window(state: ModelState, window: WindowMeasured, specification: MonitorSpecification) -> Decisions:
    """Evaluate one window; nothing for one that was evaluated before (a repeat, a revision, a rewind)."""
    if window.as_of <= state.evaluated_to:
        return []
    found = examine(state, window, specification.retrain)
    verdict, reason = _verdict(found, specification.retrain.mode)
    evaluated = DecisionRecorded(
        model=window.model,
        kind="evaluated",
        as_of=window.as_of,
        run=run_id(window.model, window.as_of, found.trigger, state.runs) if verdict in (ACCEPTED, PROPOSED) else "",
        trigger=found.trigger,
        accepted=verdict == ACCEPTED,
        reason=reason,
        inputs=found.inputs,
        thresholds=found.thresholds,
        details=_said(
            {
                "on": "window",
                "verdict": verdict,
                "mode": specification.retrain.mode,
                "status": window.status,
                "outage": outage_of(window),
                "incidents": " ".join(sorted(window.open_incidents)),
                "silenced": " ".join(sorted(window.silenced_incidents)),
            }
        ),
    )
    return [evaluated, _started(state, evaluated, specification)] if evaluated.accepted else [evaluated]


def _verdict(found: Finding, mode: str) -> tuple[str, str]:
    if not found.trigger:
        return DECLINED, found.reason
    if found.obstacle:
        return DECLINED, f"{found.reason}; {found.obstacle}"
    if mode == "observe":
        return DECLINED, f"{found.reason}; mode observe: nothing is started"
    if mode == "propose":
        return PROPOSED, f"{found.reason}; waiting for approval"
    return ACCEPTED, found.reason


def _retrain(state: ModelState, command: CommandGiven, specification: MonitorSpecification) -> Decisions:
    """A person's order: it passes mode, cooldown and budget, but an outage only with ``force``."""
    if state.outage and command.arguments.get("force") != "yes":
        return [_answer(command, REFUSED, f"{state.outage}; force=yes trains all the same")]
    run = run_id(command.model, command.as_of, "command", state.runs)
    evaluated = _answer(command, ACCEPTED, "first model" if not state.champion else "a person's order", run=run)
    return [evaluated, _started(state, evaluated, specification)]


def _approve(state: ModelState, command: CommandGiven, specification: MonitorSpecification) -> Decisions:
    """The proposal itself is started: what was approved is what is run, labels known as of then."""
    proposal = state.proposal
    assert proposal is not None, "waiting without a proposal"
    evaluated = _answer(command, ACCEPTED, f"approved: {proposal.reason}", run=proposal.run)
    started = _started(state, proposal, specification)
    return [evaluated, started]


def _withdraw(state: ModelState, command: CommandGiven, _: MonitorSpecification) -> Decisions:
    proposal = state.proposal
    return [_answer(command, WITHDRAWN, f"rejected: {proposal.reason if proposal else ''}")]


def _refuse(why: str) -> Callable[[ModelState, CommandGiven, MonitorSpecification], Decisions]:
    return lambda _state, command, _specification: [_answer(command, REFUSED, why)]


def _ended(state: ModelState, ended: RunEnded, _: MonitorSpecification) -> Decisions:
    assert state.run is not None, "running without a run"
    return ending_decisions(state.run, ended)


def _deployed(state: ModelState, deployment: DeploymentChanged, _: MonitorSpecification) -> Decisions:
    run = state.run
    assert run is not None, "published without a run"
    return [
        DecisionRecorded(
            model=run.model,
            kind="promoted",
            as_of=run.as_of,
            run=deployment.run,
            trigger=run.trigger,
            accepted=True,
            reason=f"{deployment.champion} follows {deployment.previous or 'nothing'}",
            version=deployment.champion,
        )
    ]


def _started(state: ModelState, evaluated: DecisionRecorded, specification: MonitorSpecification) -> DecisionRecorded:
    """All that a run depends on is in here, so that it can be run again."""
    retrain = specification.retrain
    details = {
        "spec": specification.spec,
        "parent": state.champion,
        "trainer": retrain.trainer or DEFAULT,
        "incidents": evaluated.details.get("incidents", ""),
    }
    return DecisionRecorded(
        model=evaluated.model,
        kind="started",
        as_of=evaluated.as_of,
        run=evaluated.run,
        trigger=evaluated.trigger,
        accepted=True,
        reason=evaluated.reason,
        version=f"v{state.published + 1}",
        inputs=evaluated.inputs,
        thresholds=evaluated.thresholds,
        details=_said(details),
    )


def _answer(command: CommandGiven, verdict: str, reason: str, run: str = "") -> DecisionRecorded:
    return DecisionRecorded(
        model=command.model,
        kind="evaluated",
        as_of=command.as_of,
        run=run,
        trigger="command",
        accepted=verdict == ACCEPTED,
        reason=reason,
        details=_said(
            {
                "on": command.command,
                "author": command.author,
                "why": command.reason,
                "verdict": verdict,
            }
        ),
    )


def _said(details: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in details.items() if text}


Handler = Callable[..., Decisions]
_busy = _refuse("a run of this model is going on")
HANDLERS: dict[tuple[str, str], Handler] = {
    (IDLE, "WindowMeasured"): _window,
    (IDLE, "retrain"): _retrain,
    (IDLE, "approve"): _refuse("nothing waits for approval"),
    (IDLE, "reject"): _refuse("nothing waits for approval"),
    (WAITING, "WindowMeasured"): _window,
    (WAITING, "retrain"): _retrain,
    (WAITING, "approve"): _approve,
    (WAITING, "reject"): _withdraw,
    (RUNNING, "retrain"): _busy,
    (RUNNING, "approve"): _busy,
    (RUNNING, "reject"): _busy,
    (RUNNING, "RunEnded"): _ended,
    (PUBLISHED, "retrain"): _busy,
    (PUBLISHED, "approve"): _busy,
    (PUBLISHED, "reject"): _busy,
    (PUBLISHED, "DeploymentChanged"): _deployed,
}
