"""Panes that no window tells yet, of segments and of champion beside challenger, change nothing and stop nothing."""

from __future__ import annotations

from dataclasses import replace

from driftloop.schemas.codec import encode

from .scenes import DAY, START, Judge, judged, make_rows, panes_of, streams_of


def test_segments_and_paired_panes_are_read_past() -> None:
    rows = make_rows(1, 4, per_day=30)
    panes = panes_of(rows)
    beside = [replace(p, segment="region=north") for p in panes]
    beside += [replace(p, kind="paired", version="v2", role="challenger", against="v1") for p in panes]
    plain = streams_of(panes, 3, START + 8 * DAY)
    judge = Judge()
    judge.run(*[[encode(p) for p in beside], *plain])
    assert judge.events == judged(rows, 8)
    assert len(judge.events) > 10
    assert not [o for o in judge.outputs if o.topic.endswith("dead-letter.v1")]
