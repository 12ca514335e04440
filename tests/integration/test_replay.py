"""The topics' history folded again by one command: the same bytes as live; what another specification would tell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from driftloop.schemas.events import IncidentChanged
from driftloop.schemas.settings import Settings

from .loop import MODEL, SPECIFICATION, Loop, final_windows, prepare, publish, running, steps_of
from .world import DAY, expected_windows, make_world

WORLD = make_world(seed=9, days=22)
END = WORLD.end + 2.5 * DAY


def replay(loop: Loop, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "driftloop.console", "replay", *arguments],
        env=loop.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.kafka
def test_the_live_specification_replays_to_the_same_bytes_and_another_one_tells_what_it_would_do(
    settings: Settings, tmp_path: Path
) -> None:
    with running(settings, tmp_path) as loop:
        prepare(loop, WORLD)
        loop.start("observer", "judge")
        publish(settings, steps_of(WORLD)[1], END)
        last_day = WORLD.end - DAY
        loop.wait(
            "the last day's final window",
            lambda: [w for w in loop.read("windows") if w.closing == "labels" and w.window_start == last_day],
        )
        assert loop.stop() == {"observer": 0, "judge": 0}
        live = final_windows(loop.read("windows"))
        incidents = [e for e in loop.read("drift") if isinstance(e, IncidentChanged) and e.change == "opened"]

        same = replay(loop, MODEL, "--json")
        assert same.returncode == 0, same.stdout + same.stderr
        told = json.loads(same.stdout)
        assert told["verdict"]["difference"] == ""
        assert told["verdict"]["windows"] == len(live) >= len(expected_windows(WORLD, END))
        assert told["records"] == len(steps_of(WORLD)[0]) + len(steps_of(WORLD)[1]) + 2 * 2 * settings.partitions
        assert [i["as_of"] for i in told["incidents"]] == [i.as_of for i in incidents]
        assert len(incidents) == 1
        assert any(t["trigger"] == "incident" for t in told["trainings"])
        assert "identical" in replay(loop, MODEL).stdout

        candidate = tmp_path / "careful.toml"
        candidate.write_text(SPECIFICATION.read_text().replace("1 per month", "1 per year"))
        other = replay(loop, MODEL, "--spec", str(candidate), "--json")
        assert other.returncode == 0, other.stdout + other.stderr
        tried = json.loads(other.stdout)
        assert (tried["live"], tried["verdict"]) == (False, None)
        assert tried["windows"] == told["windows"]
        later = [i["as_of"] for i in tried["incidents"]]
        assert len(later) == 1
        assert later[0] >= told["incidents"][0]["as_of"]  # the price of a smaller budget
