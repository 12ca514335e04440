"""All that one poll has brought, as one event of Faust; and how much of it may wait to be taken.

An event costs Faust .8 ms of live traffic (two threads, four tasks, a lock), and a fetch brings a few records of each
of 24 partitions: 600 batches a second would cost half a core. Together they cost what one of them costs.

Faust's own back-pressure stops the one partition whose message finds the queue full. A bundle is of many, so it is
counted here what waits, and nothing more is polled while that is too much.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import pairwise
from operator import attrgetter

from driftloop.streams.transport.fetching.batches import RecordBatch

RECORDS_WAITING_MOST = 16_000
"""What one poll brings comes on top (at most 24 chunks of 2,000)."""
BUNDLES_WAITING_MOST = 6
"""Fewer than Faust's queue holds: it must never be the one to wait, for a poll that waits is no sign of life."""
TURN_RECORDS = 1_000
"""After so many records the event loop has a turn: heartbeats to the watchdog, the end of transactions."""


class Bundle:
    """Batches of several partitions; those of one number side by side, those of one partition in their order."""

    __slots__ = ("batches",)

    def __init__(self, batches: Iterable[RecordBatch]) -> None:
        self.batches = sorted(batches, key=attrgetter("partition"))
        for batch, following in pairwise(self.batches):
            batch.more = batch.partition == following.partition

    def __len__(self) -> int:
        return sum(map(len, self.batches))

    def __repr__(self) -> str:
        return f"<{len(self.batches)} batches: {', '.join(map(repr, self.batches[:3]))}>"


class Waiting:
    """Bundles that were handed over and not been taken. ``on_room`` is called when they are no longer too many."""

    def __init__(self, on_room: Callable[[], object]) -> None:
        self._on_room = on_room
        self._left: dict[Bundle, int] = {}
        self._records = 0

    @property
    def full(self) -> bool:
        """Nothing more should be polled."""
        return self._records >= RECORDS_WAITING_MOST or len(self._left) >= BUNDLES_WAITING_MOST

    def add(self, bundle: Bundle) -> None:
        """Handed over."""
        self._left[bundle] = len(bundle)
        self._records += len(bundle)

    def forget(self) -> None:
        """Faust has emptied its queue. What its agent holds at this moment is no longer counted."""
        self._left.clear()
        self._records = 0
        self._on_room()

    async def each(self, bundle: Bundle) -> AsyncIterator[RecordBatch]:
        """The batches of ``bundle``; each is counted off when the next one is asked for."""
        since_turn = 0
        for batch in bundle.batches:
            yield batch
            self._taken(bundle, len(batch))
            since_turn += len(batch)
            if since_turn >= TURN_RECORDS:
                since_turn = 0
                await asyncio.sleep(0)

    def _taken(self, bundle: Bundle, records: int) -> None:
        if bundle not in self._left:
            return
        was_full = self.full
        self._records -= records
        self._left[bundle] -= records
        if not self._left[bundle]:
            del self._left[bundle]
        if was_full and not self.full:
            self._on_room()
