"""A partition that stays with its worker over a rebalance keeps its state in memory, if nobody else has had it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import Changes, FoldContext, SourceRecords
from driftloop.streams.observer.service import SERVICE as OBSERVER
from driftloop.streams.transport import partitions
from driftloop.streams.transport.exits import Exit
from driftloop.streams.transport.partition import Partition
from driftloop.streams.transport.partitions import Partitions
from driftloop.streams.transport.state.bring_up import Restorer
from driftloop.streams.transport.state.checkpoints import Checkpoints
from driftloop.streams.transport.state.header import StateHeader
from driftloop.streams.transport.state.loader import Loader
from driftloop.streams.transport.state.writer import StateRecord, WriteEnded, Writer
from driving import (
    EXPELLED_SECONDS,
    Workers,
    expect_commits_behind_state,
    expect_exact,
    feed,
    read_state,
    wait_until,
    wait_until_absorbed,
)

pytestmark = pytest.mark.kafka

EACH_SIDE = 3000


def test_only_what_comes_is_restored(settings: Settings, workers: Workers) -> None:
    feed(settings, EACH_SIDE)
    first = workers.start()
    workers.wait_for(first, "ready: partitions 0, 1, 2, 3")
    assert sorted(workers.restored(first)) == [0, 1, 2, 3]

    second = workers.start()
    workers.wait_for(second, "ready: partitions")
    workers.wait_for(first, r"ready: partitions (\d, \d) in .* s, of these \1 kept in memory")
    assert len(workers.restored(first)) == 4
    feed(settings, EACH_SIDE)
    expect_commits_behind_state(settings)

    taken = workers.restored(second)
    assert workers.stop(second) == Exit.STOPPED
    feed(settings, EACH_SIDE)
    wait_until_absorbed(settings, 3 * EACH_SIDE)
    assert sorted(workers.restored(first)[4:]) == sorted(taken)
    assert workers.stop(first) == Exit.STOPPED
    expect_exact(settings, 3 * EACH_SIDE)


def test_a_worker_that_thaws_after_another_came_and_went_does_not_go_on_with_old_memory(
    settings: Settings, workers: Workers
) -> None:
    feed(settings, EACH_SIDE)
    frozen = workers.start(session_seconds=EXPELLED_SECONDS)
    wait_until_absorbed(settings, EACH_SIDE)
    frozen.send_signal(signal.SIGSTOP)
    other = workers.start()
    feed(settings, EACH_SIDE)
    wait_until_absorbed(settings, 2 * EACH_SIDE)
    assert workers.stop(other) == Exit.STOPPED
    frozen.send_signal(signal.SIGCONT)
    feed(settings, EACH_SIDE)
    # It finds out by a write that is refused (an end), or by the group (then it restores): whichever comes first.
    wait_until(lambda: frozen.poll() is not None or len(workers.restored(frozen)) > 4, "found out")
    if frozen.poll() is not None:
        assert frozen.returncode == Exit.FENCED, workers.log(frozen)
        workers.start()
    wait_until_absorbed(settings, 3 * EACH_SIDE)
    assert workers.stop(workers.all[-1] if frozen.poll() is not None else frozen) == Exit.STOPPED
    expect_exact(settings, 3 * EACH_SIDE)


class Remembering:
    """A fold that remembers one word."""

    due = False
    pending_bytes = 0

    def absorb(self, records: SourceRecords) -> None: ...

    def collect(self) -> Changes:
        return Changes({}, [])


def parked(settings: Settings) -> Partition:
    part = Partition(1, [settings.topic("predictions")], writer_of(settings))
    part.fold = Remembering()
    part.ready = True
    part.park()
    return part


def writer_of(settings: Settings) -> Writer:
    found = Writer(settings, settings.group("toy"), settings.topic("observer-state"), 1)
    found.open(lambda: True)
    return found


def still_ours(part: Partition) -> bool:
    async def never(_: Any) -> None:
        raise AssertionError("a parked partition is not reloaded behind the assignment's back")

    async def asked() -> bool:
        checkpoints = Checkpoints(lambda: StateHeader("toy", 1, 4, {}, {}), never, asyncio.ensure_future)
        try:
            return await checkpoints.still_ours(part)
        finally:
            checkpoints.close()

    return asyncio.run(asked())


def test_a_state_that_nobody_else_has_opened_is_still_ours(settings: Settings) -> None:
    part = parked(settings)
    for _ in range(2):
        assert still_ours(part)
        assert part.fold is not None
    assert set(read_state(settings)[1]) == {b"header"}
    part.writer.close()


@pytest.mark.filterwarnings("ignore:Producer abort_transaction failed during close")
def test_a_state_that_another_has_only_opened_is_not_ours_any_more(settings: Settings) -> None:
    """Whether the other has written or not: nobody can know from here."""
    part, other = parked(settings), writer_of(settings)
    other.write([StateRecord(b"word", b"theirs")], [])
    other.close()
    assert not still_ours(part)
    assert part.fold is None
    assert read_state(settings)[1] == {b"word": b"theirs"}
    part.writer.close()


def test_a_producer_is_not_closed_under_its_thread_however_long_that_takes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator's reset of a large state is being written when the partition is taken away. Closed under it, a
    producer commits nothing, but refuses the next record as a program's mistake, and the worker ended as BROKEN."""
    monkeypatch.setattr(partitions, "LEAVING_SECONDS", 0.05)
    context = FoldContext(Catalogue(), lambda: None, 4, settings.topic)
    loader = Loader(Restorer(OBSERVER, settings, context), dict)
    part = Partition(1, [settings.topic("predictions")], writer_of(settings))

    def large_state() -> Iterator[StateRecord]:
        for number in range(20):
            time.sleep(0.02)
            yield StateRecord(b"%d" % number, b"new")

    async def taken_away() -> bool:
        held = Partitions(loader)
        part.loading = asyncio.get_running_loop().run_in_executor(None, part.writer.write, large_state(), [])
        held._give_up([part])
        closing = held._closing[1]
        committed: bool = await part.loading
        await closing
        return committed

    assert asyncio.run(taken_away())
    loader.end()
    assert set(read_state(settings)[1]) == {b"%d" % number for number in range(20)}
    with pytest.raises(WriteEnded, match="the producer is closed"):
        part.writer.write([], [])
