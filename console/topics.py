"""The table of topics (schemas/topics.py) against a cluster: create what is missing, name and fix what differs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)
from driftloop.console.connection import admin_client
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.settings import Settings
from driftloop.schemas.topics import TOPICS
from driftloop.streams.transport.answers import answer_of

SECONDS_MOST = 30.0
SHOWN_SECONDS_MOST = 5.0
"""A change is acknowledged by the controller before every broker shows it."""


class Shape(NamedTuple):
    """A topic as it should be, or as it is; ``config`` as the broker shows it."""

    partitions: int
    replication: int
    config: Mapping[str, str]


class Difference(NamedTuple):
    """``setting`` of ``topic`` is ``found`` where the table says ``wanted``."""

    topic: str
    setting: str
    wanted: str
    found: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.found}, the table says {self.wanted}"


@dataclass(frozen=True, slots=True)
class Applied:
    """What one `topics apply` did. ``left``: what still differs."""

    created: tuple[str, ...]
    fixed: tuple[Difference, ...]
    left: tuple[Difference, ...]


def wanted_topics(settings: Settings, partitions: int | None = None) -> dict[str, Shape]:
    """Every topic of the table by its full name."""
    count = partitions or settings.partitions
    return {
        settings.topic(short): Shape(
            topic.partitions_of(count), settings.replication, topic.config(settings.replication)
        )
        for short, topic in TOPICS.items()
    }


def compare(wanted: Mapping[str, Shape], found: Mapping[str, Shape]) -> Iterator[Difference]:
    """Differences of topics that exist, in the order of the table."""
    for name, shape in wanted.items():
        if (real := found.get(name)) is None:
            continue
        if real.partitions != shape.partitions:
            yield Difference(name, "partitions", str(shape.partitions), str(real.partitions))
        if real.replication != shape.replication:
            yield Difference(name, "replication", str(shape.replication), str(real.replication))
        for key, value in shape.config.items():
            if (shown := real.config.get(key, "")) != value:
                yield Difference(name, key, value, shown)


def apply_topics(settings: Settings, partitions: int | None = None, fix: bool = False) -> Applied:
    """Create what is missing; with ``fix`` change what differs and can be changed. Unavailable: no cluster."""
    admin = admin_client(settings)
    wanted = wanted_topics(settings, partitions)
    created = _create(admin, wanted, missing=wanted.keys() - _existing(admin, wanted).keys())
    differences = tuple(compare(wanted, read_topics(admin, wanted)))
    if not (fix and differences):
        return Applied(created, (), differences)
    changed = {*_fix_configs(admin, wanted, differences), *_grow_empty_topics(admin, settings, differences)}
    deadline = time.monotonic() + SHOWN_SECONDS_MOST
    while changed & set(left := tuple(compare(wanted, read_topics(admin, wanted)))) and time.monotonic() < deadline:
        time.sleep(0.05)
    return Applied(created, tuple(d for d in differences if d not in left), left)


def delete_topics(settings: Settings) -> None:
    """Remove every topic of this prefix; for tests and throw-away deployments."""
    admin = admin_client(settings)
    names = list(_existing(admin, wanted_topics(settings)))
    if names:
        for name, future in admin.delete_topics(names, operation_timeout=SECONDS_MOST).items():
            _result(future, f"delete {name}", but_not=KafkaError.UNKNOWN_TOPIC_OR_PART)


def read_topics(admin: AdminClient, names: Mapping[str, Shape]) -> dict[str, Shape]:
    """Those of ``names`` that exist, as they are."""
    existing = _existing(admin, names)
    configs = _configs(admin, list(existing))
    return {
        name: Shape(len(topic.partitions), len(topic.partitions[0].replicas), configs[name])
        for name, topic in existing.items()
    }


def _configs(admin: AdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Of topics that exist. Another broker than the one that told so may learn of them a moment later: it is asked
    again."""
    found: dict[str, dict[str, str]] = {}
    deadline = time.monotonic() + SHOWN_SECONDS_MOST
    while left := [ConfigResource(ResourceType.TOPIC, name) for name in names if name not in found]:
        not_yet = KafkaError.UNKNOWN_TOPIC_OR_PART if time.monotonic() < deadline else None
        for resource, future in admin.describe_configs(left).items():
            if (told := _result(future, f"read {resource.name}", but_not=not_yet)) is not None:
                found[resource.name] = {entry.name: entry.value for entry in told.values()}
        if len(found) < len(names):
            time.sleep(0.05)
    return found


