"""Whatever happens to the workers: state exact, every output once, commits never ahead of the state."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.exits import Exit
from driving import (
    Workers,
    absorbed,
    committed,
    expect_commits_behind_state,
    expect_exact,
    feed,
    wait_until,
    wait_until_absorbed,
)

pytestmark = pytest.mark.kafka

EACH_SIDE = 3000


def under_way(settings: Settings, most: int) -> bool:
    """Something is in the committed state, and not everything."""
    found = absorbed(settings).values()
    return 0 < sum(found) < most


def test_kill_and_restart_in_mid_stream(settings: Settings, workers: Workers) -> None:
    feed(settings, EACH_SIDE)
    for _ in range(2):
        worker = workers.start(slow_seconds=0.2)
        before = sum(absorbed(settings).values())
        wait_until(lambda before=before: sum(absorbed(settings).values()) > before, "progress")
        worker.kill()
        worker.wait()
        expect_commits_behind_state(settings)
    assert under_way(settings, 8 * EACH_SIDE)
    last = workers.start()
    wait_until_absorbed(settings, EACH_SIDE)
    assert workers.stop(last) == Exit.STOPPED
    expect_exact(settings, EACH_SIDE)


def test_kill_inside_an_open_transaction(settings: Settings, workers: Workers) -> None:
    feed(settings, EACH_SIDE)
    first = workers.start(hold_seconds=30)
    workers.wait_for(first, "ready: partitions 0, 1, 2, 3")
    written = f"{settings.topic('observer-state')}"
    wait_until(lambda: records_in(settings, written) > 0, "records of an open transaction")
    first.kill()
    first.wait()
    assert sum(absorbed(settings).values()) == 0
    last = workers.start()
    wait_until_absorbed(settings, EACH_SIDE)
    assert workers.stop(last) == Exit.STOPPED
    expect_exact(settings, EACH_SIDE)


def records_in(settings: Settings, topic: str) -> int:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer(settings.confluent(group_id="count", isolation_level="read_uncommitted"))
    found = sum(
        consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in range(settings.partitions)
    )
    consumer.close()
    return found


def test_a_second_worker_joins_and_leaves(settings: Settings, workers: Workers) -> None:
    feed(settings, EACH_SIDE)
    first = workers.start(slow_seconds=0.2)
    wait_until(lambda: under_way(settings, 8 * EACH_SIDE), "progress")
    second = workers.start(slow_seconds=0.05)
    workers.wait_for(second, "ready: partitions")
    workers.wait_for(first, r"ready: partitions \d, \d in")  # which two is the assignor's affair
    feed(settings, EACH_SIDE)
    expect_commits_behind_state(settings)
    assert workers.stop(second) == Exit.STOPPED
    feed(settings, EACH_SIDE)
    wait_until_absorbed(settings, 3 * EACH_SIDE)
    assert workers.stop(first) == Exit.STOPPED
    expect_exact(settings, 3 * EACH_SIDE)


def test_an_assignment_made_without_knowing_the_topics_is_made_again(settings: Settings, workers: Workers) -> None:
    """Seen when a broker came back: a stable group in which nobody had a partition, and nothing would change it."""
    feed(settings, EACH_SIDE)
    worker = workers.start(forget_topics=True)
    wait_until_absorbed(settings, EACH_SIDE)
    assert "the cluster did not tell of" in workers.log(worker)
    assert workers.stop(worker) == Exit.STOPPED
    expect_exact(settings, EACH_SIDE)


def test_a_frozen_worker_is_fenced_and_says_so(settings: Settings, workers: Workers) -> None:
    feed(settings, EACH_SIDE)
    frozen = workers.start(slow_seconds=0.5, hold_seconds=0.3)  # still at it when we have looked, however slow we are
    wait_until(lambda: under_way(settings, 8 * EACH_SIDE), "progress")
    frozen.send_signal(signal.SIGSTOP)
    other = workers.start()
    wait_until_absorbed(settings, EACH_SIDE)
    frozen.send_signal(signal.SIGCONT)
    assert frozen.wait(60) == Exit.FENCED, workers.log(frozen)
    feed(settings, EACH_SIDE)
    wait_until_absorbed(settings, 2 * EACH_SIDE)
    assert workers.stop(other) == Exit.STOPPED
    expect_exact(settings, 2 * EACH_SIDE)


def test_sigterm_drains(settings: Settings, workers: Workers) -> None:
    """What was absorbed is written and committed before the worker leaves: its successor repeats nothing."""
    feed(settings, EACH_SIDE)
    worker = workers.start()
    workers.wait_for(worker, "ready: partitions")
    wait_until_absorbed(settings, EACH_SIDE)
    assert workers.stop(worker) == Exit.STOPPED
    assert set(committed(settings).values()) == {EACH_SIDE}
    expect_exact(settings, EACH_SIDE)


def test_sigterm_while_coming_up(settings: Settings, workers: Workers) -> None:
    """The second worker has taken partitions over and not restored them yet when both are told to stop."""
    feed(settings, EACH_SIDE)
    first = workers.start()
    workers.wait_for(first, "ready: partitions 0, 1, 2, 3")
    second = workers.start(slow_restore_seconds=2)
    workers.wait_for(second, "restoring partition")
    assert workers.stop(second) == Exit.STOPPED, workers.log(second)
    feed(settings, EACH_SIDE)
    wait_until_absorbed(settings, 2 * EACH_SIDE)
    assert workers.stop(first) == Exit.STOPPED
    expect_exact(settings, 2 * EACH_SIDE)


def test_an_assignment_that_comes_while_it_leaves_is_not_taken_up(settings: Settings, workers: Workers) -> None:
    """Seen under load: it would fence the successor, or end as broken where it has nothing left to do."""
    feed(settings, EACH_SIDE)
    worker = workers.start(late_assignment=True)
    wait_until_absorbed(settings, EACH_SIDE)
    assert workers.stop(worker) == Exit.STOPPED, workers.log(worker)
    assert workers.log(worker).count("restoring") == settings.partitions
    expect_exact(settings, EACH_SIDE)


def test_an_aborted_transaction_is_redone(settings: Settings, workers: Workers) -> None:
    feed(settings, EACH_SIDE)
    worker = workers.start(abort=[1, 2, 6], slow_seconds=0.05)
    wait_until_absorbed(settings, EACH_SIDE)
    assert "aborted: injected" in workers.log(worker)
    feed(settings, EACH_SIDE)
    wait_until_absorbed(settings, 2 * EACH_SIDE)
    assert workers.stop(worker) == Exit.STOPPED
    expect_exact(settings, 2 * EACH_SIDE)


def test_a_transaction_that_always_aborts_ends_the_worker(settings: Settings, workers: Workers) -> None:
    feed(settings, 100)
    worker = workers.start(abort=list(range(1000)))
    assert worker.wait(60) == Exit.REFUSED, workers.log(worker)


def test_lost_batches_are_sought_back(settings: Settings, workers: Workers) -> None:
    feed(settings, EACH_SIDE)
    worker = workers.start(lose=[1, 4, 9])
    wait_until_absorbed(settings, EACH_SIDE)
    assert workers.stop(worker) == Exit.STOPPED
    assert "seeking back" in workers.log(worker)
    expect_exact(settings, EACH_SIDE)


def test_outputs_that_are_due_come_at_once_and_once(settings: Settings, workers: Workers) -> None:
    worker = workers.start(always_due=True)
    workers.wait_for(worker, "ready: partitions")
    for count in range(1, 6):
        feed(settings, 1)
        wait_until_absorbed(settings, count, 10)
    assert workers.stop(worker) == Exit.STOPPED
    from driving import expect_outputs

    expect_outputs(settings, set(range(5)))


def test_no_topics_is_told_before_the_group_is_joined(settings: Settings, tmp_path: Path) -> None:
    workers = Workers(replace(settings, prefix=f"{settings.prefix}-none"), tmp_path)
    worker = workers.start()
    assert worker.wait(30) == Exit.CONFIG
    assert "no such topic" in workers.log(worker)
    assert "driftloop topics apply" in workers.log(worker)
