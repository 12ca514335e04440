"""A batch of one of the two topics: read, told apart by model, with the greatest event time before each row.

What cannot be read becomes a dead letter. Where a record names what the catalogue does not know, the catalogue is
refreshed and the batch read once more: its model may have been applied a moment ago.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar, cast

import numpy as np
from driftloop.schemas.batches.batch import Marker, PredictionColumns, Rejected, TruthColumns
from driftloop.schemas.batches.columns import read_predictions
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.batches.truths import read_truths
from driftloop.schemas.deadletter import dead_letter
from driftloop.streams.fold import FoldContext, Output, SourceRecords
from driftloop.streams.observer.join.join import hash_ids
from driftloop.streams.observer.model import Where
from driftloop.streams.observer.telling import SERVICE
from driftloop.streams.observer.time import Times, greatest_before
from numpy.typing import NDArray

UNKNOWN = ("unknown-model", "unknown-schema")
"""Reasons that a refreshed catalogue may take back."""
ColumnsT = TypeVar("ColumnsT", PredictionColumns, TruthColumns)


class Batch(NamedTuple, Generic[ColumnsT]):
    """``models``: columns and where they stand. ``greatest``: event time after the batch, of the partition."""

    models: list[tuple[ColumnsT, Where]]
    greatest: float
    dead_letters: list[Output]


def predictions_batch(records: SourceRecords, context: FoldContext, greatest: float) -> Batch[PredictionColumns]:
    """Read a batch of the predictions topic; ``greatest``: event time of the partition so far."""

    def read(layouts: Layouts) -> tuple[list[PredictionColumns], list[Marker], list[Rejected]]:
        return read_predictions(records.values, layouts, records.keys, records.timestamps_ms)

    return _placed(records, context, greatest, *_read(read, context))


def truths_batch(records: SourceRecords, context: FoldContext, greatest: float) -> Batch[TruthColumns]:
    """Read a batch of the ground-truth topic."""

    def read(layouts: Layouts) -> tuple[list[TruthColumns], list[Marker], list[Rejected]]:
        return read_truths(records.values, layouts, records.keys, records.timestamps_ms)

    return _placed(records, context, greatest, *_read(read, context))


def _read(
    read: Callable[[Layouts], tuple[list[ColumnsT], list[Marker], list[Rejected]]], context: FoldContext
) -> tuple[list[ColumnsT], list[Marker], list[Rejected]]:
    layouts = context.catalogue.layouts
    found = read(layouts)
    if any(rejected.reason in UNKNOWN for rejected in found[2]):
        context.refresh()
        if context.catalogue.layouts is not layouts:
            return read(context.catalogue.layouts)
    return found


def _placed(
    records: SourceRecords,
    context: FoldContext,
    greatest: float,
    columns: Sequence[ColumnsT],
    markers: Sequence[Marker],
    rejected: Sequence[Rejected],
) -> Batch[ColumnsT]:
    times: Times = np.full(len(records), -math.inf)
    for found in columns:
        times[found.rows] = found.event_time
    for marker in markers:
        times[marker.row] = marker.event_time
    before, offsets = greatest_before(times, greatest), _offsets(records.offsets)
    keys = cast(Sequence[bytes], records.keys) if all(records.keys) else [key or b"" for key in records.keys]
    hashes = hash_ids(keys)  # of all rows at once; none without a key is read
    whole = Where(hashes, offsets, before, keys)
    models = [(c, whole if len(c.rows) == len(keys) else whole.of(c.rows)) for c in columns]
    letters = [_dead_letter(records, context, *one) for one in rejected]
    return Batch(models, max(greatest, float(times.max(initial=-math.inf))), letters)


def _offsets(ascending: Sequence[int]) -> NDArray[np.int64]:
    """As an array; most batches have no holes."""
    if ascending and ascending[-1] - ascending[0] == len(ascending) - 1:
        return np.arange(ascending[0], ascending[-1] + 1)
    return np.fromiter(ascending, np.int64, len(ascending))


def _dead_letter(records: SourceRecords, context: FoldContext, row: int, reason: str, message: str) -> Output:
    offset, key, headers = records.offsets[row], records.keys[row], records.headers[row]
    place = (records.topic, records.partition, offset)
    key, value, headers = dead_letter(
        *place, key, records.values[row], headers, records.timestamps_ms[row], reason, message, SERVICE
    )
    partition = None if key is not None else records.partition
    return Output(context.topic("dead-letter"), key, value, partition, tuple(headers))
