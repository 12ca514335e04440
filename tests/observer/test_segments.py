"""Panes of declared segments: what plain Python counts row by row, in any order; they add up to the whole."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.events import MonitorApplied, Pane
from driftloop.schemas.monitor.intervals import intervals
from driftloop.schemas.monitor.segments import Segmentation
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification

from . import world as world_module
from .pane_oracle import PaneOracle
from .test_fold import counted, order, panes_of
from .world import LOANS, Observed, Predicted, Transport, World, context, make_world

SEGMENTED = replace(
    LOANS,
    features=(*LOANS.features, Feature("grade", "f_grade", "categorical", categories=("A",))),
    segments=(
        Segmentation("region", ("region",), (("north",), (None,))),
        Segmentation("both", ("grade", "region"), ((None, "south"), (None, None), ("A", "north"))),
        Segmentation("income", ("income",), intervals((-0.5, 0.25))),
        Segmentation("later", ("grade",)),
    ),
)
NAMES = {("region", "north"): "region=north", ("region", None): r"region=\missing"}
NAMES |= {("both", "south"): r"both=\missing|south", ("both", None): r"both=\missing|\missing"}
INCOMES = ("income=below -0.5", "income=-0.5 to 0.25", "income=0.25 and above", r"income=\missing")
ALL = {*NAMES.values(), r"region=\other", r"both=\other", *INCOMES}

KINDS = ("features", "labels")
"""Those that have segments."""


def segments_of(p: Predicted) -> list[str]:
    """The app of the test never sends a grade."""
    region, income = p.features.get("region"), p.features.get("income")
    interval = 3 if income is None else int(income >= -0.5) + int(income >= 0.25)
    return [*(NAMES.get((name, region), rf"{name}=\other") for name in ("region", "both")), INCOMES[interval]]


class SegmentOracle(PaneOracle):
    """The whole, and beside it every segment, as a part of the key."""

    def feature_row(self, i: int) -> None:
        before = self.lengths()
        super().feature_row(i)
        self.again(self.p[i], before)

    def label_row(self, i: int, j: int) -> None:
        before = self.lengths()
        super().label_row(i, j)
        self.again(self.p[i], before)

    def lengths(self) -> dict[Any, int]:
        return {(key, due): len(rows) for key, parts in self.parts.items() for due, rows in parts.items()}

    def again(self, p: Predicted, before: dict[Any, int]) -> None:
        (key, due) = next(
            (key, due)
            for key, parts in self.parts.items()
            for due, rows in parts.items()
            if len(key) == 5 and len(rows) > before.get((key, due), 0)
        )
        counts, sums, offsets = self.parts[key][due][-1]
        own = Counter({k: v for k, v in counts.items() if not k.startswith(("feature:", "missing:", "unseen:"))})
        for segment in segments_of(p):
            self.parts[(*key, segment)][due].append((own, sums, offsets))
            if segment.endswith("other") and key[3] == "features":
                counts[f"segment_other:{segment.split('=')[0]}"] += 1


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("driftloop.streams.observer.join.rows.SEGMENT_ROWS", 16)
    monkeypatch.setattr("driftloop.streams.observer.recovery.state.SEGMENT_ROWS", 16)
    monkeypatch.setattr("driftloop.streams.observer.recovery.state.PARTS_MOST", 4)
    monkeypatch.setattr("driftloop.streams.observer.fold.ROWS_GATHERED_MOST", 20)
    monkeypatch.setattr(world_module, "LOANS", SEGMENTED)
    yield


def key_of(p: Pane) -> tuple[Any, ...]:
    key = (p.version, p.role, p.pane_start, p.kind, p.bucket)
    return (*key, p.segment) if p.segment else key


def told_by(transport: Transport) -> list[Pane]:
    return [pane for pane, _ in sorted(panes_of(transport), key=order) if pane.model == "loans"]


@pytest.mark.parametrize("seed", range(6))
def test_every_emission_of_every_segment_is_what_plain_python_says(seed: int) -> None:
    world = make_world(seed)
    transport = Transport(world, context(None, SEGMENTED, world_module.CLICKS))
    transport.run(random.Random(seed), crashes=0.2)
    told = [p for p in told_by(transport) if p.kind in KINDS]
    oracle = SegmentOracle(world, SEGMENTED)
    expected = oracle.emissions()
    assert {p.segment for p in told} == ALL | {""}
    assert len(told) == sum(map(len, expected.values()))
    for key, emissions in expected.items():
        found = [p for p in told if key_of(p) == key]
        assert [(p.emitted_at, p.revision) for p in found] == [e[:2] for e in emissions]
        for pane, (_, _, counts, sums) in zip(found, emissions, strict=True):
            assert counted(pane) == +counts
            assert pane.sums == pytest.approx(sums, abs=1e-7)
        last = found[-1]
        offsets = (last.predictions_first_offset, last.predictions_last_offset)
        assert (*offsets, last.truths_first_offset, last.truths_last_offset) == oracle.offsets_of(key)
    counters = [(p.emitted_at, +Counter(p.counts)) for p in told_by(transport) if p.kind == "counters"]
    assert counters == oracle.counters(), "a row is counted once, however many segments it is in"


@pytest.mark.parametrize("seed", range(200, 204))
def test_cuts_interleaving_and_crashes_change_no_byte_of_a_segment(seed: int) -> None:
    world = make_world(seed, size=150)
    specs = (SEGMENTED, world_module.CLICKS)
    whole = Transport(world, context(None, *specs))
    whole.run(random.Random(0), batch=10_000)
    expected = sorted(value for _, value in panes_of(whole))
    for trial in range(3):
        rng = random.Random(seed * 10 + trial)
        other = Transport(world, context(None, *specs))
        other.run(rng, batch=rng.choice((3, 40)), crashes=rng.choice((0.0, 0.1, 0.25)))
        assert sorted(value for _, value in panes_of(other)) == expected
        names = {dict(o.headers)["ce_id"] for o in other.outputs if o.key in (b"loans", b"clicks")}
        assert len(names) == len(expected)


def test_the_segments_of_a_segmentation_add_up_to_the_whole() -> None:
    world = make_world(3, size=400)
    transport = Transport(world, context(None, SEGMENTED, world_module.CLICKS))
    transport.run(random.Random(3), crashes=0.1)
    last = {key_of(p): p for p in told_by(transport) if p.kind in KINDS}
    for key in [key for key in last if len(key) == 5]:
        whole = counted(last[key])
        for name in ("region=", "both=", "income="):
            parts = [p for k, p in last.items() if k[:5] == key and k[5:] and k[5].startswith(name)]
            added: Counter[str] = Counter()
            for part in parts:
                added += counted(part)
            assert added == Counter({k: n for k, n in whole.items() if k in added})
            assert {"predictions", "pairs"} & set(added)
            for sum_name, value in last[key].sums.items():
                assert sum(p.sums[sum_name] for p in parts) == value, "exactly: all are multiples of one unit"


def test_a_record_of_a_segment_names_it_and_that_of_the_whole_does_not() -> None:
    transport = Transport(make_world(1), context(None, SEGMENTED, world_module.CLICKS))
    transport.run(random.Random(1))
    for output in transport.outputs:
        event = decode(output.value) if output.topic == "t.panes.v1" else None
        if isinstance(event, Pane):
            assert dict(output.headers).get("ce_subject", b"").decode() == event.segment


def test_segments_that_are_declared_later_count_from_then_on_and_what_waits_keeps_its_own() -> None:
    """None, then one, then two segmentations, while predictions of each specification wait for their label."""
    first, second = (replace(SEGMENTED, segments=SEGMENTED.segments[:k]) for k in (0, 1))
    made = [p for p in make_world(8, 300).predictions if getattr(p, "spec", SEGMENTED) is SEGMENTED]
    truths = [Observed(p.name, SEGMENTED, p.time + 3_600, "default") for p in made if isinstance(p, Predicted)]
    world = World(made, [*truths, made[-1]])
    told = []
    for seed in (1, 2):
        rng, seen = random.Random(seed), context(None, first)
        transport = Transport(world, seen)
        for offset, (until, spec) in enumerate(((60, second), (130, SEGMENTED))):
            while transport.saved[0] < until:
                transport.deliver(0, min(7, until - transport.done[0]))
                if transport.done[1] < transport.done[0] - 40:
                    transport.deliver(1, 5)
                if rng.random() < 0.5:
                    transport.commit()
                elif rng.random() < 0.3:
                    transport.crash()
            applied = MonitorApplied("loans", spec.spec, spec.to_json())
            seen.catalogue.absorb("monitors", 9 + offset, b"loans", encode(applied))
        transport.run(rng, crashes=0.2)
        panes = [decode(o.value) for o in transport.outputs if o.key == b"loans"]
        told.append(sorted(repr(p) for p in panes if isinstance(p, Pane) and p.kind != "counters"))
        by_spec = {
            spec.spec: {p.segment for p in panes if p.spec == spec.spec} for spec in (first, second, SEGMENTED)
        }
        assert by_spec[first.spec] == {""}
        assert by_spec[second.spec] == {"", *(name for name in ALL if name.startswith("region="))}
        assert by_spec[SEGMENTED.spec] >= {"", *(name for name in ALL if name.startswith("region="))}
        _labels_by_segment_equal_those_of_the_rows(panes, world, (first, second, SEGMENTED))
    assert told[0] == told[1]


def _labels_by_segment_equal_those_of_the_rows(
    panes: list[Any], world: World, specs: tuple[MonitorSpecification, ...]
) -> None:
    """Per specification: its predictions by region, and of those the labelled ones, agree with their features."""
    regions = {}
    for i, p in enumerate(world.predictions):
        if isinstance(p, Predicted):
            regions[7 + 2 * i] = segments_of(p)[0]
    for spec in specs[1:]:
        for kind, what in (("features", "predictions"), ("labels", "pairs")):
            last = {key_of(p): p for p in panes if isinstance(p, Pane) and p.spec == spec.spec and p.kind == kind}
            assert last
            for pane in last.values():
                if pane.segment.startswith("region=") and pane.counts[what] == 1:
                    assert regions[pane.predictions_first_offset] == pane.segment


def test_a_specification_without_segments_has_the_name_it_always_had() -> None:
    assert "segments" not in LOANS.to_json()
    assert MonitorSpecification.from_json(LOANS.to_json()) == LOANS
    assert MonitorSpecification.from_json(SEGMENTED.to_json()) == SEGMENTED
    assert SEGMENTED.bins_hash == replace(SEGMENTED, segments=()).bins_hash, "baselines stay"
