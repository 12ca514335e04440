"""A worker process of the simulation: the real partitions, checkpoints, loader, writer and restore, fed by a
simulated Faust.

Simulated is what Faust and aiokafka do between the broker and streams/transport/fetching (notes/faust.md and
tests/transport/test_hooks.py say what that is): joining, heartbeats, the revoked and assigned callbacks, the thread
that fetches, the queue in front of the agent, and that queues are emptied without a word. The methods of our own
consumer and thread that hold no Faust are used as they are.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiokafka.errors import IllegalStateError, KafkaConnectionError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from driftloop.streams.transport.exits import Exit
from driftloop.streams.transport.fetching.batches import RecordBatch
from driftloop.streams.transport.fetching.bundle import Bundle, Waiting
from driftloop.streams.transport.fetching.consumer import BatchConsumer
from driftloop.streams.transport.fetching.consumer_thread import BatchThread
from driftloop.streams.transport.fetching.stepping import POLL_SECONDS
from driftloop.streams.transport.partitions import Partitions
from driftloop.streams.transport.run import _Beats
from driftloop.streams.transport.state.bring_up import Restorer
from driftloop.streams.transport.state.loader import Loader
from driftloop.streams.transport.watching.patience import take
from faust.types import TP

from .group import HEARTBEAT_SECONDS, Namesake, Out
from .kafka import Away, Record
from .loop import Process

if TYPE_CHECKING:
    from .cluster import Cluster


class SimulatedAiokafka:
    """What BatchThread asks of an AIOKafkaConsumer."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._coordinator = self
        self.positions: dict[TP, int] = {}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        if TP(*tp) not in self.positions:
            raise IllegalStateError(f"{tp} is not assigned")
        self.positions[TP(*tp)] = offset

    async def commit(self, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        await asyncio.sleep(self.worker.hop())
        wanted = {(tp.topic, tp.partition): (at.offset, at.metadata) for tp, at in offsets.items()}
        try:
            if not self.worker.cluster.commit(self.worker, wanted):
                raise IllegalStateError("of another generation")
        except Away:
            raise KafkaConnectionError from None
        await asyncio.sleep(self.worker.hop())

    async def fetch_committed_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        """aiokafka asks until it is answered."""
        while self.worker.cluster.broker.away:
            await asyncio.sleep(0.1)
        await asyncio.sleep(self.worker.hop())
        found = self.worker.cluster.group.committed
        return {tp: OffsetAndMetadata(*found.get((tp.topic, tp.partition), (-1, ""))) for tp in tps}


class SimulatedThread:
    """The thread that fetches; what runs here without an await cannot be interrupted, as on its own loop."""

    forget_epochs = BatchThread.forget_epochs
    seek_to = BatchThread.seek_to
    committed = BatchThread.committed
    commit_following = BatchThread.commit_following
    _stamped = BatchThread._stamped

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.app = worker
        self.aiokafka = SimulatedAiokafka(worker)
        self.epoch: dict[TP, int] = {}
        self.handed_out: dict[TP, int] = {}
        self.commits_failed = 0
        self._telling = asyncio.Lock()
        self.busy_until = 0.0

    def _ensure_consumer(self) -> SimulatedAiokafka:
        return self.aiokafka

    def assignment(self) -> set[TP]:
        return set(self.aiokafka.positions)

    async def on_loop(self, call: Any) -> Any:
        """Calls arrive in the order in which they were made."""
        now = asyncio.get_running_loop().time()
        self.busy_until = max(self.busy_until + 1e-6, now + self.worker.hop())
        await asyncio.sleep(self.busy_until - now)
        found = await call
        await asyncio.sleep(self.worker.hop())
        return found

    def lag(self, tp: TP) -> int | None:
        position = self.aiokafka.positions.get(tp)
        return None if position is None else self.worker.cluster.broker.log(*tp).stable - position

    async def fetch(self, active: set[TP], most: int, seconds: float) -> dict[TP, list[RecordBatch]]:
        """As aiokafka's fetched_records: it waits up to ``seconds`` for something, over a rebalance if need be, and
        looks at ``active``, which changes under its hands, only then; if that is empty by then, everything counts.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            while self.worker.reassigning:
                await asyncio.sleep(0.01)
            found = {tp: self._stamped(tp, chunks) for tp, chunks in self._drained(active, most)}
            if found or asyncio.get_running_loop().time() >= deadline:
                return found
            await asyncio.sleep(0.1)

    def _drained(self, active: set[TP], most: int) -> Iterator[tuple[TP, list[list[Record]]]]:
        rng, broker = self.worker.rng, self.worker.cluster.broker
        for tp in [] if broker.away else sorted(self.aiokafka.positions):
            if (active and tp not in active) or rng.random() < 0.2:
                continue
            log, position = broker.log(*tp), self.aiokafka.positions[tp]
            records = log.committed(position)[: rng.randint(1, most)]
            if records:
                self.aiokafka.positions[tp] = records[-1].offset + 1
                at = rng.randint(1, len(records))
                yield tp, [chunk for chunk in (records[:at], records[at:]) if chunk]
            else:
                self.aiokafka.positions[tp] = max(position, log.stable)


class SimulatedConsumer:
    """Faust's consumer, its flow control, and the queue of the agent."""

    wait_empty = BatchConsumer.wait_empty
    commit = BatchConsumer.commit

    def __init__(self, worker: Worker, partitions: Partitions) -> None:
        self.worker, self.partitions = worker, partitions
        self.thread = SimulatedThread(worker)
        self.active: set[TP] = set()
        self.paused: set[TP] = set()
        self.flow_active = False
        self.queue: list[Bundle] = []
        self.news = asyncio.Event()
        self.waiting = Waiting(self.news.set)
        partitions.attach(self)  # type: ignore[arg-type]

    def pause_partitions(self, tps: Any) -> None:
        self.active -= set(tps)
        self.paused |= set(tps)

    def resume_partitions(self, tps: Any) -> None:
        ready = {tp for tp in tps if self.partitions.is_ready(tp)}
        self.active |= ready
        self.paused -= ready
        self.news.set()

    def empty_queue(self) -> None:
        self.queue.clear()
        self.waiting.forget()

    async def revoked(self) -> None:
        """The order of faust.App._on_partitions_revoked."""
        self.worker.reassigning = True
        self.thread.forget_epochs()
        await asyncio.sleep(self.worker.hop())
        if self.thread.assignment():
            self.flow_active = False
            self.pause_partitions(self.thread.assignment())
            self.empty_queue()
            await self.wait_empty()
        self.partitions.revoked()

    async def assigned(self, tps: set[TP]) -> None:
        """The order of faust's assigned callback and of Recovery._resume_streams."""
        worker = self.worker
        committed = worker.cluster.group.committed
        self.thread.aiokafka.positions = {tp: max(0, committed.get(tuple(tp), (0, ""))[0]) for tp in tps}
        self.thread.forget_epochs()
        worker.reassigning = False
        await asyncio.sleep(worker.hop())
        self.partitions.assigned(tps)
        self.paused &= tps
        self.active.clear()
        self.active |= tps - self.paused
        await asyncio.sleep(worker.hop())
        self.pause_partitions(tps)
        worker.background(self._resume(worker.generation, tps))

    async def _resume(self, generation: int, tps: set[TP]) -> None:
        await asyncio.sleep(self.worker.hop())
        if generation != self.worker.generation:
            return
        self.resume_partitions(tps)
        await self.partitions.seek_all()
        if generation != self.worker.generation:
            return
        self.empty_queue()
        self.flow_active = True
        self.news.set()
        self.partitions.spawn(self.partitions.seek_all())

    async def fetching(self) -> None:
        """BatchConsumer._getmany: what comes over from the thread and is current goes into the queue, as one."""
        worker = self.worker
        plan = worker.cluster.plan
        while True:
            if self.waiting.full or not self.active or not self.flow_active:
                self.news.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.news.wait(), 0.5)
                continue
            active, seconds = self.active, 1.0
            if held := self.partitions.step.held:  # as BatchConsumer._getmany
                active, seconds = self.active - held, POLL_SECONDS
                if not active:
                    await asyncio.sleep(seconds)
                    continue
            await asyncio.sleep(worker.hop())
            fetched = await self.thread.fetch(active, plan.batch_most, seconds)
            await asyncio.sleep(worker.hop())
            current = self.partitions.is_current
            bundle = Bundle(batch for batches in fetched.values() for batch in batches if current(batch))
            if bundle.batches:
                self.waiting.add(bundle)
                self.queue.append(bundle)
            self.news.set()

    async def agent(self) -> None:
        """The agent of app.py."""
        while True:
            if not self.queue:
                await asyncio.sleep(0.05)
                continue
            async for batch in self.waiting.each(self.queue.pop(0)):
                if self.worker.rng.random() < self.worker.cluster.plan.lost:
                    continue
                await self.partitions.room_for(batch)
                await take(self.partitions, batch)
                if self.worker.rng.random() < 0.2:
                    await asyncio.sleep(self.worker.hop())


