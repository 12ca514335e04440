"""Panes of a model that wait for their instant, in the order in which they will count; each is a state record."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby
from typing import NamedTuple

from driftloop.schemas.codec import decode
from driftloop.schemas.events import Pane
from driftloop.streams.judge.state import Kept, Key, Record, Store, bytes_of, pane_key


class Pending(NamedTuple):
    """A pane that waits for its instant; the fields before it are the order in which panes count. ``name``: the key
    of its state record."""

    due: float
    version: str
    role: str
    spec: str
    kind: str
    bucket: int
    pane_start: float
    partition: int
    revision: int
    arrival: int
    pane: Pane
    kept: Kept
    name: Key


class Waiting:
    """A heap of them; ``store`` takes the records that change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._heap: list[Pending] = []
        self._arrivals = 0

    def put(self, pane: Pane, kept: Kept, due: float) -> None:
        """It will count at ``due``."""
        name = pane_key("pending", pane)
        self._push(pane, kept, due, name)
        self._store.put(name, partial(_record, due, kept))

    def next_instant(self) -> float:
        """Of the first; infinity: none waits."""
        return self._heap[0].due if self._heap else math.inf

    def specs(self) -> set[str]:
        """By which they were made."""
        return {waiting.spec for waiting in self._heap}

    def runs(self, now: float) -> Iterator[list[Pending]]:
        """Hand out those whose instant has come, in their order; together those in a row that differ in their source
        partitions alone: they add up in one place, which is found once."""
        for _, run in groupby(self._due(now), key=_whose):
            yield list(run)

    def _due(self, now: float) -> Iterator[Pending]:
        while self._heap and self._heap[0].due <= now:
            waiting = heapq.heappop(self._heap)
            self._store.drop(waiting.name)
            yield waiting

    def restore(self, records: Iterable[Record]) -> None:
        """Back from the state."""
        for record in records:
            due, raw = record.value.split(b" ", 1)
            pane = decode(raw)
            assert isinstance(pane, Pane)
            self._push(pane, raw, float.fromhex(due.decode()), record.key)

    def _push(self, pane: Pane, kept: Kept, due: float, name: Key) -> None:
        self._arrivals += 1
        order = (pane.version, pane.role, pane.spec, pane.kind, pane.bucket, pane.pane_start, pane.partition)
        heapq.heappush(self._heap, Pending(due, *order, pane.revision, self._arrivals, pane, kept, name))


def _whose(waiting: Pending) -> tuple[str | int | float, ...]:
    return (*waiting[1:7], waiting.pane.segment)


def _record(due: float, kept: Kept) -> bytes:
    return due.hex().encode() + b" " + bytes_of(kept)
