"""The facts of `driftloop status`, asked of the cluster: nothing is joined or committed, services need not run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec
from driftloop.console.connection import admin_client
from driftloop.console.reading import read_batches, read_places
from driftloop.console.stateful import STATEFUL, source_topics
from driftloop.console.status import Member, ServiceStatus, Source, StatePartition, owners
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import Service
from driftloop.streams.transport.answers import answer_of
from driftloop.streams.transport.state.header import HEADER_KEY, decode_header

CALL_SECONDS = 10.0
COUNTED_MOST = 1_000
"""A lag up to so many offsets is counted by reading: transaction markers take offsets too, and an idle topic of ours
would show a lag of 1 for ever."""
Tp = tuple[str, int]


def read_status(settings: Settings) -> list[ServiceStatus]:
    """Observer, judge, retrainer. Unavailable: the cluster does not answer."""
    admin = admin_client(settings)
    counts = {name: len(topic.partitions) for name, topic in admin.list_topics(timeout=CALL_SECONDS).topics.items()}
    found = [_of_state(settings, admin, service, counts) for service in STATEFUL.values()]
    return [*found, _of_group(settings, admin, "retrainer")]


def _of_state(settings: Settings, admin: AdminClient, service: Service, counts: Mapping[str, int]) -> ServiceStatus:
    group, state = settings.group(service.name), settings.topic(service.state)
    group_state, members = describe_group(admin, group)
    missing = tuple(t for t in (*source_topics(service, settings), state) if t not in counts)
    if missing:
        return ServiceStatus(service.name, group, group_state, members, missing=missing)
    states = read_states(settings, service)
    places = [(t, p) for t in source_topics(service, settings) for p in range(counts[t])]
    ends, begins = offsets_of(admin, places, OffsetSpec.latest()), offsets_of(admin, places, OffsetSpec.earliest())
    nexts = {
        (t, p): max(states[p].absorbed.get(t, -1) + 1 if p in states else 0, begins[t, p] if ends[t, p] else 0)
        for t, p in places
    }
    lags = _lags(settings, nexts, ends)
    committed = committed_offsets(admin, group)
    skipped = {(t, p): count for p, one in states.items() for t, count in one.skipped.items()}
    held = owners(members)
    partitions = []
    for p in range(counts[state]):
        sources = tuple(
            Source(t, nexts[t, p], ends[t, p], lags[t, p], committed.get((t, p)), skipped.get((t, p), 0))
            for t in source_topics(service, settings)
            if p < counts[t]
        )
        one = states.get(p, LiveState())
        partitions.append(
            StatePartition(p, one.records, one.bytes, one.age_seconds(), sources, held.get(p), one.foreign)
        )
    lag = sum(p.lag for p in partitions)
    return ServiceStatus(service.name, group, group_state, members, tuple(partitions), lag)


def _of_group(settings: Settings, admin: AdminClient, service: str) -> ServiceStatus:
    """A service whose state is its group's offsets and its own topic (the retrainer: the decisions)."""
    group = settings.group(service)
    group_state, members = describe_group(admin, group)
    committed = committed_offsets(admin, group)
    ends = offsets_of(admin, committed, OffsetSpec.latest())
    lags = _lags(settings, committed, ends)
    return ServiceStatus(service, group, group_state, members, lag=sum(lags.values()))


class LiveState:
    """The live records of one state partition: how many, how large, and what its header says."""

    def __init__(self) -> None:
        self._sizes: dict[bytes, int] = {}
        self._written_ms = 0
        self.absorbed: Mapping[str, int] = {}
        self.skipped: Mapping[str, int] = {}
        self.foreign = ""

    def take(self, message: Any, place: str) -> None:
        """The next record of the partition."""
        key, value = message.key(), message.value()
        if value is None:
            self._sizes.pop(key, None)
            return
        self._sizes[key] = len(key) + len(value)
        if key == HEADER_KEY:
            self._written_ms = message.timestamp()[1]
            try:
                header = decode_header(value, place)
                self.absorbed, self.skipped, self.foreign = header.sources, header.skipped, ""
            except ConfigError as error:
                self.foreign = error.message

    @property
    def records(self) -> int:
        return len(self._sizes)

    @property
    def bytes(self) -> int:
        """Keys and values, before compression."""
        return sum(self._sizes.values())

    def age_seconds(self) -> float | None:
        """Of the last checkpoint; None: there was none."""
        return max(0.0, time.time() - self._written_ms / 1000) if self._written_ms else None


def read_states(settings: Settings, service: Service) -> dict[int, LiveState]:
    """By partition, where anything was written."""
    found: dict[int, LiveState] = {}
    topic = settings.topic(service.state)
    for batch in read_batches(settings, topic):
        for message in batch:
            p = message.partition()
            found.setdefault(p, LiveState()).take(message, f"{topic}[{p}]")
    return found


def describe_group(admin: AdminClient, group: str) -> tuple[str, tuple[Member, ...]]:
    """(state, members); DEAD and nobody: the group was never joined, or has expired."""
    try:
        asked = admin.describe_consumer_groups([group], request_timeout=CALL_SECONDS)[group]
        found = answer_of(asked, CALL_SECONDS)
    except KafkaException as error:
        if error.args[0].retriable():
            raise Unavailable(f"group {group}: {error.args[0].str()}") from error
        return "DEAD", ()
    members = tuple(
        Member(m.client_id, m.host.lstrip("/"), tuple(sorted({tp.partition for tp in m.assignment.topic_partitions})))
        for m in sorted(found.members, key=lambda m: (m.client_id, m.host))
    )
    return found.state.name, members


def committed_offsets(admin: AdminClient, group: str) -> dict[Tp, int]:
    """The group's committed offsets; partitions without one are left out."""
    future = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group]
    try:
        found = answer_of(future, CALL_SECONDS)
    except KafkaException as error:
        if error.args[0].retriable():
            raise Unavailable(f"offsets of group {group}: {error.args[0].str()}") from error
        return {}
    return {(tp.topic, tp.partition): tp.offset for tp in found.topic_partitions if tp.offset >= 0}


def offsets_of(admin: AdminClient, places: Iterable[Tp], what: OffsetSpec) -> dict[Tp, int]:
    """First or last readable offset of each place, as a read_committed reader sees it."""
    asked = {TopicPartition(topic, partition): what for topic, partition in places}
    if not asked:
        return {}
    futures = admin.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=CALL_SECONDS)
    try:
        return {(tp.topic, tp.partition): answer_of(future, CALL_SECONDS).offset for tp, future in futures.items()}
    except KafkaException as error:
        raise Unavailable(f"the ends of the topics are not known: {error.args[0].str()}") from error


def _lags(settings: Settings, nexts: Mapping[Tp, int], ends: Mapping[Tp, int]) -> dict[Tp, int]:
    """Records behind each position; small lags counted."""
    lags = {place: max(0, ends[place] - at) for place, at in nexts.items()}
    few = [place for place, lag in lags.items() if 0 < lag <= COUNTED_MOST]
    lags |= dict.fromkeys(few, 0)
    for batch in read_places(settings, [TopicPartition(t, p, nexts[t, p]) for t, p in few]):
        for message in batch:
            lags[message.topic(), message.partition()] += (
                message.offset() < ends[message.topic(), message.partition()]
            )
    return lags
