"""Bringing one partition up: fence, read the state, check it against its sources (in a thread), make the fold.

Until this is done nothing of the partition is processed, and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from driftloop.schemas.errors import ConfigError
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import HEADER_PREFIX, FoldContext, PartitionFold, Service
from driftloop.streams.transport.exits import Exit, log
from driftloop.streams.transport.header import HEADER_KEY, SourceLost, StateHeader, check_header, decode_header
from driftloop.streams.transport.state_log import Marks, restore
from driftloop.streams.transport.writer import WriteEnded, Writer


class Restored(NamedTuple):
    """The state as of its last checkpoint. ``absorbed`` and ``lags`` (records behind it) by full topic name."""

    state: dict[bytes, bytes]
    absorbed: dict[str, int]
    lags: dict[str, int]


class Restorer:
    """Knows how the partitions of one service are restored. Thread-safe: it holds nothing that changes."""

    def __init__(self, service: Service, settings: Settings, context: FoldContext) -> None:
        self._service = service
        self._settings = settings
        self._context = context
        self.group = settings.group(service.name)
        self.sources = tuple(settings.topic(short) for short in service.sources)
        self.state = settings.topic(service.state)

    def writer(self, partition: int) -> Writer:
        """A writer for ``partition``, not open yet."""
        return Writer(self._settings, self.group, self.state, partition)

    def expected_header(self, topic_ids: Mapping[str, str]) -> StateHeader:
        """The header that a state of ours has."""
        nothing = dict.fromkeys(self.sources, -1)
        return StateHeader(self.group, self._service.layout, self._context.partitions, nothing, dict(topic_ids))

    def restore(
        self, partition: int, writer: Writer, topic_ids: Mapping[str, str], wanted: Callable[[], bool]
    ) -> Restored | None:
        """Open ``writer`` (which fences every predecessor), then read and check the state. None: not ``wanted``.

        ConfigError: a foreign state. SourceLost: a truncated source. WriteEnded: refused. Unavailable: try again.
        """
        if not writer.open(wanted):
            return None
        rows, marks = restore(self._settings, self.state, partition, self.sources, self.group)
        absorbed = dict.fromkeys(self.sources, -1)
        place = f"{self.state}[{partition}]"
        if (header := rows.get(HEADER_KEY)) is not None:
            found = decode_header(header, place)
            check_header(found, self.expected_header(topic_ids), place)
            absorbed.update(found.sources)
        absorbed = {topic: checked(topic, partition, absorbed[topic], marks[topic]) for topic in self.sources}
        state = {key: value for key, value in rows.items() if not key.startswith(HEADER_PREFIX)}
        return Restored(state, absorbed, {t: max(0, marks[t].high - absorbed[t] - 1) for t in self.sources})

    def make_fold(self, partition: int, state: dict[bytes, bytes]) -> PartitionFold:
        """On the event loop: folds and the catalogue are touched by one thread only. ConfigError: a foreign state."""
        return self._service.make_fold(partition, state, self._context)


def checked(topic: str, partition: int, absorbed: int, marks: Marks) -> int:
    """The offset to go on behind: ``absorbed``, or where the log now begins. SourceLost: the log ends before it."""
    if absorbed + 1 > marks.high:
        raise SourceLost(
            f"{topic}[{partition}]: the state has absorbed offset {absorbed}, but the topic ends at {marks.high}",
            "it was truncated or created anew: delete the state topic as well, `driftloop topics apply`, start again",
        )
    if absorbed + 1 < marks.low:
        if absorbed >= 0:
            log.warning(
                "%s[%d]: offsets %d to %d expired before they were read",
                topic,
                partition,
                absorbed + 1,
                marks.low - 1,
            )
        return marks.low - 1
    return absorbed


def exit_for(error: Exception) -> Exit:
    """How a worker ends that cannot bring a partition up."""
    match error:
        case WriteEnded():
            return error.exit
        case SourceLost():
            return Exit.SOURCE_LOST
        case ConfigError():
            return Exit.CONFIG
        case _:
            return Exit.REFUSED
