"""What the retrainer knows of one model: a fold over its decisions, and over nothing else.

    idle ──proposed──▶ waiting ──accepted──▶ idle ──started──▶ running ──published──▶ published ──promoted──▶ idle
                          └──declined, withdrawn──▶ idle          └──rejected, failed──▶ idle

``TRANSITIONS`` is that picture as data. A pair that is not in it is a bug, or a topic that somebody else has written
to: ``UnknownTransition``, and the state stays as it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from driftloop.schemas.events import DecisionRecorded

IDLE, WAITING, RUNNING, PUBLISHED = "idle", "waiting", "running", "published"
DECLINED, PROPOSED, ACCEPTED, WITHDRAWN, REFUSED = "declined", "proposed", "accepted", "withdrawn", "refused"
"""Verdicts of an evaluation. Declined: a window gives no reason to train, or a guard forbids it. Refused: a command
that cannot be obeyed now; it changes nothing."""
DAY_SECONDS = 86_400.0

TRANSITIONS: dict[tuple[str, str], str] = {
    (IDLE, DECLINED): IDLE,
    (IDLE, PROPOSED): WAITING,
    (IDLE, ACCEPTED): IDLE,
    (IDLE, REFUSED): IDLE,
    (IDLE, "started"): RUNNING,
    (WAITING, DECLINED): IDLE,
    (WAITING, PROPOSED): WAITING,
    (WAITING, ACCEPTED): IDLE,
    (WAITING, WITHDRAWN): IDLE,
    (WAITING, REFUSED): WAITING,
    (RUNNING, REFUSED): RUNNING,
    (RUNNING, "trained"): RUNNING,
    (RUNNING, "gated"): RUNNING,
    (RUNNING, "published"): PUBLISHED,
    (RUNNING, "rejected"): IDLE,
    (RUNNING, "failed"): IDLE,
    (PUBLISHED, REFUSED): PUBLISHED,
    (PUBLISHED, "promoted"): IDLE,
}


class UnknownTransition(Exception):
    """An event that has no meaning in this state."""


class ModelState(NamedTuple):
    """``run`` is the ``started`` decision of the run in progress, ``proposal`` the evaluation that waits for a word.
    ``runs`` were started so far; ``published`` of them came as far as a manifest.

    Times are event times. ``last_run_at``: how far the last run's data went; ``runs_at``: the same of all runs within
    a day before it. ``labels_at_fit``: labels known at the last fit, promoted or not. ``answered``: open incidents
    that a finished run, or a person, has answered. ``outage``: why the last window could not be judged, else empty.
    """

    name: str = IDLE
    champion: str = ""
    runs: int = 0
    published: int = 0
    evaluated_to: float = -math.inf
    labels_at_fit: float = 0.0
    last_run_at: float = -math.inf
    runs_at: tuple[float, ...] = ()
    answered: frozenset[str] = frozenset()
    outage: str = ""
    proposal: DecisionRecorded | None = None
    run: DecisionRecorded | None = None


def fold(state: ModelState, decision: DecisionRecorded) -> ModelState:
    """The state behind one more decision. Raises UnknownTransition; ``state`` itself is never changed."""
    name = TRANSITIONS.get((state.name, verdict_of(decision)))
    if name is None:
        raise UnknownTransition(f"{decision.model}: {verdict_of(decision)!r} has no meaning while {state.name}")
    if state.run and decision.kind != "evaluated" and decision.run != state.run.run:
        raise UnknownTransition(
            f"{decision.model}: {decision.kind} of run {decision.run} while {state.run.run} is going on"
        )
    return _EFFECTS[decision.kind](state, decision)._replace(name=name)


def verdict_of(decision: DecisionRecorded) -> str:
    """What the transition table calls a decision: its kind, for an evaluation its verdict."""
    return decision.details.get("verdict", "") if decision.kind == "evaluated" else decision.kind


def incidents_of(decision: DecisionRecorded | None) -> frozenset[str]:
    """The incidents that were open when it was decided."""
    return frozenset(decision.details.get("incidents", "").split()) if decision else frozenset()


def _evaluated(state: ModelState, decision: DecisionRecorded) -> ModelState:
    verdict = decision.details["verdict"]
    if decision.details.get("on") == "window":
        state = state._replace(
            evaluated_to=decision.as_of,
            outage=decision.details.get("outage", ""),
            answered=state.answered & incidents_of(decision),  # a resolved incident never comes back: forget it
        )
    if verdict == REFUSED:
        return state
    if verdict == WITHDRAWN and state.proposal:
        # A person's no is an answer: the cooldown runs from it, and these incidents do not ask again.
        state = _answer(state, state.proposal)._replace(last_run_at=max(state.last_run_at, state.proposal.as_of))
    return state._replace(proposal=decision if verdict == PROPOSED else None)


def _started(state: ModelState, decision: DecisionRecorded) -> ModelState:
    state = state._replace(run=decision, runs=state.runs + 1, proposal=None)
    # A command carries a machine's clock, maybe years ahead of the stream: its run counts from its data (_trained).
    return state if decision.trigger == "command" else _ran_at(state, decision.as_of)


def _trained(state: ModelState, decision: DecisionRecorded) -> ModelState:
    knew_until = decision.dataset.to_time if decision.dataset else decision.as_of
    state = state._replace(labels_at_fit=decision.inputs.get("labelled", state.labels_at_fit))
    return _ran_at(state, min(knew_until, decision.as_of)) if decision.trigger == "command" else state


def _ran_at(state: ModelState, time: float) -> ModelState:
    within_a_day = (t for t in state.runs_at if t > time - DAY_SECONDS)
    return state._replace(last_run_at=time, runs_at=(*within_a_day, time))


def _answer(state: ModelState, decision: DecisionRecorded | None) -> ModelState:
    return state._replace(answered=state.answered | incidents_of(decision))


def _promoted(state: ModelState, decision: DecisionRecorded) -> ModelState:
    return _answer(state, state.run)._replace(champion=decision.version, run=None)


_EFFECTS: dict[str, Callable[[ModelState, DecisionRecorded], ModelState]] = {
    "evaluated": _evaluated,
    "started": _started,
    "trained": _trained,
    "gated": lambda state, _: state,
    "published": lambda state, _: state._replace(published=state.published + 1),
    "promoted": _promoted,
    "rejected": lambda state, _: _answer(state, state.run)._replace(run=None),
    "failed": lambda state, _: state._replace(run=None),
}
