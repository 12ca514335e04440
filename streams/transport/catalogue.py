"""What is published about models (specifications, schemas, references), read from its topics and kept up to date."""

from __future__ import annotations

import math
import time

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from driftloop.schemas.catalogue import TOPICS, Catalogue
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.exits import log
from driftloop.streams.transport.registry import schemas_by_id
from driftloop.streams.transport.state.state_log import QUIET, marks, read_to_ends

QUIET_SECONDS = 0.1
"""So long after its monitor was applied a record may still be refused, if others like it came just before."""


class KafkaCatalogue:
    """``catalogue`` is complete as of the last ``refresh``. For one thread.

    ``registry_seconds_most``: how long its layouts wait, blocking, for a schema registry that is away. ``hears``:
    topics (of one partition) besides those of schemas/catalogue.py.
    """

    def __init__(self, settings: Settings, registry_seconds_most: float = 0.0, hears: tuple[str, ...] = ()) -> None:
        self.catalogue = Catalogue(schemas_by_id(settings, registry_seconds_most))
        self._short = {settings.topic(short): short for short in (*TOPICS, *hears)}
        self._next = dict.fromkeys(self._short, 0)
        self._faults_said = 0
        self._quiet_until = -math.inf
        self._consumer = Consumer(
            settings.confluent(
                group_id=settings.group("catalogue"),
                isolation_level="read_committed",
                enable_partition_eof=True,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_wait_max_ms=10,
            )
            | QUIET
        )

    def has_news(self) -> bool:
        """Has anything been published since the last ``refresh``? Any thread may ask; False too if nobody answers."""
        try:
            return any(marks(self._consumer, topic, 0).high > read for topic, read in list(self._next.items()))
        except KafkaException:
            return False

    def refresh(self) -> None:
        """Read on to the current ends: some milliseconds. Unavailable: the cluster does not answer.

        Partitions are assigned only while reading: an assigned partition would be polled for ever in between.
        """
        try:
            ends = {topic: marks(self._consumer, topic, 0).high for topic in self._next}
            news = {topic: end for topic, end in ends.items() if end > self._next[topic]}
            if news:
                self._consumer.assign([TopicPartition(topic, 0, self._next[topic]) for topic in news])
                read_to_ends(self._consumer, news, self._absorb)
                self._consumer.unassign()
                self._next.update(news)
        except KafkaException as error:
            raise Unavailable(f"the catalogue cannot be read: {error.args[0].str()}") from error
        self._say_faults()

    def refresh_seldom(self) -> None:
        """``refresh``, unless one of a moment ago has found nothing new: in a flood of unknown schemas each
        batch would wait for three answers of the cluster."""
        if time.monotonic() >= self._quiet_until and not self._refreshed():
            self._quiet_until = time.monotonic() + QUIET_SECONDS

    def _refreshed(self) -> bool:
        before = dict(self._next)
        self.refresh()
        return self._next != before

    def _absorb(self, message: Message) -> None:
        self.catalogue.absorb(self._short[message.topic()], message.offset(), message.key(), message.value())

    def _say_faults(self) -> None:
        for topic, offset, why in self.catalogue.faults[self._faults_said :]:
            log.warning("%s@%d cannot be used: %s", topic, offset, why)
        self._faults_said = len(self.catalogue.faults)

    def close(self) -> None:
        """Give the consumer up."""
        self._consumer.close()
