"""What a batch of records holds once read: columns by model, markers, and the rows that were refused, with why."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from driftloop.schemas.batches.tails import Tails, TruthTail
from driftloop.schemas.batches.vectors import NO_VECTOR
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.outcome import label_number
from numpy.typing import NDArray

EARLIEST_EVENT_TIME = 946_684_800.0
"""2000-01-01T00:00Z: earlier ones come from clocks that were never set."""
FUTURE_SECONDS_MOST = 600.0
"""An event may be so far ahead of its Kafka timestamp: one of the year 9999 would take the watermark there."""
RECORD_BYTES_MOST = 1_000_000
"""A prediction with 1,000 features takes 8 kB; what is larger than Kafka takes by default is a mistake."""


class Rejected(NamedTuple):
    """A row for the dead-letter topic. ``reason``: a slug; ``message``: for a person."""

    row: int
    reason: str
    message: str


class Marker(NamedTuple):
    """A TimeMarker: its row and what it says."""

    row: int
    event_time: float


@dataclass(frozen=True, slots=True)
class PredictionColumns:
    """The readable predictions of one model, in the order of the batch.

    ``rows`` int64[n]: positions in the batch. ``event_time``, ``score`` f8[n] (of a multiclass model ``score`` is
    f8[n, K], a column a class). ``numeric`` f8[n, F] in the order of ``spec.numeric``, NaN: missing. ``tail``
    int32[n] points into ``tails``, which other batches share. ``vectors`` f4[n, W]: the embeddings of
    ``spec.embeddings`` side by side; all of one NaN: missing.
    """

    model: str
    spec: MonitorSpecification
    rows: NDArray[np.int64]
    event_time: NDArray[np.float64]
    score: NDArray[np.float64]
    numeric: NDArray[np.float64]
    tail: NDArray[np.int32]
    tails: Tails
    vectors: NDArray[np.float32] = field(default_factory=lambda: NO_VECTOR)

    def category_codes(self) -> NDArray[np.int64]:
        """int64[n, C] in the order of ``spec.categorical`` (TailCodes)."""
        return self.tails.codes().categories.take(self.tail, axis=0)


@dataclass(frozen=True, slots=True)
class TruthColumns:
    """The readable truths of one model, in the order of the batch.

    ``code`` int8[n]: index of the class, -1 if the label names none; of a regression 0 for a number.
    ``tail`` int32[n] points into ``tails``, where the label stands as it came. ``value`` f8[n], NaN: not told.
    """

    model: str
    rows: NDArray[np.int64]
    event_time: NDArray[np.float64]
    code: NDArray[np.int8]
    value: NDArray[np.float64]
    tail: NDArray[np.int32]
    tails: list[TruthTail]

    def numbers(self) -> NDArray[np.float64]:
        """f8[n]: the labels of a regression, 0 where ``code`` is -1."""
        tails = self.tails
        found = np.array([label_number(tails[i].label) for i in self.tail.tolist()], np.float64)
        return np.where(self.code < 0, 0.0, found)


class Predictions(NamedTuple):
    """What a batch of the predictions topic holds; ``columns`` by model, markers and rejected by row."""

    columns: list[PredictionColumns]
    markers: list[Marker]
    rejected: list[Rejected]


class Truths(NamedTuple):
    """What a batch of the ground-truth topic holds."""

    columns: list[TruthColumns]
    markers: list[Marker]
    rejected: list[Rejected]


def event_time_fault(event_time: float, timestamp_ms: int | None) -> tuple[str, str] | None:
    """(reason, message) if no event can have happened then; ``timestamp_ms``: the record's own, from Kafka."""
    if not math.isfinite(event_time):
        return "event-time-not-a-number", f"event_time is {event_time!r}, not seconds since the epoch"
    if event_time < EARLIEST_EVENT_TIME:
        return "event-time-before-2000", f"event_time {event_time!r} lies before the year 2000"
    if timestamp_ms is not None and 0 <= timestamp_ms < (event_time - FUTURE_SECONDS_MOST) * 1000.0:
        ahead = event_time - timestamp_ms / 1000.0
        return (
            "event-time-in-the-future",
            f"event_time {event_time!r} lies {ahead:.0f} s behind the record's own time",
        )
    return None


def suspects(event_time: NDArray[np.float64], least_timestamp_ms: int | None) -> NDArray[np.bool_]:
    """A mask of the rows that ``event_time_fault`` must look at: all faults are among them, seldom anything else.

    ``least_timestamp_ms``: of Kafka's timestamps of the batch.
    """
    found = ~((event_time >= EARLIEST_EVENT_TIME) & (event_time < math.inf))
    if least_timestamp_ms is not None:
        found |= event_time > least_timestamp_ms / 1000.0 + FUTURE_SECONDS_MOST
    return found
