"""What becomes of the observer's state when an operator sets a partition to other offsets. Pure.

What was learned from records that will be read again is forgotten: rows of the join, and every pane of which all
records will come again. These are the panes that begin behind the greatest event time in front of the positions; an
earlier pane would be told from a part of its records, so it stays as it was (replay.py counts nothing twice in it).
Rows in front of the positions stay as partners of what comes.

At the very beginning of both topics nothing stays but the number of rewinds, which the revisions go by, and up to
where dead letters have been written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from driftloop.streams.fold import FoldContext, Moved, Rewritten, SourceRecords
from driftloop.streams.observer.fold import PREDICTIONS, SOURCES, TRUTHS, ObserverFold
from driftloop.streams.observer.join.index import Hashes
from driftloop.streams.observer.join.pool import Pool
from driftloop.streams.observer.join.rows import MATCHED, WAITING, Rows
from driftloop.streams.observer.model import ModelFold
from driftloop.streams.observer.reading import predictions_batch, truths_batch
from driftloop.streams.observer.recovery.replay import Layer
from driftloop.streams.observer.recovery.state import Record, model_records, pool_records

BEHIND_RECORDS = 100
"""Where what was in front is gone, so many records behind the position, and the disorder, say how far time was."""


def rewind(partition: int, state: Mapping[bytes, bytes], context: FoldContext, moved: Moved) -> Rewritten:
    """The state of a partition set to ``moved``. Only skipping ahead changes nothing in it."""
    topics = [context.topic(source) for source in SOURCES]
    if not any(moved.is_back(topic) for topic in topics):
        return Rewritten(dict(state), math.inf)
    fold = ObserverFold(partition, state, context)
    greatest = (_greatest(moved, topics[0], fold, PREDICTIONS), _greatest(moved, topics[1], fold, TRUTHS))
    floor = max(moved.since, *(math.nextafter(g, math.inf) for g in greatest if g > -math.inf), -math.inf)
    held = (moved.absorbed[topics[0]], moved.absorbed[topics[1]])
    if floor == -math.inf:
        fold.begin_anew(held)
        return Rewritten(dict([fold.clock_record()]), floor)
    at = (moved.positions[topics[0]], moved.positions[topics[1]])
    fold.set_back(Layer(floor, held, fold.greatest), greatest, at)
    new = dict(state)
    for pool in fold.pools:
        _forget_rows(pool, at)
    for model in fold.models.values():
        _forget_panes(model, floor)
        _write(new, *model_records(model))
    _write(new, *pool_records(fold.pools))
    _write(new, fold.clock_record())
    return Rewritten(new, floor)


def _write(state: dict[bytes, bytes], *records: Record) -> None:
    for key, value in records:
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value


def _greatest(moved: Moved, topic: str, fold: ObserverFold, source: int) -> float:
    """Greatest event time in front of the new position of a topic; -inf: nothing was ever there."""
    if not moved.is_back(topic):
        return fold.greatest[source]
    read = _read_predictions if source == PREDICTIONS else _read_truths
    if (before := moved.before.get(topic)) is not None and len(before):
        return min(fold.greatest[source], read(before, fold.context))
    if (behind := moved.behind.get(topic)) is not None and len(behind):
        specifications = fold.context.catalogue.layouts.specifications.values()
        disorder = max([s.disorder_seconds for s in specifications], default=0.0)
        return min(fold.greatest[source], read(behind.first(BEHIND_RECORDS), fold.context) + disorder)
    return -math.inf


def _read_predictions(records: SourceRecords, context: FoldContext) -> float:
    return predictions_batch(records, context, -math.inf).greatest


def _read_truths(records: SourceRecords, context: FoldContext) -> float:
    return truths_batch(records, context, -math.inf).greatest


def _forget_panes(model: ModelFold, floor: float) -> None:
    """Drop what will come again: panes from the floor on."""
    for edition in model.editions.values():
        for panes in edition.panes.values():
            for key in [key for key in panes.panes if edition.clock.start_of(key.pane) >= floor]:
                del panes.panes[key]
                panes.changed.add(key)


def _forget_rows(pool: Pool, at: tuple[int, int]) -> None:
    """Drop what will come again: rows from the positions on."""
    predictions, truths = pool.stores()
    lost = np.setdiff1d(_cut(truths, at[TRUTHS]), _in_status(truths, MATCHED))
    _cut(predictions, at[PREDICTIONS])
    slots = predictions.slots()
    alone = np.isin(predictions.columns["ids"][slots], lost) & (predictions.status[slots] == MATCHED)
    predictions.mark(slots[alone], WAITING)  # its truth will come again


def _cut(rows: Rows, position: int) -> Hashes:
    """Keep the rows in front of a position. Ids of the others that had found their half."""
    slots = rows.slots()
    gone, status = rows.keep(slots, rows.columns["offsets"][slots] < position)
    matched: Hashes = gone["ids"][status == MATCHED]
    return matched


def _in_status(rows: Rows, status: int) -> Hashes:
    """Ids of all rows in this status."""
    slots = rows.slots()
    found: Hashes = rows.columns["ids"][slots[rows.status[slots] == status]]
    return found
