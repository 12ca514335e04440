"""A monitor that was applied too late: what was refused comes back by `dlq replay`, and the numbers are the oracle's.

The operator says it twice by mistake, and a third time on purpose: the numbers stay, and repeats are counted.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import pytest
from driftloop.schemas.events import Pane, Progress
from driftloop.schemas.monitor.monitor_file import compile_monitor
from driftloop.schemas.settings import Settings

from .loop import SPECIFICATION, Loop, publish, running, steps_of
from .world import DAY, START, World, make_world


def expected(world: World) -> dict[str, float]:
    """From the plain list of loans."""
    pairs = [(loan.score, loan.label == "default") for loan in world.loans if loan.label is not None]
    return {
        "predictions": len(world.loans),
        "labelled": len(pairs),
        "log_loss": sum(-math.log(s if y else 1 - s) for s, y in pairs),
        "brier": sum((s - y) ** 2 for s, y in pairs),
    }


def totals(loop: Loop) -> Counter[str]:
    """Over the last revision of every pane."""
    last: dict[object, Pane] = {}
    for event in loop.read("panes"):
        if isinstance(event, Pane):
            last[event.version, event.kind, event.bucket, event.pane_start, event.partition, event.emitted_at] = event
    found, newest = Counter[str](), {}
    for pane in last.values():
        if pane.kind == "counters":
            found.update({name: pane.counts.get(name, 0) for name in ("duplicates", "too_late")})
        else:
            key = (pane.version, pane.kind, pane.bucket, pane.pane_start, pane.partition)
            if key not in newest or pane.revision >= newest[key].revision:
                newest[key] = pane
    for pane in newest.values():
        found.update({name: pane.counts.get(name, 0) for name in ("predictions", "labelled")})
        found.update({name: pane.sums.get(name, 0.0) for name in ("log_loss", "brier")})
    return found


def listed(loop: Loop) -> dict[str, int]:
    found = json.loads(loop.command("dlq", "list", "--json"))
    return {name: found[name] for name in ("letters", "replayed", "came_back")}


def reached(loop: Loop, until: float) -> bool:
    progress = {e.partition: e for e in loop.read("panes") if isinstance(e, Progress)}
    there = [p for p in progress.values() if min(p.predictions_watermark, p.truths_watermark) > until - DAY]
    return len(there) == loop.settings.partitions


@pytest.mark.kafka
def test_a_late_monitor_costs_a_command_and_no_number(settings: Settings, tmp_path: Path) -> None:
    world = make_world(seed=4, days=3, history_days=0)
    steps = steps_of(world)[1]
    specification = compile_monitor(SPECIFICATION.read_text(), "loans.toml")
    early = [step for step in steps if step[0] < START + DAY]
    middle = [step for step in steps if START + DAY <= step[0] < START + 1.4 * DAY]
    late = [step for step in steps if step[0] >= START + 1.4 * DAY]
    end = world.end + 4 * DAY
    with running(settings, tmp_path) as loop:
        loop.start("observer")
        publish(settings, early, specification=specification)
        refused = {"letters": len(early), "replayed": 0, "came_back": 0}
        loop.wait("everything to be refused", lambda: listed(loop) == refused)

        said = loop.command("dlq", "replay", "--yes")
        assert f"{len(early):,} records are back on their topics" in said
        refused = {"letters": 2 * len(early), "replayed": len(early), "came_back": len(early)}
        loop.wait("what was replayed too early to come back", lambda: listed(loop) == refused)

        loop.command("monitor", "apply", str(SPECIFICATION))
        publish(settings, middle)
        said = loop.command("dlq", "replay", "--reason", "unknown-model", "--yes")
        assert "of the reason unknown-model" in said
        again = json.loads(loop.command("dlq", "list", "--reason", "unknown-model", "--json"))["letters"]
        loop.wait("the notes on it", lambda: listed(loop)["replayed"] == len(early) + again // 2)
        said = loop.command("dlq", "replay", "--yes")
        assert "of the reason unknown-schema" in said
        assert "unknown-model" not in said
        refused["replayed"] = 2 * len(early)
        loop.wait("all letters to be replayed", lambda: listed(loop) == refused)
        assert "nothing is to be replayed" in loop.command("dlq", "replay", "--yes")

        publish(settings, late, end)
        loop.wait("the observer to reach the end", lambda: reached(loop, end))
        found, right = totals(loop), expected(world)
        assert {name: found[name] for name in ("predictions", "labelled")} == {
            name: right[name] for name in ("predictions", "labelled")
        }
        for name in ("log_loss", "brier"):
            assert math.isclose(found[name], right[name], rel_tol=1e-6), name
        assert found["duplicates"] == 0

        loop.command("dlq", "replay", "--since", "1 h", "--again", "--yes")
        publish(settings, [], end + DAY)
        loop.wait("the repeats to be counted", lambda: totals(loop)["duplicates"] + totals(loop)["too_late"] > 0)
        loop.wait("the observer to reach the new end", lambda: reached(loop, end + DAY))
        again = totals(loop)
        assert {name: again[name] for name in right} == {name: found[name] for name in right}
        assert listed(loop) == refused, "what came again was read"
        assert loop.stop() == {"observer": 0}
