"""The record of a long run: cut off anywhere it goes on, and says what a run in one piece says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .outcome import Outcome
from .record import Record, code_of
from .simulate import many


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_was_cut_off_says_in_the_end_what_one_run_says(tmp_path: Path) -> None:
    at_once, in_pieces = tmp_path / "at-once.json", tmp_path / "in-pieces.json"
    assert many(2, Record(at_once, 3, "code")) == 0
    for seeds in (1, 2, 2):  # the last one has nothing left to do
        assert many(seeds, Record(in_pieces, 3, "code")) == 0
    found = [json.loads(file.read_text()) | {"seconds": 0} for file in (at_once, in_pieces)]
    assert found[0] == found[1]
    assert (found[0]["seeds_done"], found[0]["worlds"]) == (2, 4)
    assert {"repeated", "reordered", "crashes"} <= found[0]["counts"]["core"].keys()


def test_a_failure_stays_in_the_record_and_what_other_code_found_stays_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    record = Record(file, 1, "old")
    record.add(Outcome("core", 1, ["a fault"], {"records": 5}))
    record.seed_done(0.5)
    again = Record(file, 1, "old")
    assert (again.done, again.failures) == (1, [{"again": again_of(1), "faults": ["a fault"]}])
    assert Record(file, 2, "old").done == 0, "figures from other seeds on are another run"
    new = Record(file, 1, "new")
    new.seed_done(0.5)
    told = json.loads(file.read_text())
    assert (told["code"], told["failures"]) == ("new", [])
    assert [former["failures"] for former in told["former"]] == [again.failures]


def again_of(seed: int) -> str:
    return f"python -m tests.simulation.simulate --core {seed}"


def test_the_code_is_another_as_soon_as_a_source_is(tmp_path: Path) -> None:
    source = tmp_path / "streams" / "observer" / "time.py"
    source.parent.mkdir(parents=True)
    source.write_text("one = 1\n")
    before = code_of(tmp_path)
    assert code_of(tmp_path) == before
    source.write_text("one = 2\n")
    assert code_of(tmp_path) != before
