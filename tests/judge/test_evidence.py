"""An incident of a segmented model: whose rows, since which offset, what it may be, how much of the traffic."""

from __future__ import annotations

import bisect
import math
from dataclasses import replace

import pytest
from driftloop.schemas.codec import encode
from driftloop.schemas.events import IncidentChanged, Pane
from driftloop.schemas.monitor.intervals import intervals
from driftloop.schemas.monitor.segments import Segmentation
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.incidents.evidence import ends_at

from .scenes import (
    DAY,
    REFERENCE_ROWS,
    SCORE_EDGES,
    SPEC,
    START,
    Judge,
    Row,
    Shelf,
    baselines_of,
    floor,
    make_rows,
    panes_of,
    progress,
)

REGIONS = {"region=north": "north", "region=south": "south", r"region=\missing": None}
SEGMENTED = replace(SPEC, segments=(Segmentation("region", ("region",), (("north",), ("south",), (None,))),))
PARTITIONS = 2


def score_by_label(rows: list[Row]) -> tuple[tuple[int, ...], ...]:
    found = [[0] * 64, [0] * 64]
    for row in rows:
        if row.label is not None:
            found[row.label][bisect.bisect_right(SCORE_EDGES, row.score)] += 1
    return tuple(map(tuple, found))


def told_of(
    rows: list[Row],
    days: float,
    crash: bool = False,
    specification: MonitorSpecification = SEGMENTED,
    segments: dict[str, list[Row]] | None = None,
) -> list[IncidentChanged]:
    panes = [replace(pane, spec=specification.spec) for pane in panes_of(rows)]
    own = segments or {name: [row for row in rows if row.region == region] for name, region in REGIONS.items()}
    for name, here in own.items():
        panes += [replace(pane, spec=specification.spec, segment=name) for pane in panes_of(here)]
    known = baselines_of(REFERENCE_ROWS, bins=specification.bins_hash, score_by_label=score_by_label(REFERENCE_ROWS))
    judge = Judge(Shelf(known, specification))
    in_time: list[Pane] = sorted(panes, key=lambda p: p.emitted_at)
    half = len(in_time) // 2
    for part in (in_time[:half], in_time[half:]):
        until = part[-1].emitted_at if part is not in_time[half:] else START + days * DAY
        until = START + days * DAY if part[-1] is in_time[-1] else until
        judge.run([encode(p) for p in part], [encode(progress(p, PARTITIONS, until)) for p in range(PARTITIONS)])
        if crash:
            judge.crash()
    return [e for e in judge.events if isinstance(e, IncidentChanged)]


def turned(rows: list[Row], region: str | None) -> list[Row]:
    """Labels of one region happen the other way round."""
    return [replace(r, label=1 - r.label) if r.region == region and r.label is not None else r for r in rows]


BAD_DAY = 10
GOOD = make_rows(1, BAD_DAY, partitions=PARTITIONS)
HEALTHY = make_rows(2, 6, partitions=PARTITIONS, first_day=BAD_DAY)
BAD = turned(HEALTHY, "south")
ROWS = [replace(row, offset=at) for at, row in enumerate([*GOOD, *BAD])]
TOLD = told_of(ROWS, BAD_DAY + 8)


def test_a_change_of_concept_in_one_segment_names_it_and_its_share_of_the_traffic() -> None:
    opened = TOLD[0]
    assert (opened.change, opened.kind) == ("opened", "performance")
    worst, *others = opened.loss_shares
    assert (worst.segment, worst.segmentation) == ("region=south", "region")
    assert worst.share > 0.75
    assert all(abs(other.share) < 0.25 for other in others)
    assert sum(s.share for s in opened.loss_shares) == pytest.approx(1.0)
    assert worst.loss > worst.loss_before + 0.3
    assert worst.within > 5 * abs(worst.mix)
    assert opened.traffic_touched == pytest.approx(1 / 3, abs=0.1), "the segment's own part of the rows"
    assert opened.suspects[0].kind == "concept"
    assert opened.suspects[0].weight > 0.6


def test_a_rise_of_the_loss_is_told_by_intervals_of_a_number_too() -> None:
    """Labels of high incomes happen the other way round: no category has anything to do with it."""
    high = [replace(r, label=1 - r.label) if r.income >= 0.5 and r.label is not None else r for r in HEALTHY]
    rows = [replace(row, offset=at) for at, row in enumerate([*GOOD, *high])]
    by_income = replace(SPEC, segments=(Segmentation("income", ("income",), intervals((-0.5, 0.5))),))
    names = dict(zip(by_income.segments[0].segments, range(4), strict=False))
    own = {name: [r for r in rows if (r.income >= -0.5) + (r.income >= 0.5) == code] for name, code in names.items()}
    (opened, *_) = told_of(rows, BAD_DAY + 8, specification=by_income, segments=own)
    worst, *others = opened.loss_shares
    assert (worst.segmentation, worst.segment) == ("income", "income=0.5 and above")
    assert worst.share > 0.9
    assert all(abs(other.share) < 0.1 for other in others)
    assert opened.traffic_touched == pytest.approx(0.31, abs=0.05), "of a normal income, what lies above half a sd"


def test_what_it_says_is_the_sum_over_the_rows() -> None:
    """The parts against a count by hand over the windows that the alarm is about, labels as known by then."""
    opened = TOLD[0]
    south = next(s for s in opened.loss_shares if s.segment == "region=south")
    began = opened.evidence[0].window_start
    end = began + opened.evidence[0].window_seconds
    first = START + (began - START) // DAY * DAY
    labelled = [r for r in ROWS if r.label is not None and r.delay is not None]
    known = [
        r
        for r in labelled
        if first <= r.time < START + math.ceil((end - START) / DAY) * DAY
        and floor(r.time, SPEC.pane_seconds) + SPEC.pane_seconds + edge(r) <= opened.as_of
    ]
    assert south.rows == sum(r.region == "south" for r in known)
    assert south.traffic == pytest.approx(south.rows / len(known))


def edge(row: Row) -> float:
    """When the pane of its delay bucket comes, behind the end of its pane."""
    return next(e for e in SEGMENTED.delay_edges_seconds if row.delay is not None and row.delay <= e)


def test_offsets_begin_with_the_first_row_of_the_pane_in_which_it_began_also_later() -> None:
    opened = TOLD[0]
    began = opened.evidence[0].window_start
    assert abs(began - (START + BAD_DAY * DAY)) <= DAY, "the change is dated about right"
    for told in TOLD[:-1]:
        for one in told.offsets:
            rows = [
                r.offset for r in ROWS if r.partition == one.partition and r.time >= floor(began, DAY) + START % DAY
            ]
            exact = [r.offset for r in ROWS if r.partition == one.partition and r.time >= began]
            assert min(rows) <= one.first <= min(exact), "the pane, or where it is forgotten the window"
    ends = [[o.last for o in told.offsets if o.topic == "predictions"] for told in TOLD]
    assert ends[-1] > ends[0], "and it goes on"


def test_what_is_expected_without_labels_does_not_lengthen_what_the_loss_was_measured_on() -> None:
    opened = TOLD[0]
    loss = opened.evidence[0]
    later = replace(loss, detector="cbpe", feature="auc", window_start=loss.window_start + 9 * DAY)
    assert ends_at(replace(opened, evidence=(loss, later))) == loss.window_start + loss.window_seconds
    assert ends_at(replace(opened, evidence=())) == opened.as_of


def test_a_crash_in_the_middle_forgets_nothing_of_it() -> None:
    assert told_of(ROWS, BAD_DAY + 8, crash=True) == TOLD
