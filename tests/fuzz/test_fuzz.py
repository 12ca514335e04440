"""The short form of `make fuzz`: the same code, fewer records."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from driftloop.schemas.settings import Settings

from .mutations import MUTATIONS, Fuzzer
from .on_broker import fuzz
from .pure import NOW, run_pure

OBSERVER_BYTES_MOST = 400 << 20


def test_each_broken_record_is_taken_as_the_oracle_reads_it_or_refused_for_what_is_wrong() -> None:
    found = run_pure(20_000, seed=1)
    assert found["faults"] == [] and found["memory"]
    assert found["refused"] > found["accepted"] > 2_000
    assert set(MUTATIONS) < set(found["mutations"])
    assert any(how.startswith("large") for how in found["mutations"])
    for reason in (
        "truncated",
        "not-utf8",
        "wrong-type",
        "trailing-bytes",
        "unknown-schema",
        "unknown-framing",
        "empty",
    ):
        assert all(counts[reason] > 20 for counts in found["reasons"].values()), reason


def test_the_same_seed_gives_the_same_records() -> None:
    assert list(Fuzzer(3, NOW).records(3_000)) == list(Fuzzer(3, NOW).records(3_000))
    assert list(Fuzzer(3, NOW).records(3_000)) != list(Fuzzer(4, NOW).records(3_000))


@pytest.mark.kafka
def test_on_a_broker_each_refused_record_is_kept_once_and_the_rest_is_counted(
    settings: Settings, tmp_path: Path
) -> None:
    now = time.time()
    found, took = fuzz(settings, tmp_path, Fuzzer(2, now).records(20_000), now)
    assert found["taken"] > 1_000
    assert found["panes"] > 100
    assert took.peak_bytes < OBSERVER_BYTES_MOST
