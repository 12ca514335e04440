"""The detectors' harness, in short: the two that know nothing score what they must, and an outsider can enter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HARNESS = Path(__file__).resolve().parents[2] / "benchmarks" / "detectors.py"
SEVENS = """
import numpy as np
def sevens():
    return lambda batch: np.flatnonzero(batch == 7).tolist()
"""


def harness(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HARNESS), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    """By stream and detector. 12,000 rows of our own, changed at 2,000 and 8,000; a 7 is where ours alarms."""
    folder = tmp_path_factory.mktemp("harness")
    (folder / "outsider.py").write_text(SEVENS)
    lines = ["value,change"]
    for row in range(12_000):
        seven = row in (500, 2_010, 2_020, 6_000, 8_100)
        lines.append(f"{7 if seven else row % 2},{int(row in (2_000, 8_000))}")
    (folder / "own.csv").write_text("\n".join(lines) + "\n")
    ran = harness(
        folder,
        *("--streams", "Bernoulli 0.1,sd x 2,own.csv", "--replicates", "2", "--only", "always,never,e_sr,csr"),
        *("--detector", "outsider:sevens", "--stream", "own.csv", "--json", "found.json"),
    )
    assert ran.returncode == 0, ran.stderr
    assert "met     csr: share on sd x 2" in ran.stdout
    return {(row["stream"], row["detector"]): row for row in json.loads((folder / "found.json").read_text())}


def test_a_row_tells_what_the_issue_asks_for(rows: dict[tuple[str, str], dict[str, Any]]) -> None:
    asked = {"stream", "detector", "drifts", "found", "median_delay", "false_alarms_per_10k", "ns_per_value"}
    assert all(asked <= row.keys() for row in rows.values())


def test_who_always_alarms_finds_all_at_once_and_is_always_wrong_and_who_never_does_finds_none(
    rows: dict[tuple[str, str], dict[str, Any]],
) -> None:
    always, never = rows["total: numeric shifts", "always"], rows["total: numeric shifts", "never"]
    assert (always["found"], always["median_delay"], always["false_alarms_per_10k"]) == (2, 0.0, 10_000.0)
    assert (never["found"], never["median_delay"], never["false_alarms_per_10k"]) == (0, None, 0.0)


def test_ours_find_what_is_to_be_found(rows: dict[tuple[str, str], dict[str, Any]]) -> None:
    for stream, detector, rows_most in (("Bernoulli 0.1 to 0.3", "e_sr", 200), ("sd x 2", "csr", 42)):
        assert rows[stream, detector]["found"] == rows[stream, detector]["drifts"] == 2
        assert rows[stream, detector]["median_delay"] <= rows_most


def test_an_outsiders_detector_on_an_outsiders_stream_is_scored_as_counted_by_hand(
    rows: dict[tuple[str, str], dict[str, Any]],
) -> None:
    """500 and 6,000 stand outside both horizons (5,000 rows do), 2,010 and 8,100 find, 2,020 is neither."""
    row = rows["own.csv", "outsider:sevens"]
    assert (row["drifts"], row["found"], row["median_delay"], row["quiet_rows"]) == (2, 2, 55.0, 5_000)
    assert row["false_alarms_per_10k"] == pytest.approx(4.0)


def test_what_is_no_stream_is_refused_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HARNESS.parent))
    from detectors_bench.streams import from_csv

    wrong = tmp_path / "wrong.csv"
    for text, sentence in (
        ("x,y\n1,2\n", "the first line must name the columns value and change"),
        ("value,change\n1,0\nmany,0\n", "line 3: value and change must be numbers"),
        ("value,change\n", "no rows"),
    ):
        wrong.write_text(text)
        with pytest.raises(ValueError, match=f"wrong.csv.*{sentence}"):
            from_csv(wrong)
