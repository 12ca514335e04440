"""The life of the partitions a worker holds: assigned, brought up, fed, written, revoked.

assigned -> (thread) fence, read the state -> seek both sources behind the state's offsets -> ready
ready    -> take batches; drop what is of an older seek, cut what is absorbed, seek back when something is missing
revoked  -> one last checkpoint; then it is parked, with its state in memory, until the next assignment is known
parked   -> comes back: one transaction proves that nobody else has had it -> seek -> ready; otherwise it is restored
         -> goes elsewhere: its producer is closed; whatever is late is refused by the fence
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError
from driftloop.streams.transport.exits import Exit, leave, log
from driftloop.streams.transport.fetching.batches import RecordBatch, empty_records
from driftloop.streams.transport.fetching.consumer_thread import Committed, Seek
from driftloop.streams.transport.fetching.stepping import Step
from driftloop.streams.transport.partition import Partition, too_much_unsaved
from driftloop.streams.transport.state.checkpoints import Checkpoints
from driftloop.streams.transport.state.following import compare, follow
from driftloop.streams.transport.state.loader import Loader
from driftloop.streams.transport.watching.stragglers import stragglers
from faust.types import TP

if TYPE_CHECKING:
    from driftloop.streams.transport.fetching.consumer import BatchConsumer

LAST_CHECKPOINT_SECONDS = 4.0
LEAVING_SECONDS = 8.0
ROOM_SECONDS = 1.0
"""Between two looks for room: another partition's transaction, begun meanwhile, may have made it."""

PENDING_BYTES_SOON = 4 << 20
"""Of outputs that no transaction has taken yet, of one partition: then a checkpoint is due, whatever the time."""
PENDING_BYTES_MOST = 8 << 20
"""And then no more records are taken before it. A flood of bad records would fill the memory within a second, and
its transaction would last longer than the broker grants."""


