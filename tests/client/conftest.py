"""A monitor on the test's own topics, and what one reads back from them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Producer as KafkaProducer
from driftloop.client.reader import Record, TopicReader
from driftloop.schemas.codec import encode
from driftloop.schemas.events import MonitorApplied
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.schemas.settings import Settings

from ..patience import GUARD_SECONDS

SPEC = MonitorSpecification(
    model="flights",
    task="binary",
    classes=("on time", "late"),
    features=(
        Feature("hour", "f_hour", "numeric"),
        Feature("distance", "f_distance", "numeric"),
        Feature("carrier", "f_carrier", "categorical"),
    ),
    horizon_seconds=86_400.0,
)


class Log(NamedTuple):
    """The topics of a test."""

    settings: Settings

    def write(self, short: str, *events: Any, key: bytes = b"key") -> None:
        """Produce events and wait until they are there."""
        producer = KafkaProducer(self.settings.confluent(linger_ms=0))
        for event in events:
            producer.produce(self.settings.topic(short), event if isinstance(event, bytes) else encode(event), key)
        assert producer.flush(GUARD_SECONDS) == 0

    def read(self, *shorts: str) -> list[Record]:
        """Everything on the topics."""
        found: list[Record] = []
        with TopicReader(self.settings, shorts) as reader:
            while not reader.caught_up:
                found += reader.poll(0.1)
        return found


@pytest.fixture
def log(settings: Settings) -> Log:
    """The test's topics, with a monitor of the model "flights"."""
    found = Log(settings)
    found.write(
        "monitors", MonitorApplied("flights", SPEC.spec, SPEC.to_json()), key=b"flights/" + SPEC.spec.encode()
    )
    return found


@pytest.fixture
def spec() -> MonitorSpecification:
    return SPEC


@pytest.fixture(scope="module")
def standing(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Topics for all tests of a file that write nothing anybody reads."""
    from driftloop.console.topics import apply_topics, delete_topics

    found = Settings(broker, f"t-{uuid.uuid4().hex[:10]}", 4, state_folder=tmp_path_factory.mktemp("standing"))
    apply_topics(found)
    yield found
    delete_topics(found)
