"""Topics read by commands: no group is joined, nothing is committed, only committed records are seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition
from driftloop.console.connection import admin_client, answering
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.settings import Settings

BATCH_RECORDS = 5_000
CALL_SECONDS = 10.0
SILENCE_SECONDS_MOST = 30.0
FIRST = 0
"""Where the oldest records have gone, librdkafka goes on to the first that is left; asked for the beginning itself,
it would wait half a second a topic before it looks it up."""


def read_messages(
    settings: Settings,
    topic: str,
    *,
    from_beginning: bool = True,
    follow: bool = False,
    since_ms: int | None = None,
) -> Iterator[Any]:
    """Messages of a topic (its full name), in order within a partition, up to its end as of now; or for ever.

    ``since_ms``: begin in each partition with the first that is not older, by Kafka's timestamp.
    ConfigError: there is no such topic. Unavailable: the cluster does not answer.
    """

    def places(consumer: Consumer) -> list[TopicPartition]:
        if since_ms is not None:
            return _since(consumer, settings, topic, since_ms)
        return _places(consumer, settings, [topic], FIRST if from_beginning else OFFSET_END)

    for batch in _read(settings, places, follow):
        yield from batch


def read_one(settings: Settings, topic: str, partition: int, offset: int) -> Any | None:
    """The message at this offset; None: nothing is there any more, or yet. ConfigError: there is no such topic."""

    def place(consumer: Consumer) -> list[TopicPartition]:
        there = 0 <= partition < partitions_of(settings, topic, consumer) and offset >= 0
        return [TopicPartition(topic, partition, offset)] if there else []

    for batch in _read(settings, place):
        return batch[0] if batch[0].offset() == offset else None
    return None


def read_batches(settings: Settings, *topics: str) -> Iterator[list[Any]]:
    """The same from the beginning to the end, many messages at a time; none is empty. Of several topics as they come:
    one client reads all, for another one takes 6 ms of CPU and 70 to be connected."""
    return _read(settings, lambda consumer: _places(consumer, settings, list(topics), FIRST))


def read_places(settings: Settings, places: list[TopicPartition]) -> Iterator[list[Any]]:
    """From these offsets to the ends as of now, of several topics at once."""
    return _read(settings, lambda _: places) if places else iter(())


def read_tails(settings: Settings, topic: str, records: int) -> Iterator[Any]:
    """The last ``records`` messages of every partition."""

    def places(consumer: Consumer) -> list[TopicPartition]:
        found = _places(consumer, settings, [topic], FIRST)
        for place in found:
            try:
                low, high = consumer.get_watermark_offsets(place, timeout=CALL_SECONDS)
            except KafkaException as error:
                raise unavailable(topic, error.args[0]) from error
            place.offset = max(low, high - records)
        return found

    for batch in _read(settings, places):
        yield from batch


def partitions_of(settings: Settings, topic: str, client: Any = None) -> int:
    """How many partitions a topic has; ``client``: one that is connected. ConfigError: there is no such topic."""
    return len(_places(client or admin_client(settings), settings, [topic], FIRST))


def _places(client: Any, settings: Settings, topics: list[str], start: int) -> list[TopicPartition]:
    there = client.list_topics(timeout=CALL_SECONDS).topics
    return [
        TopicPartition(topic, p, start) for topic in topics for p in _partitions(settings, topic, there.get(topic))
    ]


def _partitions(settings: Settings, topic: str, found: Any) -> Iterable[int]:
    if found is None or not found.partitions:
        raise ConfigError(
            f"there is no topic {topic} at {settings.bootstrap_servers}",
            "`driftloop topics apply` creates our topics; is DRIFTLOOP_PREFIX the one they were created with?",
        )
    return range(len(found.partitions))


def _since(consumer: Consumer, settings: Settings, topic: str, since_ms: int) -> list[TopicPartition]:
    asked = _places(consumer, settings, [topic], since_ms)
    deadline = time.monotonic() + CALL_SECONDS
    while True:
        try:
            found: list[TopicPartition] = consumer.offsets_for_times(asked, CALL_SECONDS)
            return found
        except KafkaException as error:  # a topic that was just made or moved gets its leader in a moment
            if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION or time.monotonic() > deadline:
                raise unavailable(topic, error.args[0]) from error
            time.sleep(0.1)


def _read(
    settings: Settings, places_of: Callable[[Consumer], list[TopicPartition]], follow: bool = False
) -> Iterator[list[Any]]:
    consumer = open_consumer(settings)
    try:
        places = places_of(consumer)
        if not places:
            return
        consumer.assign(places)
        unread = {(place.topic, place.partition) for place in places}
        heard = time.monotonic()
        while unread or follow:
            batch, ended = fetch(consumer, 0.1, places[0].topic)
            unread -= ended
            if batch or ended or follow:
                heard = time.monotonic()
            elif time.monotonic() > heard + SILENCE_SECONDS_MOST:
                raise Unavailable(f"{places[0].topic}: neither a record nor the end for {SILENCE_SECONDS_MOST:.0f} s")
            if batch:
                yield batch
    finally:
        consumer.close()


def fetch(consumer: Consumer, seconds: float, topic: str) -> tuple[list[Any], set[tuple[str, int]]]:
    """(messages that are there, partitions that have been read to their end); it waits for the first so long.

    Unavailable: a partition cannot be read, or none of them (``topic`` is named then).
    """
    batch: list[Any] = []
    ended: set[tuple[str, int]] = set()
    first = consumer.poll(seconds)  # `consume` alone waits until it has all, or the time is over
    messages = [] if first is None else [first, *consumer.consume(BATCH_RECORDS, 0)]
    errors = list(map(Message.error, messages))
    if not any(errors):
        return messages, ended
    for message, error in zip(messages, errors, strict=True):
        if error is None:
            batch.append(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            ended.add((message.topic(), message.partition()))
        else:
            raise unavailable(message.topic() or topic, error)
    return batch, ended


def open_consumer(settings: Settings, **more: object) -> Consumer:
    """Assigned nothing yet; the end of a partition comes as a message with an error. Close it. Unavailable: the
    cluster does not answer."""
    config = settings.confluent(
        group_id=settings.group("console"),  # librdkafka wants a name; it is never joined
        enable_auto_commit=False,
        enable_partition_eof=True,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        # By default it reads 100,000 messages ahead, up to 64 MB: nobody is so far behind that it pays.
        queued_min_messages=10_000,
        queued_max_messages_kbytes=8_192,
        fetch_wait_max_ms=10,  # the end of a topic is told only with the answer to a fetch that finds nothing
    )
    return answering(Consumer, settings, config | more)


def unavailable(topic: str, error: KafkaError) -> Unavailable:
    """The error for a topic that cannot be read."""
    return Unavailable(f"{topic} cannot be read: {error.str()}", "does the cluster run, and may this user read it?")