class Partitions:
    """All partitions of this worker. Everything here runs on Faust's event loop."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._parts: dict[int, Partition] = {}
        self._parked: dict[int, Partition] = {}
        self._assignment = 0
        self._over = False
        self._epochs: dict[TP, int] = {}
        self._epoch = 0
        self._tasks: set[asyncio.Future[Any]] = set()
        self._closing: dict[int, asyncio.Future[Any]] = {}
        self.step = Step()
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
        """A new assignment, in place of any earlier one. One that comes while the process ends is nobody's: taken up,
        it would fence the successor."""
        if self._over:
            return
        numbers = self._whole(set(tps))
        self._assignment += 1
        self._set_aside()
        kept = {n: self._parked.pop(n) for n in numbers if n in self._parked}
        self._give_up(self._parked.values())
        self._parked = {}
        self._parts = {n: kept.get(n) or self._loader.new_partition(n) for n in numbers}
        for part in self._parts.values():
            self._new_epochs(part.tps)
        if numbers:
            self.spawn(self._bring_up_all(self.all(), self._assignment))

    def _whole(self, tps: set[TP]) -> list[int]:
        """Partitions assigned in all sources. A source that the cluster does not know, because it is being created
        anew, is in no assignment: the group assigns again when it is known, and what was lost is told then."""
        numbers = {tp.partition for tp in tps}
        broken = {n for n in numbers if {tp.topic for tp in tps if tp.partition == n} != set(self._loader.sources)}
        if broken and not self.consumer.thread.unknown_topics():
            leave(Exit.BROKEN, f"partitions {sorted(broken)} were assigned without their co-partitions")
        return sorted(numbers - broken)

    async def _bring_up_all(self, parts: list[Partition], assignment: int) -> None:
        """``assignment``: the one that asks for them."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        thread = self.consumer.thread
        tps = [tp for part in parts for tp in part.tps]
        committed = asyncio.ensure_future(thread.on_loop(thread.committed(tps)))
        await self._loader.learn_topic_ids(parts)
        found = await asyncio.gather(*(self._resume_or_bring_up(part, committed, assignment) for part in parts))
        await self.commit_following()
        if assignment == self._assignment:
            log.info("ready: partitions %s in %.2f s%s", listed(parts), loop.time() - started, kept_in_memory(found))

    async def _resume_or_bring_up(
        self, part: Partition, committed: asyncio.Future[dict[TP, Committed]], assignment: int
    ) -> Partition | None:
        """The partition if its state stayed in memory, None if it had to be restored.

        A partition that is parked and comes back is asked for twice while the first to ask still waits for an answer
        of the cluster. Brought up by both, it would go on from what the later has read, behind what it has written.
        """
        if assignment != self._assignment:
            return None  # taken away since: whoever has it now brings it up
        if part.parked:
            await self.checkpoints.idle(part)
            kept = await self._may_go_on(part, committed) and await self.checkpoints.still_ours(part)
            if assignment != self._assignment:
                return None  # taken away again meanwhile: whoever parked it has the word
            part.parked = False
            if kept:
                await self._start_taking(part)
                return part
            part.fold = None
            await self._loader.close([part])
        await self._bring_up(part, committed)
        return None

    async def _may_go_on(self, part: Partition, committed: asyncio.Future[dict[TP, Committed]]) -> bool:
        """Has neither a source been created anew nor an operator set the group's offsets meanwhile?"""
        try:
            told = await committed
        except KafkaError:
            return False
        same_topics = part.topic_ids == dict(self._loader.expected.topic_ids)
        return same_topics and all(told.get(tp, Committed(-1, "")).ours for tp in part.tps)

    async def _bring_up(self, part: Partition, committed: asyncio.Future[dict[TP, Committed]] | None) -> None:
        if part.number in self._closing:  # our own late transaction must end before we fence it
            await asyncio.wait([self._closing[part.number]], timeout=LEAVING_SECONDS)
        if (found := await self._loader.restored(part)) is None:
            return
        restored, fold = found
        if committed is not None:
            try:
                asked = compare(part, restored.absorbed, await committed, self._loader.can_rewind)
            except KafkaError as error:  # they are only compared and followed, never needed
                log.warning("the group's offsets cannot be read: %r", error)
                asked = None
            if asked is not None and not part.gone:
                await self._loader.close([part])
                if (found := await self._loader.restored(part, asked)) is None:
                    return
                restored, fold = found
        if part.gone:
            await self._loader.close([part])
            return
        part.fold, part.topic_ids = fold, dict(self._loader.expected.topic_ids)
        part.absorbed, part.saved = dict(restored.absorbed), dict(restored.absorbed)
        part.skipped = dict(restored.skipped)
        part.unsaved_records = part.unsaved_bytes = 0
        for topic, lag in restored.lags.items():
            part.lag_told[topic] = lag
            fold.absorb(empty_records(topic, part.number, lag))
        part.changed = True
        await self._start_taking(part)

    async def _start_taking(self, part: Partition) -> None:
        part.ready = True
        await self._seek(part.tps)
        if part.ready and not part.gone:
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
        """Wait while too much has come that no transaction has taken yet, of the batch's partition or of all."""
        while (part := self._parts.get(batch.partition)) is not None and not part.gone:
            full = part.ready and part.fold is not None and part.fold.pending_bytes > PENDING_BYTES_MOST
            if full and part.busy is None:
                await self.checkpoints.run(part)
                continue
            hanging = [each.busy for each in self._parts.values() if each.busy is not None]
            if not hanging or not (full or too_much_unsaved(part, self._parts.values())):
                return
            await asyncio.wait(hanging, timeout=ROOM_SECONDS, return_when=asyncio.FIRST_COMPLETED)

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
        if part.busy is not None:  # otherwise they wait for a second at most
            part.unsaved_bytes += fresh.value_bytes
        self.step.look(part, asyncio.get_running_loop().time())
        if part.fold.pending_bytes > PENDING_BYTES_SOON:
            self.checkpoints.soon(part)
        self.checkpoints.if_due(part)

    def _seek_back(self, tp: TP) -> None:
        self._new_epochs([tp])  # at once: the rest of this epoch is stale from here on
        self.spawn(self._seek([tp]))

    # Written.

    async def _reload(self, part: Partition) -> None:
        """Throw the fold away and make it anew from the state, after a transaction that was aborted."""
        part.ready, part.fold = False, None
        self.step.forget(part)
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
            part.gone = not part.holds_state
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
        now = asyncio.get_running_loop().time()
        for part in self.all():
            if part.ready and not part.gone:
                for tp in stragglers(part, self.consumer.thread, now):
                    self._seek_back(tp)
                self.step.look(part, now)

    # Revoked.

    def revoked(self) -> None:
        """They are no longer ours, for the moment: the next assignment tells who stays."""
        self._assignment += 1
        self._set_aside()
        self._new_epochs(list(self._epochs))

    def _set_aside(self) -> None:
        """Park what has its state in memory, give up the rest."""
        old, self._parts = self.all(), {}
        for part in old:
            self.step.forget(part)
            if part.holds_state:
                part.park()
                self._parked[part.number] = part
        self._give_up([part for part in old if not part.parked])

    def _give_up(self, parts: Iterable[Partition]) -> None:
        """For good. Transactions in flight end, then the producers are closed; nobody waits for that."""
        for part in parts:
            part.give_up()
            closing = self._closing[part.number] = self.spawn(self._close(part, self._closing.get(part.number)))
            closing.add_done_callback(partial(self._closed, part.number))

    async def _close(self, part: Partition, before: asyncio.Future[Any] | None) -> None:
        """Not under a thread that works with it, be it a checkpoint or the state that an operator's reset makes, and
        be it for minutes: its next call would be refused, which looks like a fault of ours and ended the worker. It
        need not hurry: who comes next opens a producer of the same name, and that fences this one."""
        if waiting := [each for each in (before, part.busy, part.loading) if each is not None]:
            await asyncio.wait(waiting)
        await self._loader.close([part])

    def _closed(self, number: int, closing: asyncio.Future[Any]) -> None:
        if self._closing.get(number) is closing:
            del self._closing[number]

    async def close(self) -> None:
        """Give everything back at the end of the process."""
        self._over = True
        self.revoked()
        self._give_up(self._parked.values())
        self._parked = {}
        if self._closing:
            await asyncio.wait(list(self._closing.values()), timeout=LEAVING_SECONDS)
        for task in list(self._tasks):  # a partition that was still coming up need not come up any more
            task.cancel()
        self.checkpoints.close()
        self._loader.end()


def listed(parts: Iterable[Partition]) -> str:
    """``0, 1, 2``."""
    return ", ".join(str(part.number) for part in parts)


def kept_in_memory(parts: Iterable[Partition | None]) -> str:
    """What to say of those that stayed: nothing if there are none."""
    numbers = listed(part for part in parts if part is not None)
    return f", of these {numbers} kept in memory" if numbers else ""
