"""Whole topics, read without a group: every app reads all of them, and none holds another up."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from driftloop.client.cluster import ANSWER_SECONDS, LastError, partitions_of
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.settings import Settings

_BATCH_RECORDS = 1000
_EMPTY_FETCH_MS = 100
"""The end of a partition is known only when an empty fetch comes back: after 500 ms by default, at every start. A
fetch with records in it comes back at once in any case."""


class Record(NamedTuple):
    """One record. ``headers`` as Kafka gives them, None where there are none; ``timestamp_ms`` is Kafka's own."""

    short: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] | None
    timestamp_ms: int


class TopicReader:
    """Reads all partitions of some topics, committed records only. ``caught_up`` once each was read to its end."""

    def __init__(self, settings: Settings, shorts: tuple[str, ...], from_end: bool = False) -> None:
        """ConfigError for a topic that is not there, Unavailable where nobody answers."""
        self._shorts = {settings.topic(short): short for short in shorts}
        self._said = LastError()
        self._consumer = Consumer(
            settings.confluent(
                group_id=settings.group("client"),  # asked for by librdkafka; nothing joins or commits
                enable_auto_commit=False,
                enable_partition_eof=True,
                isolation_level="read_committed",
                auto_offset_reset="earliest",
                fetch_wait_max_ms=_EMPTY_FETCH_MS,
            )
            | self._said.callbacks
        )
        try:
            partitions = partitions_of(self._consumer, self._said, settings, shorts)
            places = [
                TopicPartition(settings.topic(short), partition, OFFSET_BEGINNING)
                for short in shorts
                for partition in range(partitions[short])
            ]
            self._consumer.assign([self._end(place) for place in places] if from_end else places)
        except BaseException:
            self._consumer.close()
            raise
        self._to_come = {(place.topic, place.partition) for place in places}

    @property
    def caught_up(self) -> bool:
        """Every partition has been read to where it ended at some moment since the start."""
        return not self._to_come

    def poll(self, timeout_seconds: float) -> list[Record]:
        """What has come, at once; waits only while there is nothing. Unavailable where reading is refused."""
        first = self._consumer.poll(timeout_seconds)
        if first is None:
            return []
        messages = [first, *self._consumer.consume(_BATCH_RECORDS, 0)]
        return [record for message in messages if (record := self._record(message)) is not None]

    def close(self) -> None:
        """Let go of the cluster."""
        self._consumer.close()

    def __enter__(self) -> TopicReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _record(self, message: Any) -> Record | None:
        error = message.error()
        if error is None:
            return Record(
                self._shorts[message.topic()],
                message.partition(),
                message.offset(),
                message.key(),
                message.value(),
                message.headers(),
                message.timestamp()[1],
            )
        if error.code() == KafkaError._PARTITION_EOF:
            self._to_come.discard((message.topic(), message.partition()))
            return None
        raise self._unavailable(error)

    def _end(self, place: TopicPartition) -> TopicPartition:
        """Resolved now, not at the first fetch: what is written from here on is read."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                _, high = self._consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
            except KafkaException as error:  # a topic made a moment ago has no leader yet
                if time.monotonic() > deadline:
                    raise self._unavailable(error.args[0]) from error
                self._consumer.poll(0.05)
            else:
                return TopicPartition(place.topic, place.partition, high)

    def _unavailable(self, error: KafkaError) -> Unavailable:
        return Unavailable(
            f"{', '.join(self._shorts)} cannot be read: {error.str()}",
            self._said.text or "is the cluster running, and may this user read these topics?",
        )
