"""Faust's consumer, told where the truth is: positions come from the state log, commits to the group follow it.

Overridden are the places where Faust would act on committed offsets, acks or its own read offsets. None of them is
used here: a batch is acknowledged by the transaction that holds its effect, and by nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from driftloop.streams.transport.exits import log
from driftloop.streams.transport.fetching.bundle import Bundle, Waiting
from driftloop.streams.transport.fetching.consumer_thread import BatchThread
from driftloop.streams.transport.fetching.stepping import POLL_SECONDS
from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP, ConsumerMessage

if TYPE_CHECKING:
    from driftloop.streams.transport.partitions import Partitions

FINAL_COMMIT_SECONDS = 2.0


class _NoOffsets(dict[Any, Any]):
    """Faust drops what is below its own read offset; behind a seek back that would be a silent hole."""

    def __missing__(self, key: Any) -> None:
        return None

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def update(self, *args: Any, **more: Any) -> None:
        pass


class BatchConsumer(Consumer):  # type: ignore[misc]
    """Delivers bundles of batches of ready partitions; asks ``app.partitions`` for everything else."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._read_offset = _NoOffsets()
        self._room = asyncio.Event()
        self.waiting = Waiting(self._room.set)
        self.polls = 0
        self.partitions: Partitions = self.app.partitions
        self.partitions.attach(self)

    @property
    def thread(self) -> BatchThread:
        """The thread that fetches."""
        found: BatchThread = self._thread
        return found

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    # Records in.

    async def _getmany(self, active_partitions: Any, timeout: float) -> dict[Any, Any]:
        self.polls += 1
        if held := self.partitions.step.held:
            active_partitions, timeout = active_partitions - held, min(timeout, POLL_SECONDS)
            if not active_partitions:  # aiokafka would take that for all of them
                await asyncio.sleep(timeout)
                return {}
        fetched = await super()._getmany(active_partitions, timeout)
        current = self.partitions.is_current
        bundle = Bundle([batch for batches in fetched.values() for batch in batches if current(batch)])
        # Faust drops the message of a partition that was paused meanwhile; behind it the others would be lost.
        carrier = next((batch for batch in bundle.batches if batch.tp in self._get_active_partitions()), None)
        if carrier is None:
            return {}
        self.waiting.add(bundle)
        return {carrier.tp: [bundle]}

    def _to_message(self, tp: Any, record: Bundle) -> ConsumerMessage:
        last = [batch for batch in record.batches if batch.tp == tp][-1]
        return ConsumerMessage(
            last.topic,
            last.partition,
            last.last,
            last.timestamp_seconds,
            0,
            None,
            None,
            record,
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        """Faust naps a second while every partition is paused; here whoever becomes ready ends the wait."""
        self.polls += 1
        if self.flow_active and (self.waiting.full or not self._get_active_partitions()):
            self._room.clear()
            try:
                await asyncio.wait_for(self._room.wait(), 1.0)
            except TimeoutError:
                return {}, set()
        found: tuple[Any, Any] = await super()._wait_next_records(timeout)
        return found

    def on_buffer_full(self, tp: Any) -> None:
        """What waits is counted by ``waiting``: Faust would stop one partition of many."""

    def on_buffer_drop(self, tp: Any) -> None:
        """See ``on_buffer_full``."""

    # Positions: from the state, never from the group.

    async def perform_seek(self) -> None:
        await self.partitions.seek_all()

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        super().resume_partitions({tp for tp in tps if self.partitions.is_ready(tp)})
        self._room.set()

    def resume_flow(self) -> None:
        super().resume_flow()
        # Faust has just emptied its queues: what was delivered before this moment is gone. Fetch it again.
        self.waiting.forget()
        self.partitions.spawn(self.partitions.seek_all())

    # Assignment.

    async def on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:
        self.partitions.assigned({TP(*tp) for tp in assigned})
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: Any) -> None:
        await super().on_partitions_revoked(revoked)  # ends in wait_empty below
        self.partitions.revoked()

    async def wait_empty(self) -> None:
        """Before a rebalance and at the end: one bounded last checkpoint; the successor redoes what is missing."""
        await self.partitions.last_checkpoint()
        try:
            await asyncio.wait_for(self.commit(), FINAL_COMMIT_SECONDS)
        except TimeoutError:
            log.warning("last offset commit to the group timed out (the state is committed)")

    async def on_stop(self) -> None:
        await self.wait_empty()
        await self.partitions.close()
        self.transport._topic_waiters.clear()

    # Commits to the group: what the state has, nothing else.

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002
        return await self.partitions.commit_following()

    def track_message(self, message: Any) -> None:
        """No acks are kept."""

    def verify_event_path(self, now: float, tp: Any) -> None:
        """watching/watchdog.py looks instead."""


class BatchTransport(Transport):  # type: ignore[misc]
    """Faust's transport with our consumer."""

    Consumer = BatchConsumer
