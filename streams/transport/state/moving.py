"""Setting a partition to other offsets: what the records around the new positions say, and the new state, written.

Both ways lead here: `driftloop rewind`, and a worker that finds offsets which an operator's ``--reset-offsets`` has
committed. Whoever does it holds the partition's transactional producer, so nobody else writes; all of the new state
is one transaction with its header.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.headers import rfc3339
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import Moved, SourceRecords
from driftloop.streams.transport.state.state_log import Marks, open_reader
from driftloop.streams.transport.state.writer import StateRecord

LOOK_BACK_OFFSETS = 20_000
"""The greatest event time in front of a position is looked for in so many offsets."""
LOOK_AHEAD_OFFSETS = 1_000
POLL_SECONDS = 0.05
SILENCE_SECONDS_MOST = 30.0


class Wanted(NamedTuple):
    """What an operator asks for: the offsets to read next, by full topic name, and from which event time on numbers
    shall be told anew."""

    positions: Mapping[str, int]
    since: float = -math.inf


def look_around(
    settings: Settings,
    group: str,
    partition: int,
    wanted: Wanted,
    absorbed: Mapping[str, int],
    marks: Mapping[str, Marks],
) -> Moved:
    """The positions as the topics allow them, and the records around them. Unavailable; KafkaException: refused."""
    positions = {
        topic: min(max(wanted.positions.get(topic, last + 1), marks[topic].low), marks[topic].high)
        for topic, last in absorbed.items()
    }
    back = [topic for topic, position in positions.items() if position <= absorbed[topic]]
    before = {t: (max(marks[t].low, positions[t] - LOOK_BACK_OFFSETS), positions[t]) for t in back}
    behind = {
        t: (positions[t], min(positions[t] + LOOK_AHEAD_OFFSETS, marks[t].high))
        for t in back
        if positions[t] == marks[t].low > 0
    }
    read_before, read_behind = (_read(settings, group, partition, spans) for spans in (before, behind))
    return Moved(positions, dict(absorbed), read_before, read_behind, wanted.since)


def sentences(partition: int, wanted: Wanted, moved: Moved, since: float) -> Iterator[str]:
    """What was done, for the log and for the operator."""
    for topic, position in moved.positions.items():
        place, stood = f"{topic}[{partition}]", moved.absorbed[topic] + 1
        asked = wanted.positions.get(topic, stood)
        if position > asked:
            yield f"{place}: offset {asked} was asked for, but the topic begins at {position}: older have expired"
        elif position < asked:
            yield f"{place}: offset {asked} was asked for, but the topic ends at {position}"
        if position < stood:
            yield f"{place}: set back from offset {stood} to {position}; what lies between is read again"
        elif position > stood:
            count = position - stood
            yield f"{place}: set ahead from offset {stood} to {position}: {count} offsets are skipped unread"
    if any(map(moved.is_back, moved.positions)):
        yield f"partition {partition}: {_told_anew(since)}"


def _told_anew(since: float) -> str:
    if since == -math.inf:
        return "everything is told anew"
    return (
        f"what begins at {rfc3339(since)} or later is told anew; what began before stays as it was told, "
        "because only a part of its records is read again"
    )


def skipped(moved: Moved) -> dict[str, int]:
    """Offsets by topic that nobody will ever read."""
    ahead = {topic: at - moved.absorbed[topic] - 1 for topic, at in moved.positions.items()}
    return {topic: count for topic, count in ahead.items() if count > 0}


def differences(old: Mapping[bytes, bytes], new: Mapping[bytes, bytes]) -> Iterator[StateRecord]:
    """What makes one state out of the other."""
    yield from (StateRecord(key, None) for key in old if key not in new)
    yield from (StateRecord(key, value) for key, value in new.items() if old.get(key) != value)


def _read(
    settings: Settings, group: str, partition: int, spans: Mapping[str, tuple[int, int]]
) -> dict[str, SourceRecords]:
    """The records of each topic in [first, end) of its offsets."""
    left = {topic: span for topic, span in spans.items() if span[0] < span[1]}
    found: dict[str, list[Message]] = {topic: [] for topic in spans}
    if left:
        consumer = open_reader(settings, group, f"{group}-moving-{partition}")
        try:
            consumer.assign([TopicPartition(topic, partition, first) for topic, (first, _) in left.items()])
            _fill(consumer, {topic: end for topic, (_, end) in left.items()}, found)
        finally:
            consumer.close()
    return {topic: source_records(topic, partition, messages) for topic, messages in found.items()}


def _fill(consumer: Consumer, ends: dict[str, int], found: dict[str, list[Message]]) -> None:
    silent = 0.0
    while ends:
        messages = consumer.consume(2_000, POLL_SECONDS)
        silent = 0.0 if messages else silent + POLL_SECONDS
        if silent > SILENCE_SECONDS_MOST:
            raise Unavailable(f"{', '.join(ends)}: neither a record nor the end for {SILENCE_SECONDS_MOST:.0f} s")
        for message in messages:
            topic, error = message.topic(), message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if topic in ends and (error is not None or message.offset() >= ends[topic]):
                del ends[topic]
            elif topic in ends:
                found[topic].append(message)


def source_records(topic: str, partition: int, messages: list[Message]) -> SourceRecords:
    """As a fold takes them."""
    return SourceRecords(
        topic,
        partition,
        [m.offset() for m in messages],
        [m.key() for m in messages],
        [m.value() for m in messages],
        [m.timestamp()[1] for m in messages],
        [m.headers() or () for m in messages],
        0,
    )
