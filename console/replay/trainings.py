"""Which trainings the policy would have started on these windows. Pure.

None is run: each is taken for rejected by its gate, so that the champion stays and the cooldown counts. Commands of
people are not replayed.
"""

from __future__ import annotations

from collections.abc import Sequence

from driftloop.console.replay.pipeline import Told
from driftloop.retrainer import policy
from driftloop.retrainer.runs import RunEnded
from driftloop.retrainer.state import ModelState
from driftloop.schemas.events import DecisionRecorded, WindowMeasured
from driftloop.schemas.monitor.specification import MonitorSpecification


def trainings(told: Sequence[Told], specification: MonitorSpecification) -> list[DecisionRecorded]:
    """The decisions that start one, in order."""
    state, found = ModelState(), []
    for one in told:
        window = one.event
        if not isinstance(window, WindowMeasured) or not policy.concerns(window):
            continue
        if not state.champion:
            state = state._replace(champion=window.version)
        state, commands = policy.decide(state, window, specification)
        for command in commands:
            if isinstance(command, policy.Train):
                found.append(command.started)
                ended = RunEnded(command.started.model, command.started.run, reason="a replay trains nothing")
                state, _ = policy.decide(state, ended, specification)
    return found