def _existing(admin: AdminClient, names: Mapping[str, Shape]) -> dict[str, Any]:
    topics = admin.list_topics(timeout=SECONDS_MOST).topics
    return {name: topics[name] for name in names if name in topics and topics[name].partitions}


def _create(admin: AdminClient, wanted: Mapping[str, Shape], missing: set[str]) -> tuple[str, ...]:
    if not missing:
        return ()
    new = [
        NewTopic(name, shape.partitions, shape.replication, config=dict(shape.config))
        for name, shape in wanted.items()
        if name in missing
    ]
    for name, future in admin.create_topics(new, operation_timeout=SECONDS_MOST).items():
        # Another `topics apply` at the same time is no error: ours is checked against the table right after.
        _result(future, f"create {name}", but_not=KafkaError.TOPIC_ALREADY_EXISTS)
    _wait_for_leaders(admin, wanted)
    return tuple(topic.topic for topic in new)


def _wait_for_leaders(admin: AdminClient, wanted: Mapping[str, Shape]) -> None:
    """A topic is created before every partition has a leader; who writes then would fail."""
    deadline = time.monotonic() + SECONDS_MOST
    while True:
        existing = _existing(admin, wanted)
        led = (p.leader >= 0 for topic in existing.values() for p in topic.partitions.values())
        if len(existing) == len(wanted) and all(led):
            return
        if time.monotonic() > deadline:
            raise Unavailable(f"new topics have no leader after {SECONDS_MOST:.0f} s", "are all brokers up?")
        time.sleep(0.05)


def _fix_configs(
    admin: AdminClient, wanted: Mapping[str, Shape], differences: tuple[Difference, ...]
) -> list[Difference]:
    resources: dict[str, ConfigResource] = {}
    changed = [d for d in differences if d.setting in wanted[d.topic].config]
    for name, setting, value, _ in changed:
        resource = resources.setdefault(name, ConfigResource(ResourceType.TOPIC, name))
        resource.add_incremental_config(ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET))
    if resources:
        for resource, future in admin.incremental_alter_configs(list(resources.values())).items():
            _result(future, f"change the settings of {resource.name}")
    return changed


def _grow_empty_topics(
    admin: AdminClient, settings: Settings, differences: tuple[Difference, ...]
) -> list[Difference]:
    """More partitions move keys to other partitions: only where nothing was ever written is that harmless."""
    grown = [
        d
        for d in differences
        if d.setting == "partitions" and int(d.found) < int(d.wanted) and _is_empty(settings, d.topic, int(d.found))
    ]
    if grown:
        new = [NewPartitions(d.topic, int(d.wanted)) for d in grown]
        for name, future in admin.create_partitions(new, operation_timeout=SECONDS_MOST).items():
            _result(future, f"add partitions to {name}")
    return grown


def _is_empty(settings: Settings, topic: str, partitions: int) -> bool:
    consumer = Consumer(settings.confluent(group_id=settings.group("topics"), enable_auto_commit=False))
    try:
        return all(
            consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=SECONDS_MOST)[1] == 0
            for p in range(partitions)
        )
    finally:
        consumer.close()


def _result(future: Any, what: str, but_not: int | None = None) -> Any:
    """Of a future of AdminClient. ConfigError: the cluster refuses; Unavailable: it does not answer."""
    try:
        return answer_of(future, SECONDS_MOST)
    except KafkaException as error:
        cause = error.args[0]
        if cause.code() == but_not:
            return None
        if cause.retriable() or cause.code() == KafkaError._TIMED_OUT:
            raise Unavailable(f"could not {what}: {cause.str()}") from error
        raise ConfigError(
            f"the cluster does not let us {what}: {cause.str()}",
            "topics need the rights Create, Describe, DescribeConfigs, and AlterConfigs for --fix; "
            "DRIFTLOOP_REPLICATION must not exceed the number of brokers",
        ) from error
