"""Whatever happens to the workers: state exact, every output once, commits never ahead of the state."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.exits import Exit
from driftloop.streams.transport.state.writer import Writer
from driving import (
    EXPELLED_SECONDS,
    GUARD_SECONDS,
    Workers,
    absorbed,
    committed,
    expect_commits_behind_state,
    expect_exact,
    expect_outputs,
    feed,
    flowing,
    wait_until,
    wait_until_absorbed,
)

pytestmark = pytest.mark.kafka

EACH_SIDE = 3000


def progress(settings: Settings, before: int = 0) -> None:
    """Until more than ``before`` records are in the committed state."""
    wait_until(lambda: sum(absorbed(settings).values()) > before, "progress")


def test_kill_and_restart_in_mid_stream(settings: Settings, workers: Workers) -> None:
    """Each commits one transaction, of one partition, and dies with open ones in all the others."""
    feed(settings, EACH_SIDE)
    for _ in range(2):
        before = sum(absorbed(settings).values())
        worker = workers.start(instance_id="one", commits_most=1)
        progress(settings, before)
        workers.kill(worker)
        expect_commits_behind_state(settings)
    assert sum(absorbed(settings).values()) <= 2 * 2 * EACH_SIDE, "two of the four partitions are still to come"
    last = workers.start(instance_id="one")
    wait_until_absorbed(settings, EACH_SIDE)
    assert workers.stop(last) == Exit.STOPPED
    expect_exact(settings, EACH_SIDE)


def test_kill_inside_an_open_transaction(settings: Settings, workers: Workers) -> None:
    feed(settings, EACH_SIDE)
    first = workers.start(instance_id="one", commits_most=0)
    workers.wait_for(first, "ready: partitions 0, 1, 2, 3")
    wait_until(lambda: records_in(settings, settings.topic("observer-state")), "records of an open transaction")
    workers.kill(first)
    assert sum(absorbed(settings).values()) == 0
    last = workers.start(instance_id="one")
    wait_until_absorbed(settings, EACH_SIDE)
    assert workers.stop(last) == Exit.STOPPED
    expect_exact(settings, EACH_SIDE)


def records_in(settings: Settings, topic: str) -> int:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer(settings.confluent(group_id="count", isolation_level="read_uncommitted"))
    places = [TopicPartition(topic, p) for p in range(settings.partitions)]
    found = sum(consumer.get_watermark_offsets(place, timeout=GUARD_SECONDS)[1] for place in places)
    consumer.close()
    return found


def test_a_second_worker_joins_and_leaves(settings: Settings, workers: Workers) -> None:
    with flowing(settings) as fed:
        first = workers.start()
        progress(settings)
        second = workers.start()
        workers.wait_for(second, "ready: partitions")
        workers.wait_for(first, r"ready: partitions \d, \d in")  # which two is the assignor's affair
        wait_until_absorbed(settings, fed())  # by both
        expect_commits_behind_state(settings)
        assert workers.stop(second) == Exit.STOPPED
        wait_until_absorbed(settings, fed())  # by the first alone again
    wait_until_absorbed(settings, fed())
    assert workers.stop(first) == Exit.STOPPED
    expect_exact(settings, fed())


def test_an_assignment_made_without_knowing_the_topics_is_made_again(settings: Settings, workers: Workers) -> None:
    """Seen when a broker came back: a stable group in which nobody had a partition, and nothing would change it."""
    feed(settings, EACH_SIDE)
    worker = workers.start(forget_topics=True)
    wait_until_absorbed(settings, EACH_SIDE)
    assert "the cluster did not tell of" in workers.log(worker)
    assert workers.stop(worker) == Exit.STOPPED
    expect_exact(settings, EACH_SIDE)


def test_a_worker_whose_partition_another_has_opened_is_fenced_and_says_so(
    settings: Settings, workers: Workers
) -> None:
    feed(settings, EACH_SIDE)
    worker = workers.start(instance_id="one")
    wait_until_absorbed(settings, EACH_SIDE)
    other = Writer(settings, settings.group("toy"), settings.topic("observer-state"), 1)
    assert other.open(lambda: True)
    other.close()
    feed(settings, EACH_SIDE)
    assert workers.end_of(worker) == Exit.FENCED, workers.log(worker)
    assert "fenced (exit 70): " in workers.log(worker)
    last = workers.start(instance_id="one")
    wait_until_absorbed(settings, 2 * EACH_SIDE)
    assert workers.stop(last) == Exit.STOPPED
    expect_exact(settings, 2 * EACH_SIDE)


def test_a_worker_frozen_inside_its_transactions_adds_nothing_when_it_thaws(
    settings: Settings, workers: Workers, tmp_path: Path
) -> None:
    """It would commit what its successor has done meanwhile: the fence refuses that, and it ends, or the group tells
    it first, and it begins anew. Which of the two comes first is nobody's to say."""
    feed(settings, EACH_SIDE)
    gate = tmp_path / "thawed"
    frozen = workers.start(session_seconds=EXPELLED_SECONDS, commits_most=1, gate=str(gate))
    # One that is still bringing a partition up would go on with that when it thaws, and fence its successor by it.
    workers.wait_for(frozen, "ready: partitions 0, 1, 2, 3")
    progress(settings)
    frozen.send_signal(signal.SIGSTOP)
    other = workers.start()
    wait_until_absorbed(settings, EACH_SIDE)
    gate.touch()
    frozen.send_signal(signal.SIGCONT)
    wait_until(lambda: frozen.poll() is not None or len(workers.restored(frozen)) > settings.partitions, "found out")
    feed(settings, EACH_SIDE)
    wait_until_absorbed(settings, 2 * EACH_SIDE)
    assert workers.stop(other) == Exit.STOPPED
    assert workers.stop(frozen) in (Exit.FENCED, Exit.STOPPED), workers.log(frozen)
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
    second = workers.start(restores_in_vain=True)
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
    worker = workers.start(abort=[1, 2, 6])
    wait_until_absorbed(settings, EACH_SIDE)
    assert "aborted: injected" in workers.log(worker)
    feed(settings, EACH_SIDE)
    wait_until_absorbed(settings, 2 * EACH_SIDE)
    assert workers.stop(worker) == Exit.STOPPED
    expect_exact(settings, 2 * EACH_SIDE)


def test_a_transaction_that_always_aborts_ends_the_worker(settings: Settings, workers: Workers) -> None:
    feed(settings, 100)
    worker = workers.start(abort=list(range(1000)))
    assert workers.end_of(worker) == Exit.REFUSED, workers.log(worker)


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
        wait_until_absorbed(settings, count)
    assert workers.stop(worker) == Exit.STOPPED
    expect_outputs(settings, set(range(5)))


def test_no_topics_is_told_before_the_group_is_joined(settings: Settings, tmp_path: Path) -> None:
    workers = Workers(replace(settings, prefix=f"{settings.prefix}-none"), tmp_path)
    worker = workers.start()
    assert workers.end_of(worker) == Exit.CONFIG
    assert "no such topic" in workers.log(worker)
    assert "driftloop topics apply" in workers.log(worker)
