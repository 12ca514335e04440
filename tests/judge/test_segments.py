"""Panes of segments pass the judge by: what it tells of the whole does not change by a byte."""

from __future__ import annotations

from dataclasses import replace

from driftloop.schemas.codec import decode, encode
from driftloop.schemas.events import Pane
from driftloop.streams.fold import SourceRecords

from .scenes import DAY, START, Judge, make_rows, panes_of, streams_of

STREAMS = streams_of(panes_of(make_rows(7, 6, per_day=30, late=0.1, flip=0.3)), 3, START + 8 * DAY)


def with_segments(stream: list[bytes]) -> list[bytes]:
    """Each pane is told again by two segments, with sums that would spoil everything."""
    found = []
    for value in stream:
        found.append(value)
        pane = decode(value)
        if isinstance(pane, Pane):
            counts = {name: 50 * n for name, n in pane.counts.items()}
            found += [
                encode(replace(pane, segment=s, counts=counts)) for s in ("region=north", r"region=\other", "x=y")
            ]
    return found


def test_panes_of_segments_change_nothing_that_is_told() -> None:
    plain, mixed = Judge(), Judge()
    plain.run(*STREAMS)
    mixed.run(*map(with_segments, STREAMS))
    assert plain.outputs
    assert [o[:3] for o in mixed.outputs] == [o[:3] for o in plain.outputs]
    assert mixed.state == plain.state, "nor do they take room"


def test_a_record_whose_header_names_a_segment_is_not_even_read() -> None:
    judge = Judge()
    header = [("ce_id", b"1"), ("ce_subject", b"region=north")]
    judge.fold.absorb(SourceRecords("t.panes.v1", 0, [0], [b"k"], [b"unreadable"], [1], [header], 0))
    judge.checkpoint()
    assert judge.outputs == []
    judge.fold.absorb(SourceRecords("t.panes.v1", 0, [1], [b"k"], [b"unreadable"], [1], [header[:1]], 0))
    judge.checkpoint()
    assert [o.topic for o in judge.outputs] == ["t.dead-letter.v1"]
