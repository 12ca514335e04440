"""Many classes, numbers, values: every emission is what plain Python says, whatever the cuts, order and crashes."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from driftloop.console.monitor import specification_events as written_as
from driftloop.schemas.codec import encode
from driftloop.schemas.events import Bins, Pane, SchemaRegistered
from driftloop.streams.observer.join.rows import Rows
from driftloop.streams.observer.panes.tasks import task_of
from driftloop.streams.observer.panes.value import told_sums

from .task_worlds import ANIMALS, HOUSES, SPECS, STREETS, TaskOracle, make_task_world
from .test_fold import _small_segments, counted, order, panes_of  # noqa: F401 (a fixture for all tests here)
from .world import Transport, context


def slack(name: str, rows: int) -> float:
    """What rounding may cost: half a unit a row."""
    if name in ("squared_error", "label_squared", "predicted_squared", "label_predicted"):
        return rows * 2.0**-21 * HOUSES.scales.scale**2
    if name.startswith("value"):
        return rows * 2.0**-31 * 1024
    return rows * 2.0**-28 * 8 + 1e-7


@pytest.mark.parametrize("seed", range(8))
def test_every_emission_of_every_task_is_what_plain_python_says(seed: int) -> None:
    world = make_task_world(seed)
    transport = Transport(world, context(None, *SPECS))
    transport.run(random.Random(seed), crashes=0.2)
    told = [pane for pane, _ in sorted(panes_of(transport), key=order)]
    for spec in SPECS:
        oracle = TaskOracle(world, spec)
        mine = [pane for pane in told if pane.model == spec.model and pane.kind in ("features", "labels")]
        expected = oracle.emissions()
        for key, emissions in expected.items():
            found = [p for p in mine if (p.version, p.role, p.pane_start, p.kind, p.bucket) == key]
            assert [(p.emitted_at, p.revision) for p in found] == [e[:2] for e in emissions]
            for pane, (_, _, counts, sums) in zip(found, emissions, strict=True):
                assert counted(pane) == +counts
                told_sums = {n: s for n, s in pane.sums.items() if s or n in sums}
                for name in told_sums.keys() | sums.keys():
                    gap = abs(pane.sums.get(name, 0.0) - sums.get(name, 0.0))
                    assert gap <= slack(name, counts["pairs"]) + 1e-12 * abs(sums.get(name, 0.0)), (name, key)
        assert len(mine) == sum(map(len, expected.values()))
        counters = [(p.emitted_at, +Counter(p.counts)) for p in told if (p.model, p.kind) == (spec.model, "counters")]
        assert counters == oracle.counters()
    assert not [o for o in transport.outputs if o.topic == "t.dead-letter.v1"]


@pytest.mark.parametrize("seed", range(50, 54))
def test_cuts_interleaving_and_crashes_change_no_byte(seed: int) -> None:
    world = make_task_world(seed)
    whole = Transport(world, context(None, *SPECS))
    whole.run(random.Random(0), batch=10_000)
    expected = [value for _, value in sorted(panes_of(whole), key=order)]
    for trial in range(3):
        rng = random.Random(seed * 10 + trial)
        other = Transport(world, context(None, *SPECS))
        other.run(rng, batch=rng.choice((3, 40)), crashes=rng.choice((0.0, 0.1, 0.25)))
        assert [value for _, value in sorted(panes_of(other), key=order)] == expected


def test_the_worlds_hold_every_case() -> None:
    seen: Counter[str] = Counter()
    for seed in range(8):
        world = make_task_world(seed)
        for spec in SPECS:
            for emissions in TaskOracle(world, spec).emissions().values():
                counts = emissions[-1][2]
                seen.update({f"{spec.model} {name.split('/')[0]}" for name, n in counts.items() if n})
    wanted = ("animals errors", "animals valued", "animals value_clipped", "houses clipped", "houses unlabelled")
    assert min(seen[name] for name in wanted) >= 5, seen


def test_what_a_pane_may_weigh() -> None:
    """The worst of 32 classes with values: every cell and every bin in use, far from the 256 kB of a record."""
    spec = replace(ANIMALS, classes=tuple(f"class {k}" for k in range(32)))
    task = task_of(spec)
    full = [(b.name, b.width) for b in task.layout.blocks if not b.is_count]
    histograms = tuple([Bins(n, tuple(range(w)), (2**40,) * w) for n, w in full])
    sums = told_sums(task.units, [2**60] * len(task.units))
    assert len(sums) == 4 + 33**2
    place = (0.0, 1.0, 0, "labels", 1, 0.0, 0)
    pane = Pane("m" * 100, "v", "champion", "s" * 16, *place, 1, 2, 3, 4, {}, sums, histograms)
    assert len(encode(pane)) < 64_000


def test_a_new_specification_may_know_more_classes_or_begin_to_sum_values() -> None:
    """Rows that wait keep what they have, are saved anew in wider columns, and are folded as they were meant."""
    wider = replace(ANIMALS, classes=(*ANIMALS.classes, "fish"))
    changes = {"animals": (ANIMALS, wider), "streets": (STREETS, replace(STREETS, value_most=8.0))}
    for name, (older, newer) in changes.items():
        world = make_task_world(3, size=160)
        for log in (world.predictions, world.truths):
            log[:] = [item for item in log if getattr(item, "spec", older) is older]
        told = []
        for seed in (1, 2):
            rng, seen = random.Random(seed), context(None, older)
            transport = Transport(world, seen)
            while transport.saved[0] < 20:
                transport.deliver(0, 20 - transport.done[0])
                transport.commit() if rng.random() < 0.7 else transport.crash()
            for event in (publication.event for publication in (*written_as(older), *written_as(newer))):
                topic = "schemas" if isinstance(event, SchemaRegistered) else "monitors"
                seen.catalogue.absorb(topic, 9, name.encode(), encode(event))
            transport.run(rng, crashes=0.3)
            panes = [pane for pane, _ in sorted(panes_of(transport), key=order)]
            told.append([repr(p) for p in panes if p.kind != "counters"])
            assert not [o for o in transport.outputs if o.topic == "t.dead-letter.v1"]
            for spec in (older, newer):  # the app goes on writing as it did
                assert {p.kind for p in panes if p.spec == spec.spec} >= {"features", "labels"}
        assert told[0] == told[1]


def test_rows_that_are_widened_hold_nothing_in_the_new_column() -> None:
    rows = Rows({"labels": "i1"})
    batch = {"ids": np.arange(3, dtype=np.uint64), "times": np.zeros(3), "before": np.zeros(3)}
    slots = rows.append(batch | {"offsets": np.arange(3), "labels": np.ones(3, np.int8)})
    rows.widen({"labels": "i1", "values": "<f8", "codes": "<i4"})
    assert np.isnan(rows.columns["values"][slots]).all()
    assert rows.columns["codes"][slots].tolist() == [0, 0, 0]
    assert rows.columns["labels"][slots].tolist() == [1, 1, 1]
