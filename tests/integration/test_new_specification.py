"""A monitor that is applied anew while the observer runs is taken up without a restart and without a word."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from driftloop.schemas.events import Pane
from driftloop.schemas.settings import Settings

from .loop import SPECIFICATION, Step, publish, running, steps_of
from .world import Loan, make_world


@pytest.mark.kafka
def test_a_specification_with_the_same_features_is_noticed(settings: Settings, tmp_path: Path) -> None:
    world = make_world(seed=4, days=30, history_days=0, per_day=24)
    steps = steps_of(world)[1]
    with running(settings, tmp_path) as loop:
        loop.command("monitor", "apply", str(SPECIFICATION))
        loop.start("observer")
        publish(settings, steps[:100], steps[100][0])
        before = {p.spec for p in loop.wait("panes", lambda: panes_of(loop))}
        assert len(before) == 1
        # The same features, so the same schema on the wire: nothing in the records tells of the change.
        changed = tmp_path / "loans.toml"
        changed.write_text(SPECIFICATION.read_text().replace('horizon = "2 d"', 'horizon = "3 d"'))
        loop.command("monitor", "apply", str(changed))
        more = batched_for_ever(steps[100:], world.end - world.live_from)

        def under_the_new_one() -> bool:
            batch = next(more)
            publish(settings, batch, batch[0][0])
            return len({p.spec for p in panes_of(loop)} - before) == 1

        loop.wait("a pane of the new specification", under_the_new_one)
        assert loop.stop() == {"observer": 0}


def batched_for_ever(steps: list[Step], span: float) -> Iterator[list[Step]]:
    """Twenty at a time; when they are over, the same from the beginning, so much later and under other names."""
    for round_number in itertools.count():
        for start in range(0, len(steps), 20):
            some = steps[start : start + 20]
            some = steps[start : start + 20]
            yield [(when + round_number * span, is_truth, again(loan, round_number)) for when, is_truth, loan in some]


def again(loan: Loan, round_number: int) -> Loan:
    return replace(loan, prediction_id=f"{loan.prediction_id}-{round_number}")


def panes_of(loop) -> list[Pane]:
    return [p for p in loop.read("panes") if isinstance(p, Pane) and p.kind == "features"]
