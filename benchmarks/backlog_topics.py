"""A backlog that becomes readable at one instant: it lies in an open transaction until ``release`` commits it.

So workers can be up, idle and measured from the moment on at which there is work; what it costs to start them is no
part of any figure. Readers of driftloop are read_committed, as the real ones are.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from driftloop.console.connection import QUIET
from driftloop.console.topics import apply_topics
from driftloop.schemas.codec import decode
from driftloop.schemas.events import Progress
from driftloop.schemas.settings import Settings
from stream import Record, Stream, closing_marker

SOURCES = ("predictions", "ground-truth")
TRANSACTION_MS_MOST = 900_000
POLL_EVERY = 1_000


class Backlog:
    """``count`` records in both sources; ``ends``: offset of the last one of each (topic, partition)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.count = 0
        self.ends: dict[tuple[str, int], int] = {}
        self._producer = Producer(
            settings.confluent(
                linger_ms=20,
                partitioner="murmur2_random",
                compression_type="lz4",
                queue_buffering_max_messages=200_000,
                transactional_id=f"backlog-{uuid.uuid4().hex}",
                transaction_timeout_ms=TRANSACTION_MS_MOST,
            )
            | {"logger": QUIET}
        )
        self._producer.init_transactions(30)
        self._producer.begin_transaction()

    def fill(self, records: Iterable[Record]) -> None:
        """Write, invisible as yet."""
        topics = {short: self.settings.topic(short) for short in SOURCES}
        for short, key, value in records:
            self._produce(topics[short], value, key)

    def close(self, marker: bytes) -> None:
        """A time marker at the end of every partition of both sources, and all of it on the broker."""
        assert self._producer.flush(120) == 0
        for short in SOURCES:
            for partition in range(self.settings.partitions):
                self._produce(self.settings.topic(short), marker, None, partition=partition, on_delivery=self._ended)
        assert self._producer.flush(60) == 0
        assert len(self.ends) == len(SOURCES) * self.settings.partitions, "a marker was not delivered"

    def release(self) -> None:
        """From here on it can be read."""
        self._producer.commit_transaction(60)

    def end(self) -> None:
        """Give the producer up, before its broker goes."""
        self._producer.close(5.0)

    def _produce(self, topic: str, value: bytes, key: bytes | None, **more: object) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, **more)
            except BufferError:
                self._producer.poll(0.05)
            else:
                break
        self.count += 1
        if self.count % POLL_EVERY == 0:
            self._producer.poll(0)

    def _ended(self, error: KafkaError | None, message: Message) -> None:
        assert error is None, str(error)
        self.ends[message.topic(), message.partition()] = message.offset()


def make_backlog(settings: Settings, stream: Stream, found: Iterable[Record]) -> Backlog:
    """Fresh topics with everything in them, to be released. The monitors are not published yet."""
    apply_topics(settings)
    backlog = Backlog(settings)
    backlog.fill(found)
    backlog.close(closing_marker(stream))
    return backlog


class ProgressReader:
    """Reads the progress that the observer's transactions publish, in one partition of the panes topic."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.offsets: dict[tuple[str, int], int] = {}
        self._consumer = Consumer(settings.confluent(group_id=uuid.uuid4().hex, auto_offset_reset="earliest"))
        self._consumer.assign([TopicPartition(settings.topic("panes"), 0, 0)])

    def poll(self, seconds: float) -> int:
        """Take in what has come; how many records that were."""
        found = self._consumer.consume(1000, seconds)
        for message in found:
            if message.error() is None and isinstance(event := decode(message.value()), Progress):
                offsets = (event.predictions_offset, event.truths_offset)
                for short, offset in zip(SOURCES, offsets, strict=True):
                    self.offsets[self.settings.topic(short), event.partition] = offset
        return len(found)

    def catch_up(self) -> None:
        """Take in everything that is there."""
        while self.poll(0.3):
            pass

    def behind(self, ends: dict[tuple[str, int], int]) -> int:
        """Partitions whose saved state has not come to ``ends``."""
        return sum(self.offsets.get(tp, -1) < end for tp, end in ends.items())

    def close(self) -> None:
        self._consumer.close()


def read_topic(settings: Settings, short: str) -> list[bytes]:
    """All values of a topic, as a read_committed reader sees them."""
    consumer = Consumer(
        settings.confluent(group_id=uuid.uuid4().hex, enable_partition_eof=True, auto_offset_reset="earliest")
    )
    count = len(consumer.list_topics(settings.topic(short), 10).topics[settings.topic(short)].partitions)
    consumer.assign([TopicPartition(settings.topic(short), p, 0) for p in range(count)])
    values: list[bytes] = []
    ended: set[int] = set()
    while len(ended) < count:
        for message in consumer.consume(1000, 0.1):
            if message.error() is None:
                values.append(message.value())
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    consumer.close()
    return values
