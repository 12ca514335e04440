"""Records that have been handed over and not been read yet: they wait for more.

Reading and folding cost some hundred microseconds a model, however few its rows are. Live traffic brings a few
records at a time; so they wait for those that follow at once, until they span some of Kafka's time, or until an event
time among them may have passed an instant. Of a hundred models it brings a record or two of each; these wait until
there are many, or for a few checkpoints. They are in no state meanwhile: the offsets of the state end before them.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import overload

import numpy as np
from driftloop.schemas.batches.batch import EARLIEST_EVENT_TIME, FUTURE_SECONDS_MOST
from driftloop.schemas.wire import SINGLE_OBJECT_BYTES
from driftloop.streams.fold import Headers, SourceRecords

RECORDS_MOST = 32_768
BYTES_MOST = 8 << 20
COLLECTS_MOST = 5
"""Checkpoints, a second apart at least, after which everything is read."""
LOOKED_AT_LEAST = 200
"""Of a batch with more records than that, twice as many of them are looked at for their event time."""
_EVENT_TIME = slice(SINGLE_OBJECT_BYTES, SINGLE_OBJECT_BYTES + 8)


class Unread:
    """Of both topics. ``greatest``: a guess by topic, no more, of the greatest event time among them."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._parts: tuple[list[SourceRecords], list[SourceRecords]] = ([], [])
        self.greatest = [-math.inf, -math.inf]
        self._records = self._bytes = self._collects = 0
        self._earliest_ms, self._latest_ms = math.inf, -math.inf

    def __len__(self) -> int:
        return self._records

    @property
    def full(self) -> bool:
        """No more may wait."""
        return self._records >= RECORDS_MOST or self._bytes >= BYTES_MOST

    @property
    def span_ms(self) -> float:
        """Of Kafka's time, between the first and the last batch."""
        return self._latest_ms - self._earliest_ms

    def add(self, source: int, records: SourceRecords) -> None:
        """Let them wait."""
        self._parts[source].append(records)
        self._records += len(records)
        self._bytes += sum(map(len, filter(None, records.values)))
        self._earliest_ms = min(self._earliest_ms, records.timestamps_ms[0])
        self._latest_ms = max(self._latest_ms, records.timestamps_ms[-1])
        self.greatest[source] = max(self.greatest[source], greatest_event_time(records))

    def patience_is_over(self) -> bool:
        """Asked at every checkpoint: have they waited for long enough?"""
        self._collects += bool(self._records)
        return self._collects >= COLLECTS_MOST

    def take(self) -> list[tuple[int, SourceRecords]]:
        """What waits, by source; nothing waits any more."""
        found = [(source, joined(parts)) for source, parts in enumerate(self._parts) if parts]
        self._forget()
        return found

    def read_offsets(self) -> dict[str, int]:
        """By topic of which something waits: all up to this offset has been read."""
        return {parts[0].topic: parts[0].offsets[0] - 1 for parts in self._parts if parts}


def greatest_event_time(records: SourceRecords) -> float:
    """Of records whose first field behind the framing is their event time, as it is with every schema of ours.

    Nothing is checked but that it may be a time: a wrong guess costs an early reading, or a late one.
    """
    values = records.values
    if len(values) > LOOKED_AT_LEAST:  # each topic is about in order of time: its last records tell
        values = [*values[:: len(values) // LOOKED_AT_LEAST], *values[-LOOKED_AT_LEAST:]]
    starts = b"".join([value[_EVENT_TIME] for value in values if value and len(value) >= _EVENT_TIME.stop])
    times = np.frombuffer(starts, "<f8")
    latest = max(records.timestamps_ms) / 1000.0 + FUTURE_SECONDS_MOST
    return float(times[(times >= EARLIEST_EVENT_TIME) & (times <= latest)].max(initial=-math.inf))


def joined(parts: Sequence[SourceRecords]) -> SourceRecords:
    """Consecutive records of one partition as one."""
    if len(parts) == 1:
        return parts[0]
    return SourceRecords(
        parts[0].topic,
        parts[0].partition,
        list(chain.from_iterable([part.offsets for part in parts])),
        list(chain.from_iterable([part.keys for part in parts])),
        list(chain.from_iterable([part.values for part in parts])),
        list(chain.from_iterable([part.timestamps_ms for part in parts])),
        _JoinedHeaders([part.headers for part in parts]),
        parts[-1].lag,
    )


class _JoinedHeaders(Sequence[Headers]):
    """Looked at for dead letters only: not copied."""

    def __init__(self, parts: Sequence[Sequence[Headers]]) -> None:
        self._parts = parts
        self._ends = list(accumulate(map(len, parts)))

    def __len__(self) -> int:
        return self._ends[-1]

    @overload
    def __getitem__(self, at: int) -> Headers: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Headers]: ...
    def __getitem__(self, at: int | slice) -> Headers | Sequence[Headers]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        part = bisect_right(self._ends, at)
        return self._parts[part][at - (self._ends[part - 1] if part else 0)]
