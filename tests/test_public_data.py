"""Tests on public streams: where the folder is missing one line says how many are left out, and CI fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.settings import Settings

from .public_data import left_out, public_folder

ROOT = Path(__file__).resolve().parents[1]


def test_a_folder_that_is_missing_is_said_in_one_line_for_all(tmp_path: Path) -> None:
    nowhere = {"PUBLIC_STREAMS": str(tmp_path / "nowhere")}
    with pytest.raises(pytest.skip.Exception) as skipped:
        public_folder(nowhere)
    reasons = [f"('conftest.py', 9, 'Skipped: {skipped.value}')"] * 3 + ["('other.py', 1, 'Skipped: no such thing')"]
    line = f"tests left out: 3; there are no public streams in {tmp_path}/nowhere (PUBLIC_STREAMS names the folder)"
    assert list(left_out(reasons)) == [line]
    assert list(left_out(reasons[3:])) == []


def test_ci_requires_it_and_sets_nothing_that_driftloop_refuses(tmp_path: Path) -> None:
    given = re.search(r"^((?:\w+=\w+ )+)make check test$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert given
    environment = dict(one.split("=") for one in given[1].split())
    assert Settings.from_environment(environment) == Settings.from_environment({})
    with pytest.raises(pytest.fail.Exception, match="no public streams in"):
        public_folder({"PUBLIC_STREAMS": str(tmp_path / "nowhere")} | environment)


def test_what_is_there_is_taken(tmp_path: Path) -> None:
    assert public_folder({"PUBLIC_STREAMS": str(tmp_path), "PUBLIC_STREAMS_REQUIRED": "1"}) == tmp_path
