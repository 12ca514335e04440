"""The apps of a run: every record of its world, in order, at a steady rate, whatever happens to the brokers."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from confluent_kafka import KafkaError, Producer
from driftloop.schemas.codec import encode
from driftloop.schemas.events import MonitorApplied
from driftloop.schemas.settings import Settings

from .cluster import QUIET
from .world import SOURCES, SPECIFICATIONS, Produced, encoded

SLICE_SECONDS = 0.05
SLOWLY = 0.1
"""Of the rate, while the reserve is kept back."""


def publish_specifications(settings: Settings) -> None:
    producer = Producer(settings.confluent())
    for spec in SPECIFICATIONS:
        value = encode(MonitorApplied(spec.model, spec.spec, spec.to_json()))
        producer.produce(settings.topic("monitors"), value, spec.model.encode(), 0)
    assert producer.flush(180) == 0


class Traffic(threading.Thread):
    """Produces in a thread. Idempotent and acks=all: the topics hold the list, in order, each record once.

    The last ``reserve_seconds`` at that rate are kept back until ``release`` is set, so that there is something to
    move on with after the last fault, however slow the machine; until then records only trickle.
    """

    def __init__(self, settings: Settings, world: Produced, records_a_second: float, reserve_seconds: float) -> None:
        super().__init__(name="traffic", daemon=True)
        self.settings, self.rate = settings, records_a_second
        self.reserve = int(records_a_second * reserve_seconds)
        self.release = threading.Event()
        self.records = [(settings.topic(SOURCES[s]), p, *encoded(item)) for s, p, item in world.steps]
        self.failed: list[str] = []
        self.unsent = len(self.records)

    def run(self) -> None:
        producer = Producer(
            self.settings.confluent(
                acks="all",
                enable_idempotence=True,
                linger_ms=5,
                message_timeout_ms=120_000,
                reconnect_backoff_max_ms=500,
                queue_buffering_max_messages=1_000_000,
            )
            | QUIET
        )
        size = max(1, int(self.rate * SLICE_SECONDS))
        due = time.monotonic()
        for i in range(0, len(self.records), size):
            self._send(producer, self.records[i : i + size])
            slowly = len(self.records) - i < self.reserve and not self.release.is_set()
            due += size / self.rate / (SLOWLY if slowly else 1.0)
            while (left := due - time.monotonic()) > 0:
                producer.poll(left)  # returns at the first acknowledgement
        producer.flush(120)

    def _send(self, producer: Producer, records: Sequence[tuple[str, int, bytes | None, bytes | None]]) -> None:
        for topic, partition, key, value in records:
            producer.produce(topic, value, key, partition, on_delivery=self._told)

    def _told(self, error: KafkaError | None, _message: object) -> None:
        self.unsent -= 1
        if error is not None:
            self.failed.append(str(error))
