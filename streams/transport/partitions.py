"""The life of the partitions a worker holds: assigned, brought up, fed, written, revoked.

assigned -> (thread) fence, read the state -> seek both sources behind the state's offsets -> ready
ready    -> take batches; drop what is of an older seek, cut what is absorbed, seek back when something is missing
revoked  -> one last checkpoint, then the producers are closed; whatever is late is refused by the fence
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError
from driftloop.streams.transport.batches import RecordBatch, empty_records
from driftloop.streams.transport.checkpoints import Checkpoints
from driftloop.streams.transport.consumer_thread import Committed, Seek
from driftloop.streams.transport.exits import Exit, leave, log
from driftloop.streams.transport.following import compare, follow
from driftloop.streams.transport.loader import Loader
from driftloop.streams.transport.partition import Partition
from driftloop.streams.transport.stragglers import stragglers
from faust.types import TP

if TYPE_CHECKING:
    from driftloop.streams.transport.consumer import BatchConsumer

LOADERS = 12
LAST_CHECKPOINT_SECONDS = 4.0
LEAVING_SECONDS = 8.0
UNSAVED_RECORDS_MOST = 200_000
"""Of one partition, while its transaction hangs: then no more records are taken until it is through."""


class Partitions:
    """All partitions of this worker. Everything here runs on Faust's event loop."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._parts: dict[int, Partition] = {}
        self._epochs: dict[TP, int] = {}
        self._epoch = 0
        self._tasks: set[asyncio.Future[Any]] = set()
        self._leaving: asyncio.Future[Any] | None = None
        self.checkpoints = Checkpoints(lambda: loader.expected, self._reload, self.spawn)
        self.consumer: BatchConsumer

    def attach(self, consumer: BatchConsumer) -> None:
        """The consumer that feeds these partitions."""
        self.consumer = consumer

    def all(self) -> list[Partition]:
        """The partitions held now, ready or not."""
        return list(self._parts.values())

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Future[Any]:
        """Run in the background; an exception nobody expected ends the process."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("", exc_info=error)
            leave(Exit.BROKEN, f"{type(error).__name__} in the transport")

    # Assigned.

    def assigned(self, tps: Iterable[TP]) -> None:
        """A new assignment, in place of any earlier one."""
        tps = set(tps)
        for part in self._parts.values():
            part.gone = True
        numbers = sorted({tp.partition for tp in tps})
        if broken := [
            n for n in numbers if {tp.topic for tp in tps if tp.partition == n} != set(self._loader.sources)
        ]:
            leave(Exit.BROKEN, f"partitions {broken} were assigned without their co-partitions")
        self._parts = {n: self._loader.new_partition(n) for n in numbers}
        for part in self._parts.values():
            self._new_epochs(part.tps)
        if numbers:
            self.spawn(self._bring_up_all(self.all()))

    async def _bring_up_all(self, parts: list[Partition]) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        thread = self.consumer.thread
        tps = [tp for part in parts for tp in part.tps]
        committed = asyncio.ensure_future(thread.on_loop(thread.committed(tps)))
        await self._loader.learn_topic_ids(parts)
        await asyncio.gather(*(self._bring_up(part, committed) for part in parts))
        await self.commit_following()
        if not any(part.gone for part in parts):
            numbers = ", ".join(str(part.number) for part in parts)
            log.info("ready: partitions %s in %.2f s", numbers, loop.time() - started)

    async def _bring_up(self, part: Partition, committed: asyncio.Future[dict[TP, Committed]] | None) -> None:
        if self._leaving is not None:  # our own late transaction must end before we fence it
            await asyncio.wait([self._leaving], timeout=LEAVING_SECONDS)
        if (found := await self._loader.restored(part)) is None:
            return
        restored, fold = found
        if committed is not None:
            try:
                compare(part, restored.absorbed, await committed)
            except KafkaError as error:  # they are only compared and followed, never needed
                log.warning("the group's offsets cannot be read: %r", error)
        if part.gone:
            await self._loader.close([part])
            return
        part.fold, part.topic_ids = fold, dict(self._loader.expected.topic_ids)
        part.absorbed, part.saved = dict(restored.absorbed), dict(restored.absorbed)
        part.unsaved_records = 0
        for topic, lag in restored.lags.items():
            part.lag_told[topic] = lag
            fold.absorb(empty_records(topic, part.number, lag))
        part.ready = part.changed = True
        await self._seek(part.tps)
        if not part.gone:
            self.consumer.resume_partitions(part.tps)
            self.checkpoints.if_due(part)

    # Positions and epochs.

    def _new_epochs(self, tps: Iterable[TP]) -> None:
        for tp in tps:
            self._epoch += 1
            self._epochs[tp] = self._epoch

    async def _seek(self, tps: Iterable[TP]) -> None:
        seeks = []
        for tp in tps:
            part = self._parts.get(tp.partition)
            if part is not None and part.ready and not part.gone:
                self._new_epochs([tp])
                seeks.append(Seek(tp, part.absorbed[tp.topic] + 1, self._epochs[tp]))
        if seeks:
            await self.consumer.thread.on_loop(self.consumer.thread.seek_to(seeks))

    async def seek_all(self) -> None:
        """Every ready partition behind what it has absorbed."""
        await self._seek([tp for part in self.all() for tp in part.tps])

    def is_ready(self, tp: TP) -> bool:
        """Restored and sought: records may be fetched."""
        part = self._parts.get(tp.partition)
        return part is not None and part.ready and not part.gone

    def is_current(self, batch: RecordBatch) -> bool:
        """Fetched after the last seek of its partition."""
        return batch.epoch == self._epochs.get(TP(batch.topic, batch.partition))

    # Records.

    async def room_for(self, batch: RecordBatch) -> None:
        """Wait while the batch's partition has too much that no transaction has taken yet."""
        while (part := self._parts.get(batch.partition)) is not None:
            if part.gone or part.busy is None or part.unsaved_records < UNSAVED_RECORDS_MOST:
                return
            await asyncio.wait([part.busy])

    def take(self, batch: RecordBatch) -> None:
        """Absorb what the fold has not absorbed. No await in here: nothing may come between check and effect."""
        part = self._parts.get(batch.partition)
        if part is None or part.gone or not part.ready or part.fold is None or not self.is_current(batch):
            return
        absorbed = part.absorbed[batch.topic]
        if batch.before > absorbed:
            log.warning("%r: something behind %d was lost on the way; seeking back", batch, absorbed)
            self._seek_back(TP(batch.topic, batch.partition))
            return
        if (fresh := batch.after(absorbed)) is None:
            return
        part.fold.absorb(fresh.source_records())
        part.absorbed[batch.topic], part.lag_told[batch.topic] = batch.last, batch.lag
        part.changed = True
        part.unsaved_records += len(fresh)
        self.checkpoints.if_due(part)

    def _seek_back(self, tp: TP) -> None:
        self._new_epochs([tp])  # at once: the rest of this epoch is stale from here on
        self.spawn(self._seek([tp]))

    # Written.

    async def _reload(self, part: Partition) -> None:
        """Throw the fold away and make it anew from the state, after a transaction that was aborted."""
        part.ready, part.fold = False, None
        self.consumer.pause_partitions(part.tps)
        self._new_epochs(part.tps)
        await self._loader.close([part])
        if not part.gone:
            await self._bring_up(part, None)

    async def last_checkpoint(self) -> None:
        """Everything absorbed, within a deadline; what is missing then is redone by the successor.

        A partition that is still coming up is given up, but not before its thread has noticed: behind our back it
        would fence the successor.
        """
        for part in self.all():
            part.gone = part.gone or not part.ready
        loading = [part.loading for part in self.all() if part.loading is not None]
        done = await self.checkpoints.all(self.all(), LAST_CHECKPOINT_SECONDS)
        if loading:
            await asyncio.wait(loading, timeout=LAST_CHECKPOINT_SECONDS)
        if not done:
            log.warning(
                "the last checkpoint took longer than %.0f s: the successor redoes it", LAST_CHECKPOINT_SECONDS
            )

    async def commit_following(self) -> bool:
        """Tell the group what the state has and the group was not told yet."""
        return await follow(self.consumer.thread, [part for part in self.all() if part.ready and not part.gone])

    async def look_after(self) -> None:
        """Now and then: is a batch missing with nothing behind it, has a partition caught up without a record?"""
        for part in self.all():
            if part.ready and not part.gone:
                for tp in stragglers(part, self.consumer.thread, asyncio.get_running_loop().time()):
                    self._seek_back(tp)

    # Revoked.

    def revoked(self) -> None:
        """They are no longer ours. Their transactions in flight end, then the producers are closed."""
        old, self._parts = self.all(), {}
        for part in old:
            part.gone = True
            part.stop_timer()
        self._new_epochs(list(self._epochs))
        if old:
            self._leaving = self.spawn(self._close(old))

    async def _close(self, parts: list[Partition]) -> None:
        if busy := [part.busy for part in parts if part.busy is not None]:
            await asyncio.wait(busy, timeout=LEAVING_SECONDS)
        await self._loader.close(parts)

    async def close(self) -> None:
        """Give everything back at the end of the process."""
        self.revoked()
        if self._leaving is not None:
            await asyncio.wait([self._leaving], timeout=LEAVING_SECONDS)
        for task in list(self._tasks):  # a partition that was still coming up need not come up any more
            task.cancel()
        self.checkpoints.close()
        self._loader.end()
