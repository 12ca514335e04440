"""Hundreds of worlds through the observer's core: whatever is cut, interleaved and crashed, the oracle's numbers."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from . import core
from .core_check import Read
from .core_oracle import Expected
from .core_run import CoreRun, small_structures
from .core_world import make_world

SEEDS, STEP = 100, 20
FOUND = {
    18: "shorter terms settled rows at once, and these were counted at instants that had been told already",
    21: "a segment dropped by the bound was counted at an instant that had been told already",
    198: "panes of a retired specification left records in the state that nobody could read: no worker came up again",
    2_700_788: "a fault of this simulation: predictions were laid to the specification that the truths read behind "
    "them brought, of which one named an unknown model",
    2_612_907: "the same, two specifications on",
    2_611_926: "a fault of this simulation: a Progress was to know the disorder of a model not applied yet; but "
    "the judge took it at its word and told such a model late (tests/observer/test_clocks_judged.py)",
}
"""Seeds that found something, kept."""


@pytest.mark.parametrize("first", range(0, SEEDS, STEP))
def test_every_number_is_what_plain_python_says(first: int) -> None:
    for seed in range(first, first + STEP):
        outcome = core.simulate(seed, size=40, twice=seed % 4 == 0)
        assert not outcome.faults, f"{outcome.again}: {outcome.faults[0]}"


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_once_stays_mended(seed: int) -> None:
    assert not core.simulate(seed).faults, FOUND[seed]


def test_the_worlds_hold_every_case() -> None:
    """A simulation that never meets a case proves nothing about it."""
    seen: Counter[str] = Counter()
    for seed in range(24):
        world = make_world(seed, 40)
        with small_structures(random.Random(seed)):
            run = CoreRun(world, seed).run()
        seen["crash"] += run.crashes
        seen["bounded"] += world.rows_most is not None
        seen["other bins"] += len(world.changes) > 0
        seen["other terms"] += world.terms_change
        seen["several partitions"] += len(world.logs) > 1
        for partition, written in enumerate(run.written):
            expected = Expected(world, partition, run.seen[partition])
            seen["dead letter"] += sum(expected.dead.values())
            seen["correction"] += sum(len(e) > 1 for e in expected.emissions.values())
            seen.update(f"bucket {key[6]}" for key in expected.emissions)
            for total in expected.totals.values():
                seen.update(total)
            read = Read(written)
            seen["overflow"] += sum(p[-1].counts.get("overflow", 0) for p in read.counters.values())
    wanted = {"duplicates", "amendments", "too_late", "orphans", "never_labelled_challenger", "bucket 2", "overflow"}
    assert wanted <= set(seen) and min(seen.values()) > 0, seen
