"""A broker in one process: logs with transactions, transactional ids with epochs, last stable offsets, markers.

What it does and refuses is what Apache Kafka does (notes: KIP-98, KIP-447): ``init`` aborts what the predecessor left
open and raises the epoch; a write or an end of an older epoch is refused; a transaction that stays open too long is
aborted and its owner fenced; a read_committed reader sees nothing at or above the first open transaction.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

TRANSACTION_SECONDS_MOST = 30.0

Place = tuple[str, int]
"""Topic and partition."""
Headers = Mapping[str, bytes]
Pair = tuple[bytes | None, bytes | None]
"""Key and value."""


class Fenced(Exception):
    """A newer instance has the transactional id."""


class Away(Exception):
    """The broker does not answer."""


class Record(NamedTuple):
    """As aiokafka's parser makes them."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@dataclass
class Transaction:
    owner: str
    epoch: int
    state: str = "open"
    first: dict[Place, int] = field(default_factory=dict)


@dataclass(slots=True)
class Entry:
    """A record, or a control marker (record None)."""

    offset: int
    record: Record | None
    transaction: Transaction | None


class Log:
    """One partition."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    @property
    def end(self) -> int:
        return len(self.entries)

    @property
    def stable(self) -> int:
        """Last stable offset: where a read_committed reader stops."""
        for entry in self.entries:
            if entry.transaction is not None and entry.transaction.state == "open" and entry.record is not None:
                return entry.offset
        return self.end

    def append(self, record: Record | None, transaction: Transaction | None) -> int:
        offset = self.end
        if record is not None:
            record = record._replace(offset=offset)
        self.entries.append(Entry(offset, record, transaction))
        return offset

    def committed(self, start: int, end: int | None = None) -> list[Record]:
        """What a read_committed reader gets from ``start`` on."""
        stop = self.stable if end is None else min(end, self.stable)
        return [
            entry.record
            for entry in self.entries[max(0, start) : stop]
            if entry.record is not None and (entry.transaction is None or entry.transaction.state == "committed")
        ]


class Broker:
    """``away``: it answers nobody. ``on_commit``: called with each transaction that becomes visible."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.logs: dict[Place, Log] = {}
        self.epochs: dict[str, int] = {}
        self.open: dict[str, Transaction] = {}
        self.ended: dict[str, Transaction] = {}
        self.away = False
        self.stamp_ms: int | None = None
        """Kafka's timestamp of every record; None: the virtual clock's."""
        self.commits = self.aborts = self.fenced = 0
        self.on_commit: Callable[[Transaction], None] = lambda _transaction: None

    def log(self, topic: str, partition: int) -> Log:
        return self.logs.setdefault((topic, partition), Log())

    def answer(self) -> None:
        if self.away:
            raise Away

    def write(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> None:
        """A record of an app, outside of transactions."""
        self.log(topic, partition).append(Record(0, self._stamp(), key, value, ()), None)

    def write_in_transaction(self, topic: str, partition: int, records: Sequence[Pair], committed: bool) -> None:
        """Records of an app that uses transactions: they leave a marker, and a hole where they are aborted."""
        transaction = Transaction("app", 0)
        log = self.log(topic, partition)
        for key, value in records:
            log.append(Record(0, self._stamp(), key, value, ()), transaction)
        transaction.state = "committed" if committed else "aborted"
        log.append(None, transaction)

    # Transactional producers.

    def init(self, owner: str) -> int:
        self.answer()
        self.end_open(owner, "aborted")
        self.ended.pop(owner, None)
        self.epochs[owner] = self.epochs.get(owner, -1) + 1
        return self.epochs[owner]

    def append(
        self,
        owner: str,
        epoch: int,
        place: Place,
        key: bytes | None,
        value: bytes | None,
        headers: Mapping[str, bytes],
    ) -> int:
        self.answer()
        self.check(owner, epoch)
        transaction = self.open.get(owner)
        if transaction is None:
            transaction = self.open[owner] = Transaction(owner, epoch)
            self.ended.pop(owner, None)
            nobody = contextvars.Context()
            self.loop.call_later(TRANSACTION_SECONDS_MOST, self.expire, transaction, context=nobody)
        record = Record(0, self._stamp(), key, value, tuple(headers.items()))
        offset = self.log(*place).append(record, transaction)
        transaction.first.setdefault(place, offset)
        return offset

    def end(self, owner: str, epoch: int, state: str) -> None:
        """Commit or abort; again is no harm."""
        self.answer()
        self.check(owner, epoch)
        if owner in self.open:
            self.end_open(owner, state)
        elif owner in self.ended and self.ended[owner].state != state:
            raise AssertionError(f"{owner}: {state} after {self.ended[owner].state}")

    def check(self, owner: str, epoch: int) -> None:
        if self.epochs.get(owner) != epoch:
            self.fenced += 1
            raise Fenced

    def end_open(self, owner: str, state: str) -> None:
        transaction = self.open.pop(owner, None)
        if transaction is None:
            return
        transaction.state = state
        self.ended[owner] = transaction
        for place in transaction.first:
            self.log(*place).append(None, transaction)
        self.commits += state == "committed"
        self.aborts += state == "aborted"
        if state == "committed":
            self.on_commit(transaction)

    def expire(self, transaction: Transaction) -> None:
        """It was open for too long: aborted, and its owner fenced."""
        if transaction.state == "open":
            self.end_open(transaction.owner, "aborted")
            self.epochs[transaction.owner] += 1

    def _stamp(self) -> int:
        return int(self.loop.time() * 1000) if self.stamp_ms is None else self.stamp_ms
