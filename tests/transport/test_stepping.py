"""Two sources read in step: which one waits, for how long, and that nothing waits for ever."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from confluent_kafka import Producer
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.exits import Exit
from driftloop.streams.transport.fetching.stepping import PATIENCE_SECONDS, Step
from driftloop.streams.transport.partition import Partition
from driving import Workers, expect_exact, feed, wait_until_absorbed
from faust.types import TP

A, B = TP("a", 3), TP("b", 3)


def partition(ahead: str | None) -> Partition:
    part = Partition(3, ["a", "b"], None)  # type: ignore[arg-type]
    part.fold = SimpleNamespace(ahead=ahead)  # type: ignore[assignment]
    return part


def test_who_is_ahead_waits_until_it_is_no_longer() -> None:
    step, part = Step(), partition(None)
    step.look(part, 0.0)
    assert step.held == set()
    for ahead, held in (("a", {A}), ("a", {A}), ("b", {B}), (None, set())):
        part.fold.ahead = ahead  # type: ignore[union-attr]
        step.look(part, 0.0)
        assert step.held == held


def test_a_neighbour_that_does_not_move_holds_nobody_for_long() -> None:
    step, part = Step(), partition("a")
    step.look(part, 0.0)
    step.look(part, PATIENCE_SECONDS)
    assert step.held == {A}
    step.look(part, PATIENCE_SECONDS + 0.1)
    assert step.held == set()
    part.absorbed["a"] += 100
    step.look(part, PATIENCE_SECONDS + 0.2)
    assert step.held == set(), "its own progress is no reason to wait again"
    part.absorbed["b"] += 1
    step.look(part, PATIENCE_SECONDS + 0.3)
    assert step.held == {A}


def test_a_fold_that_says_nothing_of_it_is_never_held() -> None:
    step, part = Step(), partition(None)
    part.fold = object()  # type: ignore[assignment]
    step.look(part, 0.0)
    assert step.held == set()


def test_what_goes_is_forgotten() -> None:
    step, part = Step(), partition("a")
    step.look(part, 0.0)
    step.forget(part)
    assert step.held == set()


STEP = 500
APART_MOST = STEP + 3 * 2_300
"""What was fetched before anybody could know is still taken: a fetch or two."""
EACH_SIDE = 20_000


def feed_unevenly(settings: Settings) -> None:
    """A fetch brings 2,300 of the small predictions and 420 of the large truths."""
    producer = Producer(settings.confluent(linger_ms=20, enable_idempotence=True))
    for i in range(EACH_SIDE):
        for short, value_bytes in (("predictions", 100), ("ground-truth", 600)):
            for number in range(settings.partitions):
                producer.produce(settings.topic(short), bytes(value_bytes), b"%d" % i, partition=number)
        producer.poll(0)
        if i % 1000 == 999:
            producer.flush(180)
    assert producer.flush(180) == 0


def apart(settings: Settings, workers: Workers, step: int) -> list[int]:
    worker = workers.start(step=step, tell_apart=True)
    wait_until_absorbed(settings, EACH_SIDE)
    assert workers.stop(worker) == Exit.STOPPED
    expect_exact(settings, EACH_SIDE)
    return [int(most) for most in re.findall(r"at most (\d+) apart", workers.log(worker))]


@pytest.mark.kafka
def test_uneven_backlogs_are_read_in_step(settings: Settings, workers: Workers) -> None:
    feed_unevenly(settings)
    assert max(apart(settings, workers, STEP)) < APART_MOST


@pytest.mark.kafka
def test_without_a_step_they_are_not(settings: Settings, workers: Workers) -> None:
    """Otherwise the test above would show nothing."""
    feed_unevenly(settings)
    assert max(apart(settings, workers, 0)) > APART_MOST


@pytest.mark.kafka
def test_an_empty_source_holds_nobody_up(settings: Settings, workers: Workers) -> None:
    producer = Producer(settings.confluent())
    for i in range(3 * STEP):
        producer.produce(settings.topic("predictions"), b"v", b"%d" % i, partition=0)
    assert producer.flush(180) == 0
    worker = workers.start(step=STEP, tell_apart=True)
    workers.wait_for(worker, "partition 0: at most")
    feed(settings, 1)
    workers.stop(worker)
