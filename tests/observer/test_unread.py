"""Records that wait to be read: how far the state accounts for them, when they are read, nothing of them lost."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from driftloop.schemas.codec import encode
from driftloop.schemas.events import TimeMarker
from driftloop.streams.fold import SourceRecords
from driftloop.streams.observer.fold import WAIT_MS_MOST, ObserverFold
from driftloop.streams.observer.step import BACKLOG_RECORDS
from driftloop.streams.observer.unread import Unread, greatest_event_time, joined

from .world import HOUR, PARTITION, START, Marked, Observed, Predicted, Transport, World, context, prediction


def records(topic: str, *offsets: int, values: Sequence[bytes | None] = ()) -> SourceRecords:
    found = list(values) or [b"%d" % o for o in offsets]
    headers = [(("n", b"%d" % o),) for o in offsets]
    keys, stamps = [b"k"] * len(offsets), [int(START * 1000)] * len(offsets)
    return SourceRecords(topic, PARTITION, list(offsets), keys, found, stamps, headers, 9 - len(offsets))


def test_what_waits_comes_back_joined_in_order() -> None:
    unread = Unread()
    unread.add(0, records("p", 3, 4))
    unread.add(1, records("t", 8))
    unread.add(0, records("p", 7))
    assert len(unread) == 4
    assert unread.read_offsets() == {"p": 2, "t": 7}
    (first, predictions), (second, truths) = unread.take()
    assert (first, second) == (0, 1)
    assert (predictions.offsets, predictions.values, predictions.lag) == ([3, 4, 7], [b"3", b"4", b"7"], 8)
    assert list(predictions.headers) == [(("n", b"3"),), (("n", b"4"),), (("n", b"7"),)]
    assert predictions.headers[1:] == [(("n", b"4"),), (("n", b"7"),)]
    assert truths.offsets == [8]
    assert len(unread) == 0
    assert unread.read_offsets() == {}


def test_one_part_is_not_copied() -> None:
    part = records("p", 1, 2)
    assert joined([part]) is part


def test_the_greatest_event_time_is_guessed_from_what_may_be_one() -> None:
    marker = encode(TimeMarker(START, "test"))
    absurd = encode(TimeMarker(START + 10 * 365 * 24 * HOUR, "test"))
    found = greatest_event_time(records("p", 1, 2, 3, 4, values=[None, b"short", absurd, marker]))
    assert found == START
    assert greatest_event_time(records("p", 1, values=[b"short"])) == -math.inf


def test_full_by_records_and_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftloop.streams.observer.unread.RECORDS_MOST", 3)
    unread = Unread()
    unread.add(0, records("p", 1, 2))
    assert not unread.full
    unread.add(0, records("p", 3))
    assert unread.full
    monkeypatch.setattr("driftloop.streams.observer.unread.BYTES_MOST", 10)
    unread.take()
    unread.add(0, records("p", 1, values=[b"x" * 10]))
    assert unread.full


class Story:
    """Predictions of two models a minute apart, in a fold that lets them wait; no checkpoint lies between."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("driftloop.streams.observer.fold.MODELS_FEW", 0)
        rng = random.Random(1)
        self.world = World()
        for minute in range(30):
            p = prediction(rng, f"id{minute}", START + 60.0 * minute)
            self.world.predictions.append(p)
            self.world.truths.append(Observed(p.name, p.spec, p.time + 1.0, p.spec.classes[0]))
        self.world.predictions.append(Marked(START + 50 * HOUR))
        self.world.truths.append(Marked(START + 50 * HOUR))
        self.transport = Transport(self.world)
        for source in (0, 1):  # read at once: nobody knows yet that there are many models
            self.transport.deliver(source, 20)
        self.transport.commit()


