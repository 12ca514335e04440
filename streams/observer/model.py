"""One model in one partition: rows are gathered, and folded into panes and counters once they are joined.

predicted, observed   only gather columns: many small batches cost one fold
                      (join/pool.py joins them, panes/together.py folds what it has joined)
collect               tell what is due
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import xxhash
from driftloop.schemas.batches.batch import PredictionColumns, TruthColumns
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.observer.counters import CHALLENGER, Counters
from driftloop.streams.observer.join import paired
from driftloop.streams.observer.join.gathered import Gathered
from driftloop.streams.observer.join.index import Hashes, Slots
from driftloop.streams.observer.join.join import Join, Predictions, Terms, Truths
from driftloop.streams.observer.join.pool import Pool, Shape, members_of
from driftloop.streams.observer.join.rows import Columns, blank
from driftloop.streams.observer.join.seats import Seats
from driftloop.streams.observer.panes.edition import Edition
from driftloop.streams.observer.panes.panes import Due, Panes
from driftloop.streams.observer.panes.segments import SegmentPanes, payload_of, payload_types
from driftloop.streams.observer.panes.table import Table, Tables
from driftloop.streams.observer.placement import Placement
from driftloop.streams.observer.recovery.replay import NOTHING, PREDICTIONS, TRUTHS, Replay
from driftloop.streams.observer.time import Clock
from numpy.typing import DTypeLike, NDArray

ACTIVATIONS_KEPT = 100

Times = NDArray[np.float64]


def salt_of(model: str) -> np.uint64:
    """What the hashes of the model's ids are xored with, so that rows of two models of one pool never meet."""
    return np.uint64(xxhash.xxh3_64_intdigest(model.encode()))


class Where(NamedTuple):
    """Of rows of one topic: id hashes, offsets, the greatest event time of the partition before each, ids."""

    ids: Hashes
    offsets: NDArray[np.int64]
    greatest_before: Times
    keys: Sequence[bytes]

    def of(self, rows: NDArray[np.int64]) -> Where:
        """The same of some of them."""
        keys = [self.keys[row] for row in rows.tolist()]
        return Where(self.ids[rows], self.offsets[rows], self.greatest_before[rows], keys)


class Told(NamedTuple):
    """A pane of ``edition`` that is due, and whether it is one of its features or its labels."""

    due: float
    edition: Edition
    panes: Panes
    pane: Due


