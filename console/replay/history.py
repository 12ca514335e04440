"""Both source topics from their beginning to their end as of now, in step: a source that is ahead of the other waits.

What is fetched side by side does not lie side by side in event time; read as it comes, the join would have to hold
all that one topic is ahead. What waits is bounded: of a partition with enough of it nothing more is fetched.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from driftloop.console.reading import (
    CALL_SECONDS,
    SILENCE_SECONDS_MOST,
    fetch,
    open_consumer,
    partitions_of,
    unavailable,
)
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import SourceRecords

WAITING_MOST = 20_000
"""Records of one partition, fetched and not given out."""
FETCHING = {"queued.max.messages.kbytes": 65_536, "fetch.queue.backoff.ms": 5}
"""Where librdkafka's queue is full it would look away for a second."""
_milliseconds = itemgetter(1)
Held = Callable[[str, int], bool]
"""(topic, partition): should no more of it come for now?"""


class _Span(NamedTuple):
    """Offsets of a partition: from ``first`` to below ``end``."""

    first: int
    end: int


class History:
    """Use it with ``with``. ``records``: offsets in all; markers and holes leave fewer records. ``ends``: the offset
    behind the last, by topic and partition.

    Errors: ConfigError where a topic is missing; Unavailable where the cluster does not answer.
    """

    def __init__(self, settings: Settings, topics: Sequence[str]) -> None:
        self._consumer: Consumer = open_consumer(settings, **FETCHING)
        try:
            self._spans = {
                (topic, partition): self._span(topic, partition)
                for topic in topics
                for partition in range(partitions_of(settings, topic, self._consumer))
            }
        except BaseException:
            self._consumer.close()
            raise
        self.records = sum(span.end - span.first for span in self._spans.values())
        self.ends = {tp: span.end for tp, span in self._spans.items()}
        self._waiting: dict[tuple[str, int], list[Any]] = {tp: [] for tp in self._spans}
        self._open = {tp for tp, span in self._spans.items() if span.end > span.first}
        self._paused: set[tuple[str, int]] = set()

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def read(self, held: Held) -> Iterator[SourceRecords]:
        """Records, each partition's in the order of its offsets; ``lag``: offsets behind them."""
        self._consumer.assign([TopicPartition(*tp, span.first) for tp, span in self._spans.items()])
        heard = monotonic()
        while self._open or any(self._waiting.values()):
            came = self._fetch()
            ready = [tp for tp, waiting in self._waiting.items() if waiting and not held(*tp)]
            if came or ready:
                heard = monotonic()
            elif not self._open - self._paused:
                ready = [tp for tp, waiting in self._waiting.items() if waiting][:1]  # nobody is left to wait for
            elif monotonic() > heard + SILENCE_SECONDS_MOST:
                raise silence_of(self._open)
            for tp in ready:
                yield self._given(tp)
            self._keep_bounded()

    def _span(self, topic: str, partition: int) -> _Span:
        try:
            return _Span(*self._consumer.get_watermark_offsets(TopicPartition(topic, partition), CALL_SECONDS))
        except KafkaException as error:
            raise unavailable(topic, error.args[0]) from error

    def _fetch(self) -> int:
        wait = 0.0 if any(self._waiting.values()) else 0.1
        messages, ended = fetch(self._consumer, wait, next(iter(self._spans))[0])
        for tp, run in runs_of(messages):
            self._waiting[tp] += run
        self._open -= ended
        return len(messages) + len(ended)

    def _given(self, tp: tuple[str, int]) -> SourceRecords:
        found, self._waiting[tp] = self._waiting[tp], []
        end, offsets = self._spans[tp].end, list(map(Message.offset, found))
        if offsets[-1] >= end - 1:  # what came since we began is left to the next replay
            self._open.discard(tp)
            offsets = offsets[: bisect_left(offsets, end)]
            found = found[: len(offsets)]
        return SourceRecords(
            *tp,
            offsets,
            list(map(Message.key, found)),
            list(map(Message.value, found)),
            list(map(_milliseconds, map(Message.timestamp, found))),
            [()] * len(found),  # wanted for dead letters only
            end - 1 - offsets[-1] if tp in self._open else 0,
        )

    def _keep_bounded(self) -> None:
        full = {tp for tp, waiting in self._waiting.items() if len(waiting) >= WAITING_MOST}
        if stop := full - self._paused:
            self._consumer.pause([TopicPartition(*tp) for tp in stop])
        if go_on := self._paused - full:
            self._consumer.resume([TopicPartition(*tp) for tp in go_on])
        self._paused = full


def runs_of(messages: Sequence[Any]) -> Iterator[tuple[tuple[str, int], Sequence[Any]]]:
    """(topic and partition, messages) as they follow each other, thousands of a partition at a time. numpy finds
    where the partition changes: pairs of both, made and compared a message, took twice as long."""
    partitions = np.fromiter(map(Message.partition, messages), np.int64, len(messages))
    changes = (np.flatnonzero(partitions[1:] != partitions[:-1]) + 1).tolist()
    start = 0
    for end in [*changes, len(messages)]:
        for topic, same in groupby(map(Message.topic, messages[start:end])):
            first, start = start, start + len(list(same))
            yield (topic, int(partitions[first])), messages[first:start]


def silence_of(places: Iterable[tuple[str, int]]) -> Unavailable:
    """The cluster went away while these were read."""
    where = ", ".join(f"{topic}[{partition}]" for topic, partition in sorted(places))
    said = f"{where}: neither a record nor the end for {SILENCE_SECONDS_MOST:.0f} s"
    return Unavailable(said, "has the cluster gone away? when it is back, begin anew: nothing was written")
