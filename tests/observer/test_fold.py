"""The observer over two logs: the same bytes for every cut, interleaving and crash, and what plain Python says."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from driftloop.schemas.codec import decode
from driftloop.schemas.events import Pane, Progress

from .pane_oracle import PaneOracle
from .world import CLICKS, LOANS, PARTITION, Bad, Transport, make_world


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


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that segments fill, are merged and die within a small world."""
    monkeypatch.setattr("driftloop.streams.observer.rows.SEGMENT_ROWS", 16)
    monkeypatch.setattr("driftloop.streams.observer.state.SEGMENT_ROWS", 16)
    monkeypatch.setattr("driftloop.streams.observer.state.PARTS_MOST", 4)
    monkeypatch.setattr("driftloop.streams.observer.model.ROWS_GATHERED_MOST", 20)


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
        assert sum(p.kind != "counters" for p in mine) == sum(map(len, expected.values()))
        counters = [(p.emitted_at, +Counter(p.counts)) for p in mine if p.kind == "counters"]
        assert counters == oracle.counters()
        assert {p.spec for p in mine} <= {spec.spec}


@pytest.mark.parametrize("seed", range(100, 108))
def test_cuts_interleaving_and_crashes_change_no_byte(seed: int) -> None:
    world = make_world(seed, size=150)
    whole = Transport(world)
    whole.run(random.Random(0), batch=10_000)
    expected = [value for _, value in sorted(panes_of(whole), key=order)]
    for trial in range(3):
        rng = random.Random(seed * 10 + trial)
        other = Transport(world)
        other.run(rng, batch=rng.choice((3, 40)), crashes=rng.choice((0.0, 0.1, 0.5)))
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
