"""The topics' history folded again by one command: the same bytes as live, detectors of one's own among them; what
another specification would tell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from driftloop.schemas.events import DriftDetected, IncidentChanged, SilenceChanged, WindowMeasured
from driftloop.schemas.settings import Settings

from ..patience import GUARD_SECONDS
from .loop import MODEL, SPECIFICATION, Loop, final_windows, prepare, publish, running, steps_of
from .test_status import caught_up
from .world import DAY, START, World, expected_windows, make_world

WORLD = make_world(seed=9, days=22)
END = WORLD.end + 2.5 * DAY
DETECTORS = """
[[detector]]
name = "loss by Page-Hinkley"
watch = "loss"
use = "page_hinkley"
settings = { min_instances = 10, threshold = 2.0 }
paging = true

[[detector]]
name = "income by ADWIN"
watch = "feature:income"
use = "adwin"
"""


def replay(
    loop: Loop, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "driftloop.console", "replay", *arguments],
        env=environment or loop.environment,
        capture_output=True,
        text=True,
        timeout=GUARD_SECONDS,
        check=False,
    )


def of_day(loop: Loop, start: float) -> list[WindowMeasured]:
    return [window for window in loop.read("windows") if window.window_start == start]


def publish_with_a_silence(loop: Loop) -> SilenceChanged:
    """The live days, one after another; from the third on a person wants no call for seven days."""
    steps, start, day = steps_of(WORLD)[1], WORLD.live_from, 3
    publish(loop.settings, [s for s in steps if s[0] < start + day * DAY])
    loop.wait("all of it to be judged", lambda: caught_up(loop, World((), 0, 0)) and of_day(loop, start + DAY))
    loop.command("silence", MODEL, "--author", "ada", "--reason", "tests", "--kind", "performance", "--for", "7d")
    assert "ada: tests (the judge has not taken it yet)" in loop.command("silence", MODEL, "--list")
    counted: list[SilenceChanged] = []
    while not counted:
        day += 1
        publish(loop.settings, [s for s in steps if start + (day - 1) * DAY <= s[0] < start + day * DAY])
        loop.wait("a window", lambda day=day: of_day(loop, start + (day - 2) * DAY))
        counted = [e for e in loop.read("drift") if isinstance(e, SilenceChanged)]
    publish(loop.settings, [s for s in steps if s[0] >= start + day * DAY], END)
    return counted[0]


@pytest.mark.kafka
def test_the_live_specification_replays_to_the_same_bytes_and_another_one_tells_what_it_would_do(
    settings: Settings, tmp_path: Path
) -> None:
    with running(settings, tmp_path) as loop:
        specification = tmp_path / "loans.toml"
        specification.write_text(SPECIFICATION.read_text() + DETECTORS)
        prepare(loop, WORLD, specification)
        loop.start("observer", "judge")
        counted = publish_with_a_silence(loop)
        last_day = WORLD.end - DAY
        loop.wait(
            "the last day's final window",
            lambda: [w for w in loop.read("windows") if w.closing == "labels" and w.window_start == last_day],
        )
        assert loop.stop() == {"observer": 0, "judge": 0}
        live = final_windows(loop.read("windows"))
        changes = [e for e in loop.read("drift") if isinstance(e, IncidentChanged)]
        incidents = [c for c in changes if c.change == "opened"]
        own = [e for e in loop.read("drift") if isinstance(e, DriftDetected) and e.detector == "loss by Page-Hinkley"]
        assert own[0].window_start >= START + 15 * DAY and own[0].paging, "income turns round on that day"
        names = {"loss by Page-Hinkley", "income by ADWIN"}
        assert all(names <= {test.name for test in window.tests} for window in live.values())
        assert {bool(c.silenced) for c in changes} == {True, False}
        for change in changes[:-1]:
            assert bool(change.silenced) == (change.as_of < counted.ends_at), "silenced as long as it lasts"

        past = tmp_path / "past.avro"
        same = replay(loop, MODEL, "--json", "--save", str(past))
        assert same.returncode == 0, same.stdout + same.stderr
        told = json.loads(same.stdout)
        assert told["verdict"]["difference"] == ""
        alarms = [e for e in loop.read("drift") if isinstance(e, DriftDetected)]
        assert told["alarms"] == len([a for a in alarms if a.detector not in names])
        assert told["verdict"]["alarms"] == len(loop.read("drift")), "all of them are compared"
        assert told["verdict"]["windows"] == len(live) >= len(expected_windows(WORLD, END))
        assert told["records"] == len(steps_of(WORLD)[0]) + len(steps_of(WORLD)[1]) + 2 * 2 * settings.partitions
        assert [i["as_of"] for i in told["incidents"]] == [i.as_of for i in incidents]
        assert len(incidents) == 1
        assert any(t["trigger"] == "incident" for t in told["trainings"])
        nowhere = loop.environment | {"DRIFTLOOP_BOOTSTRAP_SERVERS": "localhost:1"}
        again = replay(loop, MODEL, "--json", "--records", str(past), environment=nowhere)
        assert again.returncode == 0, again.stdout + again.stderr
        assert json.loads(again.stdout) | {"records_per_second": 0} == told | {"records_per_second": 0}
        assert "identical" in replay(loop, MODEL).stdout

        candidate = tmp_path / "careful.toml"
        candidate.write_text(specification.read_text().replace("1 per month", "1 per year"))
        other = replay(loop, MODEL, "--spec", str(candidate), "--json")
        assert other.returncode == 0, other.stdout + other.stderr
        tried = json.loads(other.stdout)
        assert (tried["live"], tried["verdict"]) == (False, None)
        assert tried["windows"] == told["windows"]
        later = [i["as_of"] for i in tried["incidents"]]
        assert len(later) == 1
        assert later[0] >= told["incidents"][0]["as_of"]  # the price of a smaller budget
