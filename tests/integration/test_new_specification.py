"""A monitor that is applied anew while the observer runs is taken up without a restart and without a word."""

from __future__ import annotations

from pathlib import Path

import pytest
from driftloop.schemas.events import Pane
from driftloop.schemas.settings import Settings

from .loop import SPECIFICATION, publish, running, steps_of
from .world import DAY, make_world


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
        sent = iter(range(100, len(steps), 20))

        def under_the_new_one() -> bool:
            start = next(sent, None)
            assert start is not None, "all records were folded by the old specification"
            publish(settings, steps[start : start + 20], steps[start][0])
            return len({p.spec for p in panes_of(loop)} - before) == 1

        loop.wait("a pane of the new specification", under_the_new_one)
        publish(settings, [], world.end + 4 * DAY)
        assert loop.stop() == {"observer": 0}


def panes_of(loop) -> list[Pane]:
    return [p for p in loop.read("panes") if isinstance(p, Pane) and p.kind == "features"]
