"""The observer over two logs: the same bytes for every cut, interleaving and crash, and what plain Python says."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace

import pytest
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.events import MonitorApplied, Pane, Progress
from driftloop.schemas.monitor.specification import MonitorSpecification

from .pane_oracle import PaneOracle
from .world import (
    CLICKS,
    LOANS,
    PARTITION,
    START,
    Bad,
    Marked,
    Observed,
    Predicted,
    Transport,
    World,
    context,
    make_world,
    prediction,
)


def panes_of(transport: Transport) -> list[tuple[Pane, bytes]]:
    events = [(decode(o.value), o.value) for o in transport.outputs if o.topic == "t.panes.v1"]
    return [(event, value) for event, value in events if isinstance(event, Pane)]


def order(told: tuple[Pane, bytes]):
    p = told[0]
    return p.emitted_at, p.model, p.version, p.role, p.kind, p.bucket, p.pane_start, p.revision


def counted(pane: Pane) -> Counter[str]:
    found = Counter(pane.counts)
    for histogram in pane.histograms:
        found.update({f"{histogram.name}/{b}": n for b, n in zip(histogram.bins, histogram.counts, strict=True)})
    return found


def assert_cuts_change_no_byte(world: World, *specifications: MonitorSpecification) -> None:
    """However the logs are cut and whatever crashes, the panes are those of the logs read in one go."""
    whole = Transport(world, context(None, *specifications))
    whole.run(random.Random(0), batch=10_000)
    expected = sorted(value for _, value in panes_of(whole))
    for trial in range(2):
        other = Transport(world, context(None, *specifications))
        other.run(random.Random(trial), batch=7, crashes=0.3)
        assert sorted(value for _, value in panes_of(other)) == expected


@pytest.fixture(autouse=True, params=["read at once", "let wait"])
def _small_segments(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """So that segments fill, are merged and die within a small world; and records wait as those of many models do."""
    if request.param == "let wait":
        monkeypatch.setattr("driftloop.streams.observer.fold.MODELS_FEW", 0)
        monkeypatch.setattr("driftloop.streams.observer.unread.RECORDS_MOST", 25)
    monkeypatch.setattr("driftloop.streams.observer.join.rows.SEGMENT_ROWS", 16)
    monkeypatch.setattr("driftloop.streams.observer.recovery.state.SEGMENT_ROWS", 16)
    monkeypatch.setattr("driftloop.streams.observer.recovery.state.PARTS_MOST", 4)
    monkeypatch.setattr("driftloop.streams.observer.fold.ROWS_GATHERED_MOST", 20)


@pytest.mark.parametrize("seed", range(12))
def test_every_emission_is_what_plain_python_says(seed: int) -> None:
    world = make_world(seed)
    transport = Transport(world)
    transport.run(random.Random(seed), crashes=0.2)
    told = [pane for pane, _ in sorted(panes_of(transport), key=order)]
    for spec in (LOANS, CLICKS):
        oracle = PaneOracle(world, spec)
        mine = [pane for pane in told if pane.model == spec.model]
        expected = oracle.emissions()
        for key, emissions in expected.items():
            found = [p for p in mine if (p.version, p.role, p.pane_start, p.kind, p.bucket) == key]
            assert [(p.emitted_at, p.revision) for p in found] == [e[:2] for e in emissions]
            for pane, (_, _, counts, sums) in zip(found, emissions, strict=True):
                assert counted(pane) == +counts
                assert pane.sums == pytest.approx(sums, abs=1e-7)
            last = found[-1]
            offsets = (last.predictions_first_offset, last.predictions_last_offset)
            assert (*offsets, last.truths_first_offset, last.truths_last_offset) == oracle.offsets_of(key)
        assert sum(p.kind in ("features", "labels") for p in mine) == sum(map(len, expected.values()))
        counters = [(p.emitted_at, +Counter(p.counts)) for p in mine if p.kind == "counters"]
        assert counters == oracle.counters()
        assert {p.spec for p in mine} <= {spec.spec}


@pytest.mark.parametrize("seed", range(100, 108))
def test_cuts_interleaving_and_crashes_change_no_byte(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(seed, size=150)
    whole = Transport(world)
    with monkeypatch.context() as patch:  # numpy's way of grouping rows, however few
        patch.setattr("driftloop.streams.observer.panes.panes.FEW", 0)
        patch.setattr("driftloop.streams.observer.join.rows.FEW", 0)
        whole.run(random.Random(0), batch=10_000)
    expected = [value for _, value in sorted(panes_of(whole), key=order)]
    for trial in range(3):
        rng = random.Random(seed * 10 + trial)
        other = Transport(world)
        other.run(rng, batch=rng.choice((3, 40)), crashes=rng.choice((0.0, 0.1, 0.25)))
        assert [value for _, value in sorted(panes_of(other), key=order)] == expected
        names = {dict(o.headers)["ce_id"] for o in other.outputs if o.key in (b"loans", b"clicks")}
        assert len(names) == len(expected), "a CloudEvents id an emission"


def test_every_bad_record_is_a_dead_letter_with_its_reason_and_its_place() -> None:
    for seed in range(4):
        world = make_world(seed)
        transport = Transport(world)
        transport.run(random.Random(seed), crashes=0.2)
        found = Counter()
        for output in transport.outputs:
            if output.topic == "t.dead-letter.v1":
                headers = dict(output.headers)
                place = (headers["__connect.errors.topic"].decode(), int(headers["__connect.errors.offset"]))
                found[(*place, headers["driftloop.reason"].decode(), output.value)] += 1
        expected = Counter(
            (f"t.{short}.v1", 2 * i + 7, item.reason, item.value)
            for short, log in zip(("predictions", "ground-truth"), world.logs, strict=True)
            for i, item in enumerate(log)
            if isinstance(item, Bad)
        )
        assert expected and found == expected


def test_progress_stands_behind_the_panes_of_its_checkpoint_in_every_partition() -> None:
    transport = Transport(make_world(3))
    transport.deliver(0, 60)
    transport.deliver(1, 10)
    transport.commit()
    told = [o for o in transport.outputs if o.topic == "t.panes.v1"]
    assert [o.partition for o in told[-3:]] == [0, 1, 2]
    progress = decode(told[-1].value)
    assert isinstance(progress, Progress)
    assert all(isinstance(decode(o.value), Pane) for o in told[:-3])
    assert (progress.partition, progress.partitions, progress.caught_up) == (PARTITION, 3, False)
    assert (progress.predictions_offset, progress.truths_offset) == (2 * 59 + 7, 2 * 9 + 7)
    greatest = max(item.time for item in make_world(3).predictions[:60])
    assert progress.predictions_watermark == greatest - CLICKS.disorder_seconds
    written = len(transport.outputs)
    transport.commit()
    assert len(transport.outputs) == written, "nothing was read: nothing is told"


def test_the_worlds_hold_every_case() -> None:
    """A property test that never meets a case proves nothing about it."""
    seen: Counter[str] = Counter()
    for seed in range(12):
        world = make_world(seed)
        for spec in (LOANS, CLICKS):
            oracle = PaneOracle(world, spec)
            emissions = oracle.emissions()
            seen["corrected features"] += sum(len(e) > 1 for key, e in emissions.items() if key[3] == "features")
            seen["corrected labels"] += sum(len(e) > 1 for key, e in emissions.items() if key[3] == "labels")
            seen.update(f"bucket {key[4]}" for key in emissions)
            seen.update(oracle.counters()[-1][1])
    assert min(seen.values()) >= 5, seen
    assert {"duplicates", "amendments", "too_late", "orphans", "never_labelled_challenger", "bucket 2"} <= set(seen)


def test_it_is_due_when_its_frontier_passes_an_instant_and_only_then() -> None:
    """One pane's end in both topics is one checkpoint, not two."""
    first = replace(prediction(random.Random(1), "a", START), spec=LOANS, features={})
    predictions = [first, *(Marked(START + t) for t in (100, 700, 5_000, 5_100))]
    transport = Transport(World(predictions, [Marked(START + t) for t in (50, 720, 5_020)]), context(None, LOANS))
    due = []
    for source in (0, 1, 0, 0, 1, 0, 1, 0):
        transport.deliver(source, 1)
        due.append(transport.fold.due)
        if transport.fold.due:
            transport.commit()
            assert not transport.fold.due
    assert due == [False, True, False, False, True, False, True, False]