class Worker(Process):
    """One process. ``conf``: what BatchThread reads of Faust's configuration."""

    def __init__(self, name: str, cluster: Cluster, instance: str) -> None:
        super().__init__(name)
        self.cluster, self.instance = cluster, instance
        self.rng: random.Random = cluster.rng
        self.broker_client_id = name
        self.conf = self
        self.member, self.generation = "", -1
        self.tasks: list[asyncio.Future[Any]] = []
        self.reassigning = False
        self.stopping = False
        self.exit: Exit | None = None

    def hop(self) -> float:
        """From one thread to the other."""
        return self.cluster.loop.pause() / 2

    def start(self) -> None:
        cluster = self.cluster
        restorer = Restorer(cluster.service, cluster.settings, cluster.context)
        loader = Loader(restorer, cluster.topic_ids)
        self.partitions = Partitions(loader)
        self.consumer = SimulatedConsumer(self, self.partitions)
        beats = _Beats(self.partitions)
        self.membership = self.background(self._member())
        for work in (beats.beat(), loader.watch_sources()):
            self.tasks.append(self.partitions.spawn(work))
        for work in (self.consumer.fetching(), self.consumer.agent(), self._committing()):
            self.background(work)

    def background(self, work: Any) -> asyncio.Future[Any]:
        task = asyncio.ensure_future(work)
        self.tasks.append(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Future[Any]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.cluster.broken(self, task.exception())

    async def _committing(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            await self.consumer.commit()

    async def _member(self) -> None:
        """The coordination of aiokafka: join, beat, and when the group moves give everything back and join again."""
        group = self.cluster.group
        while not self.stopping:
            try:
                self.member, self.generation, places = await group.join(self.member, self.instance)
                await asyncio.sleep(self.hop())
                await self.consumer.assigned({TP(*place) for place in places})
                while group.heartbeat(self.member, self.generation, self.instance) and not self.stopping:
                    await asyncio.sleep(HEARTBEAT_SECONDS)
            except Away:
                await asyncio.sleep(0.2)
                await self._wait_for_broker()
                continue
            except Out:
                self.member = ""
            except Namesake:
                self.cluster.left(self, Exit.FENCED, "a namesake")
                return
            if not self.stopping:
                await self._give_back()

    async def _give_back(self) -> None:
        """Heartbeats go on meanwhile, so that the group waits."""
        beating = self.background(self._beating())
        await self.consumer.revoked()
        beating.cancel()
        self.generation = -1

    async def _beating(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            with suppress(Away, Out, Namesake):
                self.cluster.group.heartbeat(self.member, self.generation, self.instance)

    async def _wait_for_broker(self) -> None:
        """The assignment stays; heartbeats go on when it is back."""
        group = self.cluster.group
        while not self.stopping:
            try:
                if not group.heartbeat(self.member, self.generation, self.instance):
                    break
            except Away:
                pass
            except (Out, Namesake):
                break
            await asyncio.sleep(HEARTBEAT_SECONDS)
        if not self.stopping:
            if self.member not in group.members:
                self.member = ""
            await self._give_back()

    def described(self) -> str:
        """Where it stands, for a person."""
        tasks = [task.get_coro() for task in self.tasks if not task.done()]
        waiting = [f"{c.__qualname__}:{c.cr_frame.f_lineno}" for c in tasks if c.cr_frame is not None]
        return f"{self.name} stopping={self.stopping} frozen={self.frozen} jobs={len(self.jobs)} waiting={waiting}"

    async def stop(self) -> None:
        """SIGTERM: drain, leave the group, end. A static member does not leave."""
        self.stopping = True
        self.membership.cancel()
        self.consumer.flow_active = False
        self.consumer.empty_queue()
        await self.consumer.wait_empty()
        await self.partitions.close()
        if not self.instance:
            self.cluster.group.leave(self.member)
        self.cluster.left(self, Exit.STOPPED, "told to")
