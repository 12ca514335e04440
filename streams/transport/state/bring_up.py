"""Bringing one partition up: fence, read the state, check it against its sources (in a thread), make the fold.

Until this is done nothing of the partition is processed, and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import BEGIN_ANEW, HEADER_PREFIX, FoldContext, Moved, PartitionFold, Rewritten, Service
from driftloop.streams.transport.exits import Exit, log
from driftloop.streams.transport.state.header import HEADER_KEY, SourceLost, StateHeader, check_header, decode_header
from driftloop.streams.transport.state.moving import Wanted, differences, look_around, skipped
from driftloop.streams.transport.state.state_log import Marks, restore
from driftloop.streams.transport.state.writer import StateRecord, WriteEnded, Writer


class Restored(NamedTuple):
    """The state as of its last checkpoint. ``absorbed`` and ``lags`` (records behind it) by full topic name.

    ``moved``: where it shall be set to, if an operator has asked; not done yet.
    """

    state: dict[bytes, bytes]
    absorbed: dict[str, int]
    lags: dict[str, int]
    skipped: dict[str, int]
    marks: dict[str, Marks]
    moved: Moved | None = None


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
        self,
        partition: int,
        writer: Writer,
        topic_ids: Mapping[str, str],
        wanted: Callable[[], bool],
        asked: Wanted | None = None,
    ) -> Restored | None:
        """Open ``writer`` (which fences every predecessor), then read and check the state. None: not ``wanted``.

        ConfigError: a foreign state. SourceLost: a truncated source. WriteEnded: refused. Unavailable: try again.
        """
        if not writer.open(wanted):
            return None
        rows, marks = restore(self._settings, self.state, partition, self.sources, self.group)
        absorbed, skipped_before = dict.fromkeys(self.sources, -1), dict[str, int]()
        place = f"{self.state}[{partition}]"
        state = {key: value for key, value in rows.items() if not key.startswith(HEADER_PREFIX)}
        new: dict[bytes, bytes] | None = None
        if (header := rows.get(HEADER_KEY)) is not None:
            found = decode_header(header, place)
            new = self._carried_over(found, state)
            today = found if new is None else replace(found, layout=self._service.layout)
            check_header(today, self.expected_header(topic_ids), place)
            absorbed.update(found.sources)
            skipped_before.update(found.skipped)
        absorbed = {topic: checked(topic, partition, absorbed[topic], marks[topic]) for topic in self.sources}
        if new is not None:
            if not writer.write([*differences(state, new), StateRecord(HEADER_KEY, today.encode())], []):
                raise Unavailable("the transaction that carries the state over was aborted")
            log.warning("%s: carried over from layout %d to layout %d", place, found.layout, today.layout)
            state = new
        lags = {t: max(0, marks[t].high - absorbed[t] - 1) for t in self.sources}
        restored = Restored(state, absorbed, lags, skipped_before, marks)
        if asked is None:
            return restored
        moved = look_around(self._settings, self.group, partition, asked, absorbed, marks)
        return restored._replace(moved=moved)

    def _carried_over(self, found: StateHeader, state: dict[bytes, bytes]) -> dict[bytes, bytes] | None:
        """The state in today's layout, if it is in another one of ours that can be brought there."""
        carry = self._service.carried_over
        if carry is None or found.layout == self._service.layout or found.application != self.group:
            return None
        new = carry(found.layout, state)
        return None if new is None else dict(new)

    @property
    def can_rewind(self) -> bool:
        """The service knows what becomes of its state at other offsets."""
        return self._service.rewind is not None

    def rewritten(self, partition: int, restored: Restored) -> Rewritten:
        """What becomes of the state; on the event loop, as ``make_fold``."""
        assert self._service.rewind is not None
        assert restored.moved is not None
        return self._service.rewind(partition, restored.state, self._context, restored.moved)

    def write_anew(
        self, writer: Writer, restored: Restored, new: Rewritten, topic_ids: Mapping[str, str]
    ) -> Restored:
        """One transaction: the state is another, at other offsets. Unavailable: aborted, try again. WriteEnded."""
        moved = restored.moved
        assert moved is not None
        absorbed = {topic: position - 1 for topic, position in moved.positions.items()}
        skipped_now = skipped(moved)
        total = {t: restored.skipped.get(t, 0) + skipped_now.get(t, 0) for t in restored.skipped | skipped_now}
        header = replace(self.expected_header(topic_ids), sources=absorbed, skipped=total)
        records = [*differences(restored.state, new.state), StateRecord(HEADER_KEY, header.encode())]
        if not writer.write(records, []):
            raise Unavailable("the transaction that rewrites the state was aborted")
        lags = {t: max(0, restored.marks[t].high - absorbed[t] - 1) for t in absorbed}
        return Restored(new.state, absorbed, lags, total, restored.marks)

    def make_fold(self, partition: int, state: dict[bytes, bytes]) -> PartitionFold:
        """On the event loop: folds and the catalogue are touched by one thread only. ConfigError: a foreign state."""
        return self._service.make_fold(partition, state, self._context)


def checked(topic: str, partition: int, absorbed: int, marks: Marks) -> int:
    """The offset to go on behind: ``absorbed``, or where the log now begins. SourceLost: the log ends before it."""
    if absorbed + 1 > marks.high:
        raise SourceLost(
            f"{topic}[{partition}]: the state has absorbed offset {absorbed}, but the topic ends at {marks.high}",
            f"it was truncated or created anew; {BEGIN_ANEW}",
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
