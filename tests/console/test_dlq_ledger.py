"""Letters counted, told apart and chosen for a replay: against plain Python over the same list."""

from __future__ import annotations

import random
from collections import Counter

from driftloop.console.dlq_ledger import FOREIGN, Ledger, Place, Selection
from driftloop.schemas.deadletter import Header, dead_letter
from driftloop.schemas.letters import REPLAYS, marker

Entry = tuple[Place, int, tuple[Header, ...], bytes | None]


def letter(place: Place, source: tuple[str, int, int], reason: str = "truncated", replays: int = 0) -> Entry:
    own = ((REPLAYS, str(replays).encode()),) if replays else ()
    _, value, headers = dead_letter(*source, b"k", b"v", own, 7, reason, "why", "observer")
    return place, 1_000 + place.offset, headers, value


def note(place: Place, offsets: list[int]) -> Entry:
    value, headers = marker(offsets)
    return place, 9_000, tuple(headers), value


def ledger_of(entries: list[Entry], selection: Selection | None = None) -> Ledger:
    ledger = Ledger(selection or Selection())
    for entry in entries:
        ledger.absorb(*entry)
    return ledger


def test_each_letter_is_replayed_once_whatever_is_said_again() -> None:
    entries = [letter(Place(0, i), ("p", 0, 100 + i)) for i in range(4)]
    assert ledger_of(entries).to_replay() == {Place(0, i) for i in range(4)}
    entries.append(note(Place(0, 4), [0, 2]))
    after = ledger_of(entries)
    assert after.to_replay() == {Place(0, 1), Place(0, 3)}
    assert after.to_replay(again=True) == {Place(0, i) for i in range(4)}
    assert [after.replayed(Place(0, i)) for i in range(4)] == [True, False, True, False]
    assert not after.replayed(Place(1, 0)), "a note is about its own partition"


def test_several_letters_of_one_record_are_one_to_a_replay() -> None:
    entries = [
        letter(Place(0, 0), ("p", 0, 5)),
        letter(Place(1, 3), ("p", 0, 5), "unknown-schema"),
        letter(Place(1, 4), ("t", 0, 5)),
    ]
    ledger = ledger_of(entries)
    chosen = ledger.to_replay()
    assert chosen == {Place(0, 0), Place(1, 4)}
    assert ledger.same_record(chosen) == {Place(0, 0): [Place(0, 0), Place(1, 3)]}
    marked = ledger_of([*entries, note(Place(1, 9), [3])])
    assert marked.to_replay() == {Place(1, 4)}, "its other letter was replayed"


def test_what_nobody_of_ours_has_written_is_counted_and_never_replayed() -> None:
    ledger = ledger_of([(Place(0, 0), 5, (("x", b"1"),), b"v"), (Place(0, 1), 6, (), None)])
    (group,) = ledger.groups()
    assert (group.reason, group.letters, group.first_ms, group.last_ms) == (FOREIGN, 2, 5, 6)
    assert ledger.to_replay(again=True) == set()


def test_an_empty_topic_is_no_trouble() -> None:
    ledger = Ledger()
    assert (ledger.groups(), ledger.to_replay(), ledger.same_record(set())) == ([], set(), {})


def test_groups_are_those_of_plain_counting() -> None:
    rng = random.Random(3)
    entries: list[Entry] = []
    for i in range(500):
        source = (rng.choice("pt"), rng.randrange(4), rng.randrange(10_000))
        entries.append(letter(Place(i % 4, i // 4), source, rng.choice("abc"), rng.choice((0, 0, 1))))
    expected = Counter((dict(h)["driftloop.reason"], dict(h)["__connect.errors.topic"]) for _, _, h, _ in entries)
    groups = ledger_of(entries).groups()
    assert {(g.reason.encode(), g.topic.encode()): g.letters for g in groups} == expected
    assert sum(g.came_back for g in groups) == sum(REPLAYS in dict(h) for _, _, h, _ in entries)
    only = ledger_of(entries, Selection(reason="b", topic="t"))
    (group,) = only.groups()
    assert group == next(g for g in groups if g[:2] == ("b", "t"))
    assert len(only.to_replay()) <= group.letters