class ModelFold:
    """``editions``: the model's specifications that anything here was folded by; ``active`` is the number of the one
    that is applied to what comes."""

    pool: Pool
    member: int
    """Its number there. Both are set by Pools.place."""

    def __init__(
        self,
        spec: MonitorSpecification,
        tables: Tables,
        segmentations: int | None = None,
        replay: Replay = NOTHING,
    ) -> None:
        """``segmentations``: of how many a waiting prediction keeps the segment; by default those of ``spec``."""
        self.model = spec.model
        self.salt = salt_of(spec.model)
        self.replay = replay
        self.tables = tables
        self.editions: dict[int, Edition] = {0: Edition(spec, tables, replay.first_revision)}
        self.active = 0
        self.seats = Seats()
        self.segmentations = len(self.edition.segments) if segmentations is None else segmentations
        self.counters = Counters()
        self.placement: Placement | None = None
        """Set by the partition that this belongs to."""
        self.changed = True
        """Seats, editions or counters differ from the state record."""
        self.told_until = -math.inf
        """Up to this watermark everything has been told. In a settled deployment nothing is learnt behind it; but an
        overflow is, and what shorter terms settle at once: that is counted at the next instant, for a total told
        for an instant stands."""
        self.saved_editions: set[int] = set()
        self.activations: list[tuple[str, str, int]] = []
        """(specification, topic, offset) from which each was applied here, the last few."""
        self.gathered: list[Gathered] = []
        self.gathered_truths: list[tuple[Truths, Columns]] = []

    @property
    def edition(self) -> Edition:
        return self.editions[self.active]

    @property
    def clock(self) -> Clock:
        return self.edition.clock

    @property
    def join(self) -> Join:
        return self.pool.join

    @property
    def shape(self) -> Shape:
        """Of the pool that a model of this specification belongs into."""
        return Shape.of(self.clock, Terms.of(self.edition.spec), self._types(), self.edition.task.truth_payload)

    def activate(self, spec: MonitorSpecification, topic: str, offset: int) -> None:
        """From this record on predictions are folded by ``spec``. Its horizon counts for what is waiting too."""
        self.pool.drain()
        self.activations = [*self.activations[1 - ACTIVATIONS_KEPT :], (spec.spec, topic, offset)]
        self.active = max(self.editions) + 1
        self.editions[self.active] = Edition(spec, self.tables, self.replay.first_revision)
        self.segmentations = max(self.segmentations, len(self.edition.segments))
        self.changed = True

    def predicted(self, columns: PredictionColumns, where: Where) -> None:
        if self.placement is not None:
            self.placement.gather(PREDICTIONS, self.model, where.keys)
        seats_known = len(self.seats.names)
        seats, predicted, categories = self.seats.codes(columns)
        self.changed |= len(self.seats.names) > seats_known
        before = where.greatest_before - self.clock.disorder_seconds
        batch = Predictions(where.ids ^ self.salt, columns.event_time, before, where.offsets, seats)
        segments = self.edition.segments.codes(columns)
        vectors = self.edition.spec.whole_vectors(columns.vectors, columns.numeric)
        rest = (columns.numeric, categories, segments, vectors)
        self.gathered.append(Gathered(batch, columns.score, predicted, *rest))

    def observed(self, columns: TruthColumns, where: Where) -> None:
        if self.placement is not None:
            self.placement.gather(TRUTHS, self.model, where.keys)
        before = where.greatest_before - self.clock.disorder_seconds
        truths = Truths(where.ids ^ self.salt, columns.event_time, before, where.offsets, columns.code)
        kept: dict[str, NDArray[Any]] = {}
        wanted = self.join.truths.types
        if "values" in wanted:
            kept["values"] = columns.value
        if "numbers" in wanted:
            kept["numbers"] = columns.numbers()
        self.gathered_truths.append((truths, kept))

    def rows_to_read(self, predictions_greatest: float, truths_greatest: float) -> Iterator[tuple[Table, list[int]]]:
        """What ``collect`` and the state records are about to read of the tables of panes."""
        predictions_watermark, watermark = self._watermarks(predictions_greatest, truths_greatest)
        for edition in self.editions.values():
            for panes in edition.panes.values():
                until = predictions_watermark if panes.kind == "features" else watermark
                if rows := panes.rows_to_read(until):
                    yield panes.table, rows

    def collect(self, predictions_greatest: float, truths_greatest: float) -> list[Told]:
        """What is due when these are the greatest event times of the two topics, in order of the instants. Its pool
        has been drained and settled before."""
        predictions_watermark, watermark = self._watermarks(predictions_greatest, truths_greatest)
        if predictions_watermark == -math.inf:
            return []
        told: list[Told] = []
        for edition in self.editions.values():
            horizon_seconds = max(edition.spec.horizon_seconds, self.join.terms.horizon_seconds)
            for panes in edition.panes.values():
                until = predictions_watermark if panes.kind == "features" else watermark
                if panes.is_due(until):
                    told += [Told(due.due, edition, panes, due) for due in panes.take_due(until)]
                panes.close(until, horizon_seconds)
        told.sort(key=lambda t: t.due)  # stable: within an instant by edition, kind and key
        for one in told:
            self._count_told(one)
        self.told_until = max(self.told_until, watermark)
        self._retire()
        return told

    def _watermarks(self, predictions_greatest: float, truths_greatest: float) -> tuple[float, float]:
        """Of the predictions; of both topics."""
        predictions = predictions_greatest - self.clock.disorder_seconds
        return predictions, min(predictions, truths_greatest - self.clock.disorder_seconds)

    def _types(self) -> dict[str, DTypeLike]:
        """Columns of a prediction that the active specification keeps, beside the join's own."""
        return {"specs": "<i2", **self.edition.task.payload, **payload_types(self.segmentations)}

    def kept(self, new: Gathered) -> dict[str, NDArray[Any]]:
        """The columns that rows of this pool keep of predictions, beside the join's own."""
        rows = len(new.batch.ids)
        payload: dict[str, NDArray[Any]] = payload_of(new.segments, self.segmentations) | {
            "specs": np.full(rows, self.active, np.int16),
            **self.edition.task.kept(new.scores, new.predicted),
        }
        for name, kind in self.pool.shape.predictions:
            if name not in payload:  # kept for an earlier specification
                payload[name] = blank(kind, rows)
        return payload

    def editions_of(self, predictions: Slots) -> Iterator[tuple[Edition, Slots | slice]]:
        """By which each of these was folded: (edition, positions)."""
        if len(self.editions) == 1:
            yield self.edition, slice(None)
            return
        specs = self.join.predictions.columns["specs"][predictions]
        for number in np.unique(specs).tolist():
            yield self.editions[number], np.flatnonzero(specs == number)

    def fold_contests(self, predictions: Slots, truths: Slots) -> None:
        """Compare challengers with champions because of new pairs."""
        if self.seats.challengers.any():
            self._fold_contests(paired.met(self.join, self.seats, predictions, truths))

    def _fold_contests(self, met: paired.Met) -> None:
        """Compare challengers with champions, under the specification by which both were folded."""
        specs = self.join.predictions.columns["specs"][met.champions]
        for number in np.unique(specs).tolist():
            edition, here = self.editions[number], paired.Met(*(slots[specs == number] for slots in met))
            edition.paired.fold_met(edition.task, self.join, self.replay, here)

    def _count_told(self, told: Told) -> None:
        """What a pane tells anew of is known of from its instant on; segments and contests tell the rows again."""
        self.changed = True
        again = isinstance(told.panes, SegmentPanes) or told.panes.kind == paired.KIND
        if again or (self.replay.layers and self._was_told(told)):
            return
        suffix = CHALLENGER if self.seats.challengers[told.pane.key.seat] else ""
        rows, labelled = told.pane.gained
        if told.panes.kind == "features":
            self.counters.gain(f"predictions{suffix}", told.due, rows)
        else:
            self.counters.gain(f"labelled{suffix}", told.due, labelled)
            self.counters.gain(f"unlabelled{suffix}", told.due, rows - labelled)

    def _was_told(self, told: Told) -> bool:
        clock = told.edition.clock
        sources = (PREDICTIONS,) if told.panes.kind == "features" else (PREDICTIONS, TRUTHS)
        return self.replay.was_told(clock.start_of(told.pane.key.pane), told.due, sources, clock.disorder_seconds)

    def _retire(self) -> None:
        """Forget former specifications by which nothing here was folded any more, once the state says of their last
        panes that they are gone: such a record without its specification could not be read."""
        if len(self.editions) == 1:
            return
        open_ = {n for n, e in self.editions.items() if any(p.panes or p.changed for p in e.panes.values())}
        used = {self.active} | open_
        rows = self.join.predictions
        for segment in rows:
            slots = rows.slots_of(segment)
            mine = slots[members_of(rows, slots) == self.member]
            used.update(np.unique(rows.columns["specs"][mine]).tolist())
        for number in set(self.editions) - used:
            del self.editions[number]
            self.changed = True
