"""Records that can be read and that no observer can have said: dead letters, of which nothing else is to be seen."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import pytest
from driftloop.schemas.codec import encode
from driftloop.schemas.events import Bins, Pane, Progress

from .scenes import DAY, HOUR, START, Judge, make_rows, panes_of, streams_of

PANES = panes_of(make_rows(1, 2, per_day=9))
STREAMS = streams_of(PANES, 3, START + 5 * DAY)
RECORDS = [record for step in zip_longest(*STREAMS) for record in step if record is not None]
HALF = len(RECORDS) // 2
UNDISTURBED = Judge().run(RECORDS[:HALF], RECORDS[HALF:])
FEATURES, LABELS = (next(p for p in PANES if p.kind == kind) for kind in ("features", "labels"))
LATER = {"emitted_at": START + 3.25 * DAY, "revision": 9}
"""It would count behind the true one of its key, if it were taken."""
PROGRESS = Progress(1, 3, START, START, 0, 0, True, START, START, 600.0)


def with_bins(pane: Pane, bins: tuple[int, ...], counts: tuple[int, ...]) -> Pane:
    return replace(pane, **LATER, histograms=(Bins(pane.histograms[0].name, bins, counts),))


def counters(**changes: Any) -> Pane:
    return replace(FEATURES, kind="counters", histograms=(), sums={}, **LATER | changes)


NONSENSE: dict[str, tuple[str, Pane | Progress]] = {
    "a partition that does not exist": ("wrong-partition", replace(PROGRESS, partition=3)),
    "a partition below 0": ("wrong-partition", replace(PROGRESS, partition=-1)),
    "a larger deployment's": ("wrong-partition", replace(PROGRESS, partition=2, partitions=12)),
    "no time at all": ("wrong-time", replace(PROGRESS, truths_latest=math.nan)),
    "the end of time": ("wrong-time", replace(PROGRESS, predictions_latest=math.inf)),
    "a disorder of NaN": ("wrong-time", replace(PROGRESS, usual_disorder=math.nan)),
    "a model's disorder of NaN": ("wrong-time", replace(PROGRESS, disorders={"loans": math.nan})),
    "a pane at NaN": ("wrong-time", replace(FEATURES, pane_start=math.nan)),
    "a pane at the end of time": ("wrong-time", replace(LABELS, **LATER | {"emitted_at": math.inf})),
    "a pane between two": ("wrong-time", replace(FEATURES, **LATER, pane_start=FEATURES.pane_start + HOUR)),
    "a longer pane": ("wrong-time", replace(FEATURES, **LATER, pane_seconds=DAY)),
    "a pane due before its end": ("wrong-time", replace(FEATURES, emitted_at=FEATURES.pane_start)),
    "a pane of nowhere": ("wrong-partition", replace(FEATURES, **LATER, partition=3)),
    "less than nothing": ("wrong-counts", replace(FEATURES, **LATER, counts={"predictions": -1})),
    "more than can be": ("wrong-counts", replace(FEATURES, **LATER, counts={"predictions": 2**63 - 1})),
    "counters of more than can be": ("wrong-counts", counters(counts={"duplicates": 2**63 - 1})),
    "counters of no time": ("wrong-time", counters(emitted_at=math.nan)),
    "counters of nobody's monitor": ("unknown-specification", counters(spec="0" * 16, counts={"overflow": 1})),
    "a bin below 0": ("wrong-bins", with_bins(FEATURES, (-1,), (1,))),
    "a bin out of order": ("wrong-bins", with_bins(FEATURES, (10**9, 3), (1, 1))),
    "bins without counts": ("wrong-bins", with_bins(LABELS, (0, 1), (1,))),
    "counts without bins": ("wrong-bins", with_bins(LABELS, (), (1,))),
    "a count below 0": ("wrong-bins", with_bins(LABELS, (0,), (-5,))),
}  # fmt: skip


@pytest.mark.parametrize("name", NONSENSE)
def test_it_is_a_dead_letter_and_changes_nothing_and_stops_nothing(name: str) -> None:
    reason, event = NONSENSE[name]
    judge = Judge()
    judge.run(RECORDS[:HALF], [encode(event)])
    judge.crash()  # what had been kept of it would be restored
    assert judge.run(RECORDS[HALF:]) == UNDISTURBED
    letters = [output for output in judge.outputs if output.topic == "t.dead-letter.v1"]
    assert [dict(letter.headers)["driftloop.reason"] for letter in letters] == [reason.encode()]