def test_a_checkpoint_accounts_for_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch)
    story.transport.deliver(0, 5)
    changes = story.transport.fold.collect()
    assert not changes.state
    assert not changes.outputs
    first_unread = story.transport.offsets[0] + story.transport.offsets[1] * 20
    assert dict(changes.absorbed) == {"t.predictions.v1": first_unread - 1}


def test_after_some_checkpoints_everything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch)
    story.transport.deliver(0, 5)
    kept = [bool(story.transport.fold.collect().absorbed) for _ in range(6)]
    assert kept == [True, True, True, True, False, False]


def test_an_instant_is_not_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch)
    story.transport.deliver(1, 11)
    assert not story.transport.fold.due  # predictions have not come so far
    story.transport.deliver(0, 10)
    assert not story.transport.fold.due
    story.transport.deliver(0, 1)  # the marker
    assert story.transport.fold.due
    changes = story.transport.fold.collect()
    assert not changes.absorbed
    assert changes.outputs


def test_with_a_registry_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a record may have to be handed over again, when the registry answers."""
    story = Story(monkeypatch)
    seen = context()
    monkeypatch.setattr(type(seen.catalogue.layouts.framing), "has_registry", True)
    fold = ObserverFold(PARTITION, {}, seen)
    story.transport.fold = fold
    story.transport.done = [0, 0]
    for _ in range(3):
        story.transport.deliver(0, 5)
        assert not fold.collect().absorbed
    assert isinstance(story.world.predictions[0], Predicted)


class Live:
    """One model; records come a source at a time, as late as the test says. Nothing is due meanwhile."""

    def __init__(self) -> None:
        rng = random.Random(2)
        self.fold = ObserverFold(PARTITION, {}, context())
        predictions = [prediction(rng, f"id{i}", START + i) for i in range(40)]
        truths = [Observed(p.name, p.spec, p.time + 1.0, p.spec.classes[0]) for p in predictions]
        self.logs = [[item.record() for item in log] for log in (predictions, truths)]
        self.done = [0, 0]

    def come(self, source: int, count: int, after_ms: int, more: bool = False, lag: int = 0) -> None:
        start = self.done[source]
        end = self.done[source] = start + count
        some = self.logs[source][start:end]
        keys, values = [key for key, _ in some], [value for _, value in some]
        topic, stamps = ("t.predictions.v1", "t.ground-truth.v1")[source], [int(START * 1000) + after_ms] * count
        found = SourceRecords(topic, PARTITION, range(start, end), keys, values, stamps, [()] * count, lag, more)
        self.fold.absorb(found)

    @property
    def waiting(self) -> dict[str, int]:
        return self.fold.read_offsets


def test_live_records_wait_until_they_span_some_time() -> None:
    live = Live()
    live.come(0, 5, 0)
    live.come(1, 3, WAIT_MS_MOST - 1)
    assert live.waiting == {"t.predictions.v1": -1, "t.ground-truth.v1": -1}
    live.come(0, 5, WAIT_MS_MOST)
    assert live.waiting == {}
    live.fold.collect()  # nothing is due any more
    live.come(0, 5, WAIT_MS_MOST + 1)
    assert live.waiting == {"t.predictions.v1": 9}


def test_live_records_wait_for_those_that_were_fetched_with_them() -> None:
    live = Live()
    live.come(0, 5, 0)
    live.come(0, 5, 500, more=True)
    assert live.waiting == {"t.predictions.v1": -1}
    live.come(1, 5, 500)
    assert live.waiting == {}


def test_a_checkpoint_does_not_leave_live_records_of_few_models_waiting() -> None:
    live = Live()
    live.come(0, 5, 0, more=True)
    changes = live.fold.collect()
    assert (live.waiting, dict(changes.absorbed)) == ({}, {})
    assert changes.state


def test_a_backlog_does_not_wait_and_neither_does_what_came_before_it() -> None:
    live = Live()
    live.come(0, 5, 0)
    live.come(0, 5, 1, lag=BACKLOG_RECORDS)
    assert live.waiting == {}
