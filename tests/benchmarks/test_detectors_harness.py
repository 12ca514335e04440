"""The detectors' harness, in short: the two that know nothing score what they must, and an outsider can enter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HARNESS = Path(__file__).resolve().parents[2] / "benchmarks" / "detectors.py"
SEVENS = """
import numpy as np
def sevens():
    return lambda batch: np.flatnonzero(batch == 7).tolist()
"""


def harness(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HARNESS), *arguments]
    alone = os.environ | {"DRIFTLOOP_PEERS": str(folder / "nobody")}
    return subprocess.run(command, cwd=folder, env=alone, capture_output=True, text=True, timeout=600, check=False)


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


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness's modules can be imported."""
    monkeypatch.syspath_prepend(str(HARNESS.parent))


@pytest.mark.usefixtures("bench")
def test_a_run_that_was_interrupted_goes_on_and_one_with_other_replicates_begins_anew(tmp_path: Path) -> None:
    from detectors_bench.contenders import Contender, every
    from detectors_bench.error_streams import bernoulli
    from detectors_bench.results import Results, totals

    from detectors import Entry, measure

    asked: list[str] = []

    def contender(name: str, rows: int) -> Contender:
        return Contender(name, lambda: asked.append(name) or every(rows)())

    path, entry = tmp_path / "found.json", Entry(bernoulli(0.1, 0.3), 2)
    measure([entry], [contender("first", 1)], 1, Results(path))
    measure([entry], [contender("first", 1), contender("second", 100)], 1, results := Results(path))
    assert asked == ["first"] * 2 + ["second"] * 2
    first, second = totals(results.rows, {entry.source.name: "all"})
    assert (first["found"], first["median_delay"], first["false_alarms_per_10k"]) == (2, 0.0, 10_000.0)
    assert (second["drifts"], second["found"]) == (2, 2)
    measure([entry._replace(replicates=1)], [contender("first", 1)], 1, Results(path))
    assert asked[4:] == ["first"]
    assert [(r["detector"], r["replicates"]) for r in json.loads(path.read_text())] == [("second", 2), ("first", 1)]


@pytest.mark.usefixtures("bench")
def test_a_file_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    from detectors_bench.results import Results

    (path := tmp_path / "other.json").write_text('{"ratio": 2}')
    with pytest.raises(ValueError, match=r"other.json is no table of this benchmark .*name another file"):
        Results(path)


@pytest.mark.usefixtures("bench")
def test_what_judges_windows_alarms_at_their_last_rows_wherever_batches_are_cut() -> None:
    """Learn 10 rows, then windows of 4: a sum above 5 alarms, and ours learns the next 10 anew."""
    from detectors_bench.windowed import Windowing, windowed

    values = np.zeros(60)
    values[[14, 15, 40, 41]] = 3.0  # rows 14 to 17 are a window; behind it 18 to 27 are learnt; 40 to 43 are one
    for anew, expected in ((True, [17, 43]), (False, [17, 41])):
        how = Windowing(4, 10, lambda _learnt: lambda window, _behind: bool(window.sum() > 5), begin_anew=anew)
        for size in (1, 3, 7, 60):
            watch = windowed(how)()
            batches = range(0, 60, size)
            assert [at + i for at in batches for i in watch(values[at : at + size])] == expected


@pytest.mark.usefixtures("bench", "public_data")
def test_public_files_come_with_their_changes() -> None:
    from detectors_bench.public_streams import there

    found = {source.name: source.draw(np.random.default_rng(0)) for source in there() if "elec2" not in source.name}
    sine, taxi = found["public lobo_sine_0123_abrupto"], found["public NAB taxi"]
    assert (len(sine.values), sine.changes, sine.bits) == (38_500, (8_500, 18_500, 28_500), True)
    assert sine.values[:8_500].mean() < 0.1
    assert sine.values[8_500:18_500].mean() > 0.8
    assert (len(taxi.values), taxi.changes[0], len(taxi.changes), taxi.bits) == (10_320, 5_839, 5, False)
    adult = found["public adult, no change"]
    assert adult.changes == ()
    shares = adult.values[:31_000].reshape(-1, 1_000).mean(axis=1)
    assert np.ptp(shares) < 0.07, "independent rows with a share of .19 spread by .05 or so"


@pytest.mark.usefixtures("bench")
def test_a_drift_pass_flags_the_one_column_that_has_moved_and_counts_as_numpy_does() -> None:
    from detectors_bench import drift_pass
    from peers.pass_data import columns

    reference, current = columns(1, 0), columns(1, 1)
    prepared = drift_pass.Prepared.of(reference)
    assert drift_pass.drift_pass(prepared, current) == 1
    assert drift_pass.drift_pass(prepared, reference) == 0
    counts = drift_pass.counted(prepared.coder, prepared.codes, current)
    edges = np.quantile(reference["n0"], np.arange(1, 16) / 16)
    assert counts[0].tolist() == [*np.bincount(np.searchsorted(edges, current["n0"], side="right")), 0]
    assert counts[8][:8].tolist() == [(current["c0"] == name).sum() for name in prepared.codes]
    ours = {"detector": drift_pass.OURS, "found_drifted": 1, "seconds": [0.03, 0.02, 0.02]}
    theirs = {"detector": "other", "found_drifted": 4, "seconds": [0.2, 0.1, 0.9]}
    assert [row["times_ours"] for row in drift_pass.rows_of([ours, theirs])] == [1.0, pytest.approx(10.0)]


@pytest.mark.usefixtures("bench")
def test_a_peer_that_cannot_run_is_named_with_how_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this environment frouros is missing: its process ends, and the harness does not wait for it."""
    from detectors_bench import peers
    from detectors_bench.streams import Stream

    monkeypatch.setattr(peers, "PYTHON", Path(sys.executable))
    contender = next(c for c in peers.installed() if c.name == "frouros DDM")
    with pytest.raises(peers.PeerEnded, match="peer frouros DDM has ended with 1"):
        contender.alarms(Stream(np.zeros(50_000), (), True))


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