def test_an_unknown_model_is_looked_up_once_a_batch_before_it_is_a_dead_letter() -> None:
    world = make_world(2)
    world.truths = []
    refreshes: list[int] = []
    seen = context(refreshes, LOANS)
    transport = Transport(world, seen)
    transport.deliver(0, 20)
    transport.commit()
    assert len(refreshes) == 1
    clicks = sum(isinstance(p, Predicted) and p.spec is CLICKS for p in world.predictions[:20])
    assert clicks and sum(o.topic == "t.dead-letter.v1" for o in transport.outputs) >= clicks

    late = Transport(world, context(None, LOANS))
    applied = encode(MonitorApplied("clicks", CLICKS.spec, CLICKS.to_json()))
    catalogue = late.context.catalogue
    late.context = replace(late.context, refresh=lambda: catalogue.absorb("monitors", 7, b"clicks", applied))
    late.crash()
    late.deliver(0, 20)
    late.commit()
    reasons = [dict(o.headers)["driftloop.reason"] for o in late.outputs if o.topic == "t.dead-letter.v1"]
    assert len(reasons) == sum(isinstance(p, Bad) for p in world.predictions[:20])
    assert set(late.fold.models) == {"loans", "clicks"}


@pytest.mark.parametrize("bound", ["rows", "bytes"])
def test_what_does_not_fit_is_dropped_oldest_first_and_counted(bound: str) -> None:
    spec = replace(LOANS, horizon_seconds=20 * 86_400.0)
    rng = random.Random(3)
    made = [replace(prediction(rng, f"n{i}", START + 10.0 * i), spec=spec, role="champion") for i in range(400)]
    made = [replace(p, features={}) for p in made]
    end = Marked(START + 60 * 86_400.0)
    known = [Observed(p.name, spec, START + 5_000.0 + i, "default") for i, p in enumerate(made)]
    world = World([*made, end], [*known, end])
    seen = context(None, spec)
    if bound == "rows":
        transport = Transport(world, seen, rows_most=64)
    else:  # 46 bytes of columns a prediction, one of status, and the index
        transport = Transport(world, replace(seen, pending_bytes_most=64 * 77))
    transport.deliver(0, 400)
    transport.commit()
    assert len(transport.fold.models["loans"].join.predictions) <= 64
    transport.run(random.Random(0))
    last = [pane for pane, _ in panes_of(transport) if pane.kind == "counters"][-1].counts
    assert last["predictions"] == 400
    assert last["overflow"] >= 300
    assert last.get("labelled", 0) <= 64
    open_ = last["predictions"] + len(known) - 2 * last.get("labelled", 0)
    assert last["overflow"] + last.get("orphans", 0) + last.get("never_labelled", 0) == open_


def test_an_empty_batch_tells_how_far_behind_it_is() -> None:
    transport = Transport(World([], []))
    transport.deliver(0, 0)
    transport.deliver(1, 0)
    transport.commit()
    progress = decode(transport.outputs[0].value)
    assert isinstance(progress, Progress)
    assert progress.caught_up
    assert progress.predictions_watermark == -math.inf
    assert (progress.predictions_offset, progress.truths_offset) == (-1, -1)
