"""Batches: the chain of a fetch, cutting off what is absorbed already, columns for the fold."""

from __future__ import annotations

from typing import NamedTuple

from driftloop.streams.transport.fetching.batches import RecordBatch, chained
from hypothesis import given
from hypothesis import strategies as st


class Record(NamedTuple):
    offset: int
    timestamp: int = 1_000
    key: bytes | None = b"k"
    value: bytes | None = b"v"
    headers: tuple[tuple[str, bytes], ...] = ()


def records(*offsets: int) -> list[Record]:
    return [Record(offset, 1_000 + offset, b"%d" % offset) for offset in offsets]


def test_the_chunks_of_a_fetch_are_a_chain() -> None:
    chunks = [records(5, 6), records(8, 9), records(20)]
    first, second, third = chained("t", 3, chunks, epoch=7, before=4, behind=10)
    assert [(b.first, b.last, b.before, b.lag, b.epoch) for b in (first, second, third)] == [
        (5, 6, 4, 13, 7),
        (8, 9, 6, 11, 7),
        (20, 20, 9, 10, 7),
    ]


def test_columns_have_one_entry_a_record() -> None:
    batch = RecordBatch("t", 3, [*records(1, 2), Record(4, headers=(("h", b"x"),), key=None, value=None)], lag=2)
    columns = batch.source_records()
    assert (columns.topic, columns.partition, columns.lag, len(columns)) == ("t", 3, 2, 3)
    assert columns.offsets == [1, 2, 4]
    assert columns.keys == [b"1", b"2", None]
    assert columns.values == [b"v", b"v", None]
    assert columns.timestamps_ms == [1001, 1002, 1000]
    assert list(columns.headers) == [(), (), (("h", b"x"),)]
    assert columns.headers[2] == (("h", b"x"),)
    assert columns.headers[1:] == [(), (("h", b"x"),)]


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(-1, 61))
def test_after_keeps_exactly_what_is_above(offsets: set[int], limit: int) -> None:
    found = RecordBatch("t", 3, records(*sorted(offsets))).after(limit)
    kept = [record.offset for record in found.records] if found else []
    assert found is None or found.offsets == kept
    assert kept == [offset for offset in sorted(offsets) if offset > limit]


@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=7), min_size=1, max_size=9))
def test_a_chain_loses_nothing(steps: list[list[int]]) -> None:
    offset, chunks = 0, []
    for part in steps:
        chunks.append(records(*[offset := offset + step for step in part]))
    batches = chained("t", 3, chunks, epoch=1, before=0, behind=0)
    assert [record for batch in batches for record in batch.records] == [r for chunk in chunks for r in chunk]
    assert [batch.before for batch in batches] == [0, *(batch.last for batch in batches[:-1])]
    assert batches[-1].lag == 0
