"""Segments in windows: metrics are those of their rows, the whole does not change by a byte, sizes are bounded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driftloop.schemas.codec import encode
from driftloop.schemas.events import Pane, WindowMeasured
from driftloop.schemas.monitor.segments import Segmentation
from driftloop.schemas.monitor.specification import Feature
from driftloop.streams.fold import SourceRecords
from driftloop.streams.judge.metrics import segmented
from driftloop.streams.judge.metrics.fairness import OPPORTUNITY, PARITY

from .scenes import DAY, REFERENCE_ROWS, SPEC, START, Judge, Row, Shelf, baselines_of, make_rows, panes_of, streams_of
from .test_windows import known_at

REGION = Segmentation("region", ("region",), (("north",), ("south",)))
SEGMENTED = replace(SPEC, segments=(REGION,))
NAMES = {"north": "region=north", "south": "region=south", None: r"region=\other"}
ROWS = make_rows(7, 5, per_day=120, late=0.1, flip=0.1)
HEAD = ("score", "predicted")


def segment_panes(rows: list[Row]) -> list[Pane]:
    """As the observer tells them: of features the head alone."""
    found = []
    for region, name in NAMES.items():
        for pane in panes_of([row for row in rows if row.region == region]):
            head = tuple(h for h in pane.histograms if pane.kind == "labels" or h.name in HEAD)
            found.append(replace(pane, segment=name, histograms=head))
    return found


def streams(rows: list[Row], segments: bool) -> list[list[bytes]]:
    panes = panes_of(rows) + (segment_panes(rows) if segments else [])
    panes = [replace(pane, spec=SEGMENTED.spec) for pane in panes]
    return streams_of(sorted(panes, key=lambda p: p.emitted_at), 3, START + 9 * DAY)


def judge() -> Judge:
    return Judge(Shelf(baselines_of(REFERENCE_ROWS), SEGMENTED))


def told(rows: list[Row], segments: bool = True) -> list[WindowMeasured]:
    return [e for e in judge().run(*streams(rows, segments)) if isinstance(e, WindowMeasured)]


def test_every_segment_of_every_window_is_what_its_rows_say() -> None:
    windows = told(ROWS)
    assert {w.closing for w in windows} == {"features", "provisional", "labels"}
    for window in (w for w in windows if w.predictions):
        own = [row for row in ROWS if window.window_start <= row.time < window.window_start + DAY]
        assert [s.segment for s in window.segments] == list(NAMES.values())
        for segment, region in zip(window.segments, NAMES, strict=True):
            here = [row for row in own if row.region == region and known_at(row, window.as_of)[0]]
            labelled = [row for row in here if known_at(row, window.as_of)[1]]
            assert (segment.predictions, segment.labelled) == (len(here), len(labelled))
            selected = sum(row.score >= 0.5 for row in here)
            assert segment.metrics["selection_rate"].value == selected / len(here)
            if labelled:
                right = sum(int(row.score >= 0.5) == row.label for row in labelled)
                assert segment.metrics["accuracy"].value == right / len(labelled)
                brier = sum((row.score - row.label) ** 2 for row in labelled) / len(labelled)
                assert segment.metrics["brier"].value == pytest.approx(brier, abs=1e-12)
        assert window.predictions == sum(s.predictions for s in window.segments)


def test_fairness_compares_the_named_segments() -> None:
    window = next(w for w in told(make_rows(8, 1, per_day=400)) if w.closing == "labels")
    gaps = {gap.criterion: gap for gap in window.fairness}
    assert set(gaps) == {PARITY, OPPORTUNITY}
    rates = {s.segment: s.metrics["selection_rate"].value for s in window.segments if s.segment != NAMES[None]}
    parity = gaps[PARITY]
    assert (parity.segmentation, parity.segments) == ("region", 2)
    assert parity.difference.value == pytest.approx(max(rates.values()) - min(rates.values()))
    assert parity.ratio is not None
    assert parity.ratio.value == pytest.approx(min(rates.values()) / max(rates.values()))
    assert (rates[parity.lowest], rates[parity.highest]) == (min(rates.values()), max(rates.values()))
    recalls = [s.metrics["recall"].value for s in window.segments if s.segment != NAMES[None]]
    assert gaps[OPPORTUNITY].difference.value == pytest.approx(max(recalls) - min(recalls))


def test_the_whole_does_not_change_by_a_byte_and_restarts_change_nothing() -> None:
    plain, mixed = told(ROWS, segments=False), told(ROWS)
    assert [encode(replace(w, segments=(), fairness=())) for w in mixed] == [encode(w) for w in plain]
    restarted = judge()
    for stream in streams(ROWS, segments=True):
        for at in range(0, len(stream), 150):
            restarted.absorb(stream[at : at + 150])
            restarted.checkpoint()
            restarted.crash()
    assert [encode(w) for w in restarted.events if isinstance(w, WindowMeasured)] == [encode(w) for w in mixed]


def test_what_is_over_leaves_nothing_behind() -> None:
    found = judge()
    found.run(*streams_of([replace(p, spec=SEGMENTED.spec) for p in segment_panes(ROWS)], 3, START + 30 * DAY))
    assert not [key for key in found.state if b'"pane"' in key or b'"pending"' in key]


def test_segments_that_nobody_declared_are_passed_over_and_take_no_room() -> None:
    plain, odd = judge(), judge()
    own = streams(ROWS, segments=False)
    plain.run(*own)
    strange = [replace(p, segment="x=y", spec=SEGMENTED.spec) for p in panes_of(ROWS)]
    odd.run([encode(p) for p in strange], *own)
    assert [o[:3] for o in odd.outputs] == [o[:3] for o in plain.outputs]
    assert odd.state == plain.state


def test_a_segment_that_cannot_be_read_is_a_dead_letter() -> None:
    found = judge()
    header = [("ce_id", b"1"), ("ce_subject", b"region=north")]
    found.fold.absorb(SourceRecords("t.panes.v1", 0, [0], [b"k"], [b"unreadable"], [1], [header], 0))
    found.checkpoint()
    assert [o.topic for o in found.outputs] == ["t.dead-letter.v1"]


def test_at_most_64_segments_are_judged_the_most_frequent_of_each_segmentation_first() -> None:
    values = tuple((f"v{i}",) for i in range(64))
    few = Segmentation("few", ("region",), (("a",), ("b",)))
    spec = replace(
        SPEC,
        features=(*SPEC.features, Feature("town", "f_town", "categorical", categories=("a",))),
        segments=(Segmentation("many", ("town",), values), few, Segmentation("unknown", ("town",))),
    )
    found = segmented.judged(spec)
    assert len(found) == segmented.SEGMENTS_MOST == 64
    assert found[-3:] == ("few=a", "few=b", r"few=\other")
    assert found[:61] == tuple(f"many=v{i}" for i in range(61))
    assert segmented.omitted(spec) == 65 + 3 - 64


def test_a_window_with_64_segments_stays_small() -> None:
    window = next(w for w in told(ROWS) if w.closing == "labels")
    longest = replace(window.segments[0], segment="s" * 100)
    assert len(encode(replace(window, segments=(longest,) * 64))) < 48_000
