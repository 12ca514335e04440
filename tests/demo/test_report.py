"""What the demo tells at the end: figures for machines, a table and commands for people."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from driftloop.console.demo import run
from driftloop.console.demo.memory import MemoryMeter
from driftloop.console.demo.report import POLICIES, Report, make_report
from driftloop.console.demo.results import Results
from driftloop.console.demo.run import deployment_of, where_next
from driftloop.console.demo.screen import Moment, Screen
from driftloop.console.demo.watch import Tally
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.settings import Settings
from rich.console import Console

ASKED_FOR = {
    "log_loss",
    "mean_log_loss",
    "retrains",
    "promotions",
    "predictions",
    "ground_truths",
    "joined",
    "dead_letters",
    "incidents",
    "wall_seconds",
    "peak_rss_mb",
}


@pytest.fixture
def report() -> Report:
    results = Results({"2013-03": 0.5, "2013-04": 0.4}, 1000, 900, 890, 100, 3, 2, 60, 30, 2, 1, ("v1", "v2"))
    others = {name: {"2013-03": 0.5, "2013-04": 0.5 + i / 10} for i, name in enumerate(POLICIES[:-1])}
    meter = MemoryMeter(dict)
    meter.peak_mb, meter.peak_together_mb = {"judge": 90.04, "app": 200.0}, 280.0
    return make_report(results, others, 61, 100.126, 60.0, meter)


def test_the_json_says_what_the_issue_asks_for(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    report.write(file)
    found: dict[str, Any] = json.loads(file.read_text())
    assert found.keys() >= ASKED_FOR
    assert found["log_loss"]["driftloop"] == {"2013-03": 0.5, "2013-04": 0.4}
    assert set(found["log_loss"]) == set(POLICIES)
    assert found["mean_log_loss"]["driftloop"] == pytest.approx(0.45)
    assert (found["retrains"], found["promotions"], found["versions"]) == (2, 1, ["v1", "v2"])
    assert found["peak_rss_mb"] == {"app": 200.0, "judge": 90.0}
    assert found["wall_seconds"] == 100.13
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]


def test_the_table_has_every_month_every_policy_and_the_mean(report: Report) -> None:
    console = Console(file=io.StringIO(), width=120)
    Screen(console).table(report)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for word in (
        *(policy.replace("_", " ") for policy in POLICIES),
        "March",
        "April",
        "mean",
        "0.4500",
        "3 dead letters",
        "100 never labelled",
        "judge 90",
    ):
        assert word in text, word


def test_without_a_terminal_there_are_plain_lines_and_not_one_a_day() -> None:
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    tally = Tally()
    tally.said = "v2 promoted: [it] is better"
    with Screen(console) as screen:
        screen.serving(100)
        for day in range(1, 50):
            screen.show(Moment(1_362_114_000.0 + 86_400.0 * day, day, 306, 200 * day, tally))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2
    assert "v2 promoted: [it] is better" in lines[0]
    assert "Sat 02 Mar 2013" in lines[1]
    assert "day 1/306" in lines[1]
    assert not any("\x1b" in line for line in lines)


def test_on_a_terminal_lines_that_move_are_gone_at_the_end_and_news_stay() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, _environ={"TERM": "xterm"})
    tally = Tally()
    with Screen(console) as screen:
        screen.serving(0)
        tally.said = "an incident"
        screen.show(Moment(1_362_114_000.0, 1, 306, 200, tally))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "an incident" in text
    assert "day 1 of 306" in text


def test_on_a_terminal_that_cannot_move_lines_there_are_plain_ones() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, _environ={"TERM": "dumb"})
    with Screen(console) as screen:
        screen.serving(0)
        screen.show(Moment(1_362_114_000.0, 1, 306, 200, Tally()))
    assert "day 1/306" in console.file.getvalue()  # type: ignore[attr-defined]


def test_on_somebodys_cluster_the_demo_has_a_prefix_of_its_own_and_says_where_to_look(tmp_path: Path) -> None:
    given = Settings(bootstrap_servers="kafka:9092", prefix="shop", partitions=12, state_folder=tmp_path)
    own, other = deployment_of(given, "aa11"), deployment_of(given, "bb22")
    assert own.prefix == "shop-demo-aa11" != other.prefix
    assert own.state_folder != other.state_folder
    assert own.partitions == 4
    assert all("DRIFTLOOP_PREFIX=shop-demo-aa11" in line for line in where_next(given, own))

    alone = replace(given, bootstrap_servers="")
    assert deployment_of(alone, "aa11").prefix == "shop"
    assert any("broker start" in line for line in where_next(alone, deployment_of(alone, "aa11")))


def test_without_its_extra_the_demo_says_so_before_it_starts_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "EXTRA", ("numpy", "no_such_package"))
    with pytest.raises(ConfigError, match=r"no_such_package\n.*driftloop\[demo\]"):
        run.main(Settings())
