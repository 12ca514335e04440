"""The training set, read back from the topics: nothing of it was ever copied.

offset ranges of predictions and ground truth -> batches by partition -> columns and join (joining.py)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from driftloop.retrainer.dataset import Dataset, Origin
from driftloop.retrainer.joining import Columns, Records
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.events import OffsetRange
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.settings import Settings

log = logging.getLogger("driftloop.retrainer.reading")
T = TypeVar("T")
SOURCES = ("predictions", "ground-truth")
BATCH_RECORDS = 20_000
CALL_SECONDS_MOST = 10.0
QUIET: dict[str, Any] = {"log_level": 0, "error_cb": lambda _error: None}
"""What matters comes back as an exception; librdkafka would print the rest to stderr."""
NO_LEADER_YET = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
OUTAGE_SECONDS_MOST, AGAIN_SECONDS = 300.0, 1.0
"""A run that fails is over: a cluster away for a moment would cost what it answers, maybe a person's order."""
SILENCE_SECONDS_MOST = 30.0
"""Without a record for so long, the cluster is taken for gone."""


def log_ends(settings: Settings) -> tuple[OffsetRange, ...]:
    """What predictions and ground truth hold now: each partition's first offset and its last (below: empty)."""
    with reader(settings) as consumer:
        found = []
        for short in SOURCES:
            for partition in partitions_of(consumer, settings.topic(short)):
                low, high = marks(consumer, settings.topic(short), partition)
                found.append(OffsetRange(short, partition, low, high - 1))
        return tuple(found)


def read_topic(settings: Settings, short: str) -> list[Message]:
    """Every record of a small topic of ours, in order within a partition."""
    with reader(settings) as consumer:
        topic = settings.topic(short)
        ranges = []
        for partition in partitions_of(consumer, topic):
            low, high = marks(consumer, topic, partition)
            ranges.append(OffsetRange(short, partition, low, high - 1))
        return [message for _, run in runs(consumer, settings, ranges) for message in run]


def read_rows(
    settings: Settings,
    ends: Sequence[OffsetRange],
    specification: MonitorSpecification,
    layouts: Layouts,
    as_of: float,
) -> tuple[Dataset, Origin]:
    """Labelled rows of the model in these ranges, known at ``as_of``, in order. ConfigError: retention ate some.

    ``layouts`` must know the model by this very ``specification``.
    """
    columns = Columns(specification, layouts)
    with reader(settings) as consumer:
        check_retention(consumer, settings, ends)
        for one, run in runs(consumer, settings, ends):
            columns.absorb(records_of(one, run))
    return columns.rows(as_of)


def patiently(read: Callable[[], T]) -> T:
    """Read, and once more from the start as long as the cluster is away, within OUTAGE_SECONDS_MOST."""
    deadline = time.monotonic() + OUTAGE_SECONDS_MOST
    while True:
        try:
            return read()
        except (Unavailable, KafkaException) as error:
            if time.monotonic() > deadline:
                raise
            log.warning("reading anew: %s", error)
            time.sleep(AGAIN_SECONDS)


def check_retention(consumer: Consumer, settings: Settings, ends: Sequence[OffsetRange]) -> None:
    for one in ends:
        low, _ = marks(consumer, settings.topic(one.topic), one.partition)
        if low > one.first and one.last >= one.first:
            raise ConfigError(  # it will not come back, however long one waits
                f"{one.topic}[{one.partition}] begins at offset {low} now, the run started from {one.first}",
                "retention is shorter than a run takes to be repeated: raise it on this topic",
            )


def runs(
    consumer: Consumer, settings: Settings, ranges: Sequence[OffsetRange]
) -> Iterator[tuple[OffsetRange, list[Message]]]:
    """All records of these ranges, in runs of one partition each, in order, one topic after the other.

    Unavailable when nothing comes for long.
    """
    for short in dict.fromkeys(r.topic for r in ranges):
        left = {r.partition: r for r in ranges if r.topic == short and r.last >= r.first}
        consumer.assign([TopicPartition(settings.topic(short), p, r.first) for p, r in left.items()])
        while left:
            batch = consumer.consume(BATCH_RECORDS, 0.05) or consumer.consume(1, SILENCE_SECONDS_MOST)
            if not batch:
                raise Unavailable(f"{short}: no record and no end of partitions {sorted(left)}")
            records, ended = without_ends(batch)
            for run in split(records):
                one = left.get(run[0].partition())
                if one is None:
                    continue
                if run[-1].offset() < one.last:
                    yield one, run
                else:
                    del left[one.partition]
                    yield one, [message for message in run if message.offset() <= one.last]
            for partition in ended:
                left.pop(partition, None)


def without_ends(batch: list[Message]) -> tuple[list[Message], list[int]]:
    """The records of a batch, and the partitions whose end it tells. KafkaException for other errors.

    The end may be told before the last offset of a range: behind it stood the marker of a transaction.
    """
    errors = list(map(Message.error, batch))
    if set(map(type, errors)) <= {type(None)}:
        return batch, []
    for error in errors:
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
    told = list(zip(batch, errors, strict=True))
    return [m for m, error in told if error is None], [m.partition() for m, error in told if error is not None]


def split(batch: list[Message]) -> Iterator[list[Message]]:
    """A batch of one topic in runs of one partition, as librdkafka hands them out.

    ``map`` over the methods of Message here and below: this touches every record, at some 40 ns a call.
    """
    partition = np.fromiter(map(Message.partition, batch), np.int64, len(batch))
    edges = [0, *(np.flatnonzero(np.diff(partition)) + 1).tolist(), len(batch)]
    return (batch[start:end] for start, end in pairwise(edges) if end > start)


def records_of(one: OffsetRange, run: list[Message]) -> Records:
    return Records(
        one.topic,
        one.partition,
        np.fromiter(map(Message.offset, run), np.int64, len(run)),
        list(map(Message.key, run)),
        list(map(Message.value, run)),
        [timestamp for _, timestamp in map(Message.timestamp, run)],
    )


def marks(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """First offset of a partition and the one behind its last. A topic just created has no leader for a moment."""
    deadline = time.monotonic() + CALL_SECONDS_MOST
    while True:
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), CALL_SECONDS_MOST)
            return low, high
        except KafkaException as error:
            if error.args[0].code() not in NO_LEADER_YET or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def partitions_of(consumer: Consumer, topic: str) -> list[int]:
    found = consumer.list_topics(topic, CALL_SECONDS_MOST).topics[topic]
    if found.error and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise ConfigError(f"there is no topic {topic}", "driftloop topics apply")
    if found.error:
        raise KafkaException(found.error)
    return sorted(found.partitions)


def check_topics(settings: Settings, shorts: Sequence[str]) -> None:
    """ConfigError: one of these topics is not there. A consumer would wait for it without a word."""
    with reader(settings) as consumer:
        for short in (*SOURCES, *shorts):
            partitions_of(consumer, settings.topic(short))


@contextmanager
def reader(settings: Settings) -> Iterator[Consumer]:
    """A consumer that belongs to no group's work: it assigns itself and commits nothing."""
    consumer = Consumer(
        settings.confluent(
            group_id=settings.group("retrainer-reading"),
            isolation_level="read_committed",
            enable_auto_commit=False,
            enable_partition_eof=True,
            auto_offset_reset="error",
            fetch_wait_max_ms=10,
            fetch_queue_backoff_ms=1,
            fetch_max_bytes=16 * 1024 * 1024,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            queued_max_messages_kbytes=65_536,
            check_crcs=False,
        )
        | QUIET
    )
    try:
        yield consumer
    finally:
        consumer.close()
