"""The short form of `make bench-budget`: rows with what the issue asks for, and a run that goes on where it was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
KINDS = {"mean_one", "mean_all", "sd_one", "mix", "missing", "outage"}


def bench(*asked: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / "budget.py"), *asked]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_four_weeks_of_three_features_are_quiet_and_every_kind_of_shift_is_found(tmp_path: Path) -> None:
    file = tmp_path / "budget.json"
    said = bench("--quick", "--seeds", "2", "--only", "narrow", "--json", str(file))
    (row,) = json.loads(file.read_text())
    assert (row["scenario"], row["traffic_per_hour"], row["reference_weeks"]) == ("narrow", 500.0, 4)
    assert row["weeks"] == row["allowed"] == 4
    assert row["incidents"] <= 1
    assert set(row["power"]) == set(row["hours_to_detect"]) == KINDS
    assert min(row["power"].values()) == 1
    assert max(row["hours_to_detect"].values()) <= 24
    assert row["hours_to_detect"]["outage"] == 1
    assert "every target is met" in said
    before = file.read_text()
    assert "narrow" not in bench("--quick", "--seeds", "2", "--only", "narrow", "--json", str(file)), (
        "the row is there: not run again"
    )
    assert file.read_text() == before


def test_a_stream_that_is_not_there_is_named_with_those_that_are() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "budget.py"), "--only", "z"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 2
    assert "no such stream: z; there are a, b, c" in done.stderr
