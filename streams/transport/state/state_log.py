"""Reading one partition of a state topic to its end, and the marks of its sources.

confluent-kafka, in a thread: half a million small records a second, where a Faust Table recovers ten thousand.
Call it after ``init_transactions`` of the partition's producer: that has ended whatever a predecessor left open, so
the end that read_committed sees is the end for good.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.settings import Settings

QUIET = {"log_level": 0, "error_cb": lambda _error: None}
"""librdkafka prints to stderr otherwise; what matters comes back as an exception."""
AWAY = {
    KafkaError._TRANSPORT,
    KafkaError._DESTROY,
    KafkaError._TIMED_OUT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._WAIT_COORD,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.BROKER_NOT_AVAILABLE,
}
"""Not "retriable" in librdkafka's word, but a broker that is away comes back, and a topic that was just created or
moved gets its leader. That the topics exist has been checked before."""
AGAIN_SECONDS = 0.1
READ_SECONDS_MOST = 120.0
CALL_SECONDS_MOST = 10.0


class Marks(NamedTuple):
    """First readable offset of a partition, and the offset behind the last readable one."""

    low: int
    high: int


class Restored(NamedTuple):
    """``rows``: the live records of the state partition. ``sources``: marks by full topic name."""

    rows: dict[bytes, bytes]
    sources: dict[str, Marks]


def restore(settings: Settings, state: str, partition: int, sources: Sequence[str], group: str) -> Restored:
    """Read ``state``[partition] to its end. Unavailable: the broker is away; KafkaException: refused."""
    consumer = open_reader(
        settings,
        group,
        f"{group}-restore-{partition}",
        fetch_max_bytes=16 << 20,
        max_partition_fetch_bytes=8 << 20,
        queued_min_messages=10_000,
    )
    try:
        # Without it the first watermark query waits for librdkafka's metadata retry, half a second.
        consumer.list_topics(state, timeout=CALL_SECONDS_MOST)
        rows = _rows(consumer, state, partition)
        # Behind the state: whoever is frozen here while another worker goes on would else find a state that has
        # absorbed more than there is, and take the topic for truncated instead of being fenced.
        return Restored(rows, {topic: marks(consumer, topic, partition) for topic in sources})
    except KafkaException as error:
        if error.args[0].code() in AWAY or error.args[0].retriable():
            raise Unavailable(f"{state}[{partition}]: {error.args[0].str()}") from error
        raise
    finally:
        consumer.close()


def open_reader(settings: Settings, group: str, client_id: str, **more: Any) -> Consumer:
    """A consumer outside the group's assignment, for what is read once to its end: committed records, ends told."""
    return Consumer(
        settings.confluent(
            group_id=group,
            client_id=client_id,
            isolation_level="read_committed",
            enable_partition_eof=True,
            enable_auto_commit=False,
            auto_offset_reset="error",
            fetch_wait_max_ms=10,
            **more,
        )
        | QUIET
    )


def marks(consumer: Consumer, topic: str, partition: int) -> Marks:
    """First readable offset, and the end; asked again for some seconds. KafkaException: no answer, or refused."""
    deadline = time.monotonic() + CALL_SECONDS_MOST
    while True:
        try:
            return Marks(*consumer.get_watermark_offsets(TopicPartition(topic, partition), CALL_SECONDS_MOST))
        except KafkaException as error:
            if error.args[0].code() not in AWAY or time.monotonic() > deadline:
                raise
            time.sleep(AGAIN_SECONDS)


def _rows(consumer: Consumer, topic: str, partition: int) -> dict[bytes, bytes]:
    rows: dict[bytes, bytes] = {}
    low, high = marks(consumer, topic, partition)

    def keep(message: Message) -> None:
        if message.value() is None:
            rows.pop(message.key(), None)
        else:
            rows[message.key()] = message.value()

    if high > low:
        consumer.assign([TopicPartition(topic, partition, low)])
        read_to_ends(consumer, {topic: high}, keep)
    return rows


def read_to_ends(consumer: Consumer, ends: Mapping[str, int], keep: Callable[[Message], None]) -> None:
    """Hand every record of the assigned partitions (one a topic) to ``keep`` until each topic's end is reached.

    An end is told by the end-of-partition event: offsets have holes, so none is waited for.
    """
    waiting = set(ends)
    deadline = time.monotonic() + READ_SECONDS_MOST
    while waiting:
        if time.monotonic() > deadline:
            raise Unavailable(f"{', '.join(waiting)} could not be read to the end in {READ_SECONDS_MOST:.0f} s")
        # consume() waits the whole timeout for a full page: a short one, or every read costs a second.
        for message in consumer.consume(1000, 0.02):
            error = message.error()
            if error is None:
                keep(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                if message.offset() >= ends[message.topic()]:
                    waiting.discard(message.topic())
            elif error.fatal() or not error.retriable():
                raise KafkaException(error)
