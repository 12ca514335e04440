"""The small parts below the fold, each against the plain thing it replaces."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from driftloop.schemas.topics import TOPICS
from driftloop.streams.observer.join.index import Index
from driftloop.streams.observer.join.seats import OTHER_VERSIONS, SEATS_MOST, Seats
from driftloop.streams.observer.panes.panes import numbered
from driftloop.streams.observer.panes.table import Added, Table
from driftloop.streams.observer.time import Clock, greatest_before
from driftloop.streams.observer.worker import SERVICE

from .world import CLICKS, LOANS


@pytest.mark.parametrize("batch", [1, 7, 300, 5_000])
def test_the_index_is_a_multimap(batch: int) -> None:
    rng = np.random.default_rng(batch)
    index, truth = Index(), defaultdict(set)
    names = rng.integers(0, 2**64, max(20, 4 * batch), dtype=np.uint64)
    names[:5] = [0, 1, 255, 2**64 - 1, names[5] ^ np.uint64(1 << 60)]  # the same start, another hash
    row = 0
    for _ in range(30):
        hashes = rng.choice(names, batch)
        rows = np.arange(row, row + batch)
        row += batch
        index.insert(hashes, rows)
        for h, r in zip(hashes.tolist(), rows.tolist(), strict=True):
            truth[h].add(r)
        gone = [(h, r) for h, found in truth.items() for r in found if rng.random() < 0.4]
        index.delete(np.array([h for h, _ in gone], np.uint64), np.array([r for _, r in gone], np.int64))
        for h, r in gone:
            truth[h].discard(r)
        asked = rng.permutation(names)[: 3 * batch]
        which, found = index.find(asked)
        pairs = Counter(zip(asked[which].tolist(), found.tolist(), strict=True))
        assert pairs == Counter((h, r) for h in asked.tolist() for r in truth[h])
    assert len(index) == sum(map(len, truth.values()))


@pytest.mark.parametrize("others", [0, 1_000, 50_000], ids=["all", "a third", "a hundredth"])
def test_a_range_of_rows_goes_whether_it_is_looked_up_or_the_index_looked_through(others: int) -> None:
    rng = np.random.default_rng(others)
    first, rows = others // 2, np.arange(others + 500)
    hashes = rng.integers(0, 2**64, len(rows), dtype=np.uint64)
    index = Index()
    index.insert(hashes, rows)
    index.delete_range(hashes[first : first + 500], first)
    assert len(index) == others
    which, found = index.find(hashes)
    assert (
        sorted(found.tolist())
        == which[np.argsort(found)].tolist()
        == np.delete(rows, slice(first, first + 500)).tolist()
    )


def test_an_index_that_loses_what_it_gains_does_not_grow() -> None:
    index = Index()
    for step in range(200):
        hashes = np.random.default_rng(step).integers(0, 2**64, 100, dtype=np.uint64)
        index.insert(hashes, np.arange(100))
        index.delete(hashes, np.arange(100))
    assert len(index) == 0
    assert index.nbytes <= 512 * 12


@pytest.mark.parametrize("parts", [1, 3, 400])
def test_a_table_adds_up_the_same_whether_few_parts_or_many(parts: int) -> None:
    rng = np.random.default_rng(parts)
    table = Table(50, 2)
    rows = np.array([table.take() for _ in range(parts)])
    counts = np.zeros((parts, 50), int)
    sums = np.zeros((parts, 2), int)
    offsets: dict[int, list[int]] = defaultdict(list)
    for step in range(4):
        which = rng.integers(0, parts, 60)
        columns, terms = rng.integers(0, 50, (60, 3)), rng.integers(-(2**40), 2**40, (60, 2))
        table.add(rows, which, Added(columns, terms, np.arange(60) + 100 * step, None))
        np.add.at(counts, (which[:, None], columns), 1)
        np.add.at(sums, which, terms)
        for row, part in enumerate(which.tolist()):
            offsets[part].append(row + 100 * step)
    for part, row in enumerate(rows.tolist()):
        read = table.read(row)
        counts[part, -1] = 0  # the sink
        assert read.columns.tolist() == np.flatnonzero(counts[part]).tolist()
        assert read.counts.tolist() == counts[part][counts[part] > 0].tolist()
        assert list(read.sums) == sums[part].tolist()
        there = offsets[part]
        assert read.span == ((min(there), max(there), -1, -1) if there else (-1, -1, -1, -1))
        assert table.read(table.write(read))[2:] == read[2:]
        twice = table.read(row, read)
        assert (twice.counts == 2 * read.counts).all()
        assert list(twice.sums) == [2 * s for s in read.sums]


@pytest.mark.parametrize("parts", [1, 300])
def test_rows_read_ahead_are_those_read_one_by_one_until_something_is_added(parts: int) -> None:
    rng = np.random.default_rng(parts)
    table = Table(20, 1)
    rows = [table.take() for _ in range(parts)]

    def add() -> None:
        which, none = rng.integers(0, parts, 2 * parts), np.arange(2 * parts)
        table.add(np.array(rows), which, Added(rng.integers(0, 20, (2 * parts, 3)), none[:, None], none, none))

    def told() -> list[str]:
        return [repr(table.read(row)) for row in rows]

    add()
    table.read_ahead(rows)
    assert told() == told(), "the second time nothing is ahead"
    before = told()
    table.read_ahead(rows)
    add()
    assert told() == told() != before
    table.read_ahead(rows)
    table.release(rows[0])
    assert not len(table.read(rows[0]).columns)


def test_the_next_instant_is_the_first_one_above() -> None:
    clock = Clock.of(CLICKS)
    instants = sorted(
        1_800.0 + pane * 7_200 + edge for pane in range(-20, 20) for edge in (0.0, *CLICKS.delay_edges_seconds)
    )
    moments = np.array([*instants[200:240], *(i - 0.25 for i in instants[200:240])])
    expected = [min(i for i in instants if i > m) for m in moments]
    assert clock.next_instants(moments).tolist() == expected
    assert [clock.last_instant(m) for m in moments] == [max(i for i in instants if i <= m) for m in moments]
    assert clock.last_instant(-np.inf) == -np.inf


def test_a_pane_holds_its_start_and_not_its_end() -> None:
    clock = Clock.of(LOANS)
    assert clock.pane_of(np.array([0.0, 3_599.9, 3_600.0])).tolist() == [0, 0, 1]
    assert clock.ends_of(np.array([0, 1])).tolist() == [3_600.0, 7_200.0]


def test_the_watermark_before_a_row_does_not_know_the_row() -> None:
    assert greatest_before(np.array([5.0, 3.0, 9.0, 7.0])).tolist() == [-np.inf, 5.0, 5.0, 9.0]
    assert greatest_before(np.array([5.0, 3.0]), 6.0).tolist() == [6.0, 6.0]
    assert len(greatest_before(np.empty(0), 6.0)) == 0


def test_codes_are_numbered_alike_with_a_list_and_by_sorting() -> None:
    rng = np.random.default_rng(2)
    for most in (1, 7, 300, 1_000_000):
        codes = rng.integers(0, most, 200)
        first, found = numbered(codes)
        assert codes[first].tolist() == sorted(set(codes.tolist()))
        assert (codes[first][found] == codes).all()
        assert [int(np.flatnonzero(codes == code)[0]) for code in codes[first]] == first.tolist()


def test_more_versions_than_a_model_can_have_share_a_seat() -> None:
    seats = Seats([(f"v{i}", "champion") for i in range(SEATS_MOST + 10)])
    assert len(seats.names) == SEATS_MOST + 1
    assert seats.names[-1] == (OTHER_VERSIONS, "champion")
    assert Seats(seats.names).names == seats.names


def test_the_service_names_topics_that_there_are() -> None:
    assert {*SERVICE.sources, SERVICE.state, *SERVICE.writes} <= set(TOPICS)
