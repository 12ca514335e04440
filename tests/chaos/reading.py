"""Topics of a run: read to their end when all is over, and watched while it lasts."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from driftloop.schemas.codec import decode
from driftloop.schemas.events import Progress
from driftloop.schemas.settings import Settings

from .cluster import QUIET
from .world import SOURCES

READ_SECONDS_MOST = 180.0


def consumer_of(settings: Settings, **more: object) -> Consumer:
    return Consumer(
        settings.confluent(
            group_id=f"chaos-{uuid.uuid4().hex}",
            enable_auto_commit=False,
            enable_partition_eof=True,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            reconnect_backoff_max_ms=500,
            fetch_wait_max_ms=20,
            **more,
        )
        | QUIET
    )


def read_all(settings: Settings, short: str) -> Iterator[Message]:
    """Every committed record of a topic, to its end; in order within a partition."""
    consumer = consumer_of(settings)
    waiting = set(range(settings.partitions))
    consumer.assign([TopicPartition(settings.topic(short), p, 0) for p in waiting])
    deadline = time.monotonic() + READ_SECONDS_MOST
    while waiting:
        assert time.monotonic() < deadline, f"{short} could not be read to its end"
        for message in consumer.consume(2000, 0.05):
            if message.error() is None:
                yield message
            elif message.error().code() == KafkaError._PARTITION_EOF:
                waiting.discard(message.partition())
    consumer.close()


def absorbed(settings: Settings) -> dict[tuple[str, int], int]:
    """How many records the committed state has absorbed, by source and partition."""
    headers: dict[int, dict[str, int]] = {}
    for message in read_all(settings, "observer-state"):
        if message.key() == b"header" and message.value():
            headers[message.partition()] = json.loads(message.value())["sources"]
    return {
        (short, p): headers.get(p, {}).get(settings.topic(short), -1) + 1
        for short in SOURCES
        for p in range(settings.partitions)
    }


def committed(settings: Settings) -> dict[tuple[str, int], int]:
    """What was committed to the group, 0 where nothing was."""
    consumer = Consumer(settings.confluent(group_id=settings.group("observer"), enable_auto_commit=False) | QUIET)
    asked = {settings.topic(short): short for short in SOURCES}
    places = [TopicPartition(topic, p) for topic in asked for p in range(settings.partitions)]
    found = {
        (asked[at.topic], at.partition): max(0, at.offset)
        for at in consumer.committed(places, timeout=READ_SECONDS_MOST)
    }
    consumer.close()
    return found


class Advance(NamedTuple):
    """At ``when`` (seconds since the epoch) a checkpoint of ``partition`` could be read. ``offsets``: behind which
    the state then stood, in both sources. ``owner``: who was handed records of the partition last."""

    when: float
    partition: int
    offsets: tuple[int, int]
    owner: str


class Watch(threading.Thread):
    """Follows one partition of the panes topic, where every checkpoint leaves its Progress."""

    def __init__(self, settings: Settings, owner_of: Callable[[int], str]) -> None:
        super().__init__(name="watch", daemon=True)
        self.settings, self.owner_of = settings, owner_of
        self.advances: list[Advance] = []
        self.last: dict[int, tuple[int, int]] = {}
        """By partition, once it was heard of."""
        self.over = threading.Event()

    def run(self) -> None:
        consumer = consumer_of(self.settings)
        consumer.assign([TopicPartition(self.settings.topic("panes"), 0, 0)])
        while not self.over.is_set():
            message = consumer.poll(0.1)
            if message is None or message.error() is not None or message.key() is not None:
                continue
            event = decode(message.value())
            if isinstance(event, Progress):
                self._seen(event.partition, (event.predictions_offset, event.truths_offset))
        consumer.close()

    def _seen(self, partition: int, offsets: tuple[int, int]) -> None:
        before = self.last.setdefault(partition, offsets)
        if sum(offsets) > sum(before):
            self.last[partition] = offsets
            self.advances.append(Advance(time.time(), partition, offsets, self.owner_of(partition)))
