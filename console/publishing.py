"""Events that a person causes, written to our topics: all of them are on disk when ``publish`` returns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from driftloop.console.connection import QUIET
from driftloop.console.reading import partitions_of
from driftloop.schemas.codec import Event, encode
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.headers import cloud_event_headers, event_id
from driftloop.schemas.settings import Settings

DELIVERY_SECONDS_MOST = 30.0


class Publication(NamedTuple):
    """One event for the topic that topics.py calls ``short``."""

    short: str
    key: str
    event: Event


def publish(settings: Settings, publications: Sequence[Publication], source: str = "console") -> None:
    """Write in order and wait until the cluster has all of it. Unavailable: it has not."""
    for short in {p.short for p in publications}:
        partitions_of(settings, settings.topic(short))  # a topic that is missing is said at once, not after a timeout
    refused: list[str] = []

    def remember(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            refused.append(error.str())

    producer = Producer(
        settings.confluent(
            enable_idempotence=True,
            partitioner="murmur2_random",
            message_max_bytes=10_000_000,
            delivery_timeout_ms=int(DELIVERY_SECONDS_MOST * 1000),
        )
        | {"logger": QUIET}
    )
    try:
        for short, key, event in publications:
            producer.produce(
                settings.topic(short),
                encode(event),
                key=key.encode(),
                headers=_headers(short, event, source),
                on_delivery=remember,
            )
    except KafkaException as error:
        refused.append(error.args[0].str())
    left = producer.flush(DELIVERY_SECONDS_MOST + 5)
    if refused or left:
        raise Unavailable(
            f"{len(refused) or left} of {len(publications)} events were not written: "
            f"{refused[0] if refused else 'no answer in time'}",
            "may this user write to our topics, and are they as they should be? `driftloop topics show`",
        )


def _headers(short: str, event: Event, source: str) -> list[tuple[str, bytes]]:
    """The same event gets the same ce_id. A person's act happens now, on nobody's event clock."""
    kind = type(event).__name__
    return cloud_event_headers(kind, event_id(short, kind, encode(event).hex()), source, time.time())
