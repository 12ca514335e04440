"""The thread that fetches: stamps every batch with the seek it belongs to, where the fetch position lives.

Seek and fetch run on this thread's one event loop, and neither awaits between moving the position and writing down
``epoch`` and ``handed_out``. So a batch fetched before a seek can never be taken for one fetched after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from driftloop.streams.transport.exits import Exit, leave, log
from driftloop.streams.transport.fetching.batches import RecordBatch, chained
from driftloop.streams.transport.fetching.pace import keep_pace
from driftloop.streams.transport.fetching.unpacking import Chunk, unpack_in_chunks
from driftloop.streams.transport.membership import Seat, keep_seat
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

COMMIT_MARK = "driftloop:"
"""Metadata of every offset commit of ours begins so; a commit without it was made by an operator's tool."""
FETCH_WAIT_MS = 100
"""How long the broker may hold a fetch open, when it has less than was asked for (pace.py). A fetch that was sent
without some partitions (their records were not taken yet) keeps these waiting so long."""
LEARN_SECONDS = 0.5
"""Between two questions for a topic that the cluster, just come back, does not know yet."""


class Seek(NamedTuple):
    """Read ``tp`` from ``offset`` on; what comes of it carries ``epoch``."""

    tp: TP
    offset: int
    epoch: int


class Committed(NamedTuple):
    """An offset committed to the group, and what was written beside it."""

    offset: int
    metadata: str

    @property
    def ours(self) -> bool:
        """Nothing committed yet, or committed by a worker; not by ``--reset-offsets``."""
        return self.offset < 0 or self.metadata.startswith(COMMIT_MARK)


class BatchThread(AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread with batches, epochs and co-partitioning."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.epoch: dict[TP, int] = {}
        self.handed_out: dict[TP, int] = {}
        self.commits_failed = 0
        self._telling = asyncio.Lock()
        """One commit at a time: of two, aiokafka may have to try the older one again behind the newer."""
        self._learning: asyncio.Future[None] | None = None

    async def on_start(self) -> None:
        await super().on_start()
        keep_pace(self._ensure_consumer()._fetcher)
        if instance_id := self.app.conf.consumer_group_instance_id:
            seat = Seat(instance_id, self.app.conf.broker_session_timeout)
            keep_seat(self._ensure_consumer()._coordinator, seat)

    async def on_loop(self, call: Coroutine[Any, Any, Any]) -> Any:
        """Await ``call`` on this thread's loop, from Faust's."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self.thread_loop))

    def _create_worker_consumer(self, transport: Any) -> Any:
        unpack_in_chunks()
        consumer = super()._create_worker_consumer(transport)
        # Without tables Faust takes roundrobin, which gives partition 3 of one topic to one worker and of the
        # other topic to another as soon as there are five of them. Range keeps co-partitioned topics together.
        consumer._partition_assignment_strategy = [RangePartitionAssignor]
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """An assignment made without knowing a topic gives nobody its partitions, and aiokafka would leave it so.

        A seek that was under way when the partitions were revoked may have come in between: it belongs to the past.
        """
        self.forget_epochs()
        if self.unknown_topics():
            log.warning("the cluster did not tell of %s yet; joining again when it does", self.unknown_topics())
            self._learning = asyncio.ensure_future(self._learn_topics())
        await super().on_partitions_assigned(assigned, generation_id)

    def unknown_topics(self) -> list[str]:
        """Sources that the cluster has not told of. Any thread may ask."""
        consumer = self._ensure_consumer()
        return sorted(t for t in consumer.subscription() if not consumer._client.cluster.partitions_for_topic(t))

    async def _learn_topics(self) -> None:
        consumer = self._ensure_consumer()
        while not self.should_stop and self.unknown_topics():
            await consumer._client.force_metadata_update()
            await asyncio.sleep(LEARN_SECONDS)
        consumer._coordinator.request_rejoin()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self.forget_epochs()
        await super().on_partitions_revoked(revoked)

    def forget_epochs(self) -> None:
        """Whatever is fetched from here on belongs to no epoch, until the next seek."""
        self.epoch.clear()
        self.handed_out.clear()

    async def seek_to(self, seeks: Iterable[Seek]) -> None:
        """Move the positions. A partition that was taken away meanwhile is passed over: its epoch never arrives."""
        consumer = self._ensure_consumer()
        for tp, offset, epoch in seeks:
            try:
                consumer.seek(TopicPartition(*tp), offset)
            except IllegalStateError:
                continue
            self.epoch[tp], self.handed_out[tp] = epoch, offset - 1

    async def _fetch_records(
        self, consumer: Any, active_partitions: Any, timeout: float | None = None, max_records: int | None = None
    ) -> dict[Any, Any]:
        fetched = await super()._fetch_records(consumer, active_partitions, timeout=timeout, max_records=max_records)
        return {tp: self._stamped(TP(tp.topic, tp.partition), found) for tp, found in fetched.items() if found}

    def _stamped(self, tp: TP, chunks: list[Chunk]) -> list[RecordBatch]:
        before = self.handed_out.get(tp, -1)
        if tp in self.epoch and chunks[0][0].offset <= before:
            # aiokafka resets an out-of-range position without a word; going on would skip everything up to there.
            leave(Exit.SOURCE_LOST, f"{tp.topic}[{tp.partition}] jumped back from {before} to {chunks[0][0].offset}")
        batches = chained(tp.topic, tp.partition, chunks, self.epoch.get(tp, -1), before, self.lag(tp) or 0)
        self.handed_out[tp] = batches[-1].last
        return batches

    def lag(self, tp: TP) -> int | None:
        """Readable offsets behind the position; None: not known yet. Any thread may ask."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        state = assignment.state_value(TopicPartition(*tp)) if assignment is not None else None
        if state is None or not state.has_valid_position:
            return None
        end = state.lso if state.lso is not None and state.lso >= 0 else state.highwater
        return None if end is None else max(0, end - state.position)

    async def committed(self, tps: Iterable[TP]) -> dict[TP, Committed]:
        """Committed offsets with their metadata (confluent-kafka 2.16 cannot read it: it runs past the string)."""
        asked = [TopicPartition(*tp) for tp in tps]
        found = await self._ensure_consumer()._coordinator.fetch_committed_offsets(asked)
        return {TP(tp.topic, tp.partition): Committed(at.offset, at.metadata or "") for tp, at in found.items()}

    async def commit_following(self, offsets: Mapping[TP, int]) -> bool:
        """Tell the group how far the state has come. Lag tools read it, nothing of ours depends on it."""
        mine = self.assignment()
        mark = COMMIT_MARK + self.app.conf.broker_client_id
        if not mine.issuperset(offsets):  # the assignment changes: whoever has them then tells the group
            return False
        wanted = {TopicPartition(*tp): OffsetAndMetadata(at, mark) for tp, at in offsets.items()}
        try:
            async with self._telling:
                await self._ensure_consumer().commit(wanted)
        except (KafkaError, IllegalStateError) as error:  # a rebalance, or the broker is away
            self.commits_failed += 1
            log.debug("offsets not committed to the group (the state is): %r", error)
            return False
        return True

    def coordination_ended(self) -> bool:
        """The coordination task has returned: no heartbeat, no rebalance will ever come (Faust does not notice)."""
        task = getattr(getattr(self._consumer, "_coordinator", None), "_coordination_task", None)
        return task is not None and task.done()

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Faust's own livelock alarm looks at acks, which we do not use; watching/watchdog.py looks instead."""
