"""One model in one partition: rows are gathered, joined, and folded into panes and counters.

predicted, observed   only gather columns: many small batches cost one fold
drain                 join.py, then sketch.py, then panes.py
collect               drain, settle what is over, tell what is due
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from driftloop.schemas.batch import PredictionColumns, TruthColumns
from driftloop.schemas.projection import Projected
from driftloop.schemas.specification import MonitorSpecification
from driftloop.streams.observer import paired
from driftloop.streams.observer.counters import CHALLENGER, Counters
from driftloop.streams.observer.embeddings import EmbeddingSketch
from driftloop.streams.observer.gathered import Gathered, stacked, together
from driftloop.streams.observer.index import Hashes, Slots
from driftloop.streams.observer.join import (
    ACCEPTED,
    AMENDMENT,
    REPEAT,
    TOO_LATE,
    Join,
    Predictions,
    Taken,
    Terms,
    Truths,
)
from driftloop.streams.observer.panes import Due, Panes, Place
from driftloop.streams.observer.placement import Placement
from driftloop.streams.observer.replay import NOTHING, PREDICTIONS, TRUTHS, Replay
from driftloop.streams.observer.rows import Columns, Rows, blank
from driftloop.streams.observer.seats import Seats
from driftloop.streams.observer.segments import SegmentPanes, Segments, payload_of, payload_types
from driftloop.streams.observer.sketch import FeatureSketch
from driftloop.streams.observer.table import Added
from driftloop.streams.observer.tasks import task_of
from driftloop.streams.observer.time import Clock
from numpy.typing import DTypeLike, NDArray

MISPLACED = ("misplaced_predictions", "misplaced_truths")
ACTIVATIONS_KEPT = 100
_PREDICTION_COLUMNS = ("times", "before", "offsets", "seats")
_TRUTH_COLUMNS = ("times", "before", "offsets", "labels")
_VERDICTS = {REPEAT: "duplicates", AMENDMENT: "amendments", TOO_LATE: "too_late"}

Times = NDArray[np.float64]


class Where(NamedTuple):
    """Of rows of one topic: id hashes, offsets, the greatest event time of the partition before each, ids."""

    ids: Hashes
    offsets: NDArray[np.int64]
    greatest_before: Times
    keys: Sequence[bytes]


class Edition:
    """One specification of the model, with its open panes: ``panes`` by the name of their state records."""

    def __init__(self, spec: MonitorSpecification, first_revision: int = 0) -> None:
        self.spec = spec
        self.clock = Clock.of(spec)
        self.task = task_of(spec)
        self.sketch = FeatureSketch(spec, self.task)
        self.embeddings = EmbeddingSketch(spec, self.sketch.layout)
        self.features = Panes("features", self.sketch.layout, len(self.embeddings.units), self.clock)
        layout, sums = self.task.layout, len(self.task.units)
        self.labels = Panes("labels", layout, sums, self.clock)
        self.segments = Segments(spec)
        self.paired = paired.PairedPanes(self.clock)
        self.panes = {"features": self.features, "labels": self.labels, paired.KIND: self.paired}
        if self.segments:
            self.feature_segments = SegmentPanes("features", self.sketch.head, 0, self.clock, self.segments)
            self.label_segments = SegmentPanes("labels", layout, sums, self.clock, self.segments)
            self.panes |= {"features of segments": self.feature_segments, "labels of segments": self.label_segments}
        for panes in self.panes.values():
            panes.first_revision = first_revision


class Told(NamedTuple):
    """A pane of ``edition`` that is due, and whether it is one of its features or its labels."""

    due: float
    edition: Edition
    panes: Panes
    pane: Due


class ModelFold:
    """``editions``: the model's specifications that anything here was folded by; ``active`` is the number of the one
    that is applied to what comes."""

    def __init__(
        self, spec: MonitorSpecification, segmentations: int | None = None, replay: Replay = NOTHING
    ) -> None:
        """``segmentations``: of how many a waiting prediction keeps the segment; by default those of ``spec``."""
        self.model = spec.model
        self.replay = replay
        self.editions: dict[int, Edition] = {0: Edition(spec, replay.first_revision)}
        self.active = 0
        self.seats = Seats()
        self.segmentations = len(self.edition.segments) if segmentations is None else segmentations
        task = self.edition.task
        self.join = Join(
            Terms.of(spec),
            {"specs": "<i2", **task.payload, **payload_types(self.segmentations)},
            task.truth_payload,
        )
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
        self._predictions: list[Gathered] = []
        self._truths: list[tuple[Truths, Columns]] = []

    @property
    def edition(self) -> Edition:
        return self.editions[self.active]

    @property
    def clock(self) -> Clock:
        return self.edition.clock

    def activate(self, spec: MonitorSpecification, topic: str, offset: int) -> None:
        """From this record on predictions are folded by ``spec``. Its horizon counts for what is waiting too."""
        self.drain()
        self.activations = [*self.activations[1 - ACTIVATIONS_KEPT :], (spec.spec, topic, offset)]
        self.active = max(self.editions) + 1
        self.editions[self.active] = Edition(spec, self.replay.first_revision)
        self.join.terms = Terms.of(spec)
        self.segmentations = max(self.segmentations, len(self.edition.segments))
        self.join.predictions.widen({**self.edition.task.payload, **payload_types(self.segmentations)})
        self.join.truths.widen(self.edition.task.truth_payload)
        self.changed = True

    def keep_columns(self, predictions: Mapping[str, DTypeLike], truths: Mapping[str, DTypeLike]) -> None:
        """Begin with stores of these columns, as they were when their rows were written."""
        self.join = Join(self.join.terms, predictions, truths)

    def predicted(self, columns: PredictionColumns, where: Where) -> None:
        if self.placement is not None:
            self.placement.gather(PREDICTIONS, self.model, where.keys)
        seats, predicted, categories = self.seats.codes(columns)
        before = where.greatest_before - self.clock.disorder_seconds
        batch = Predictions(where.ids, columns.event_time, before, where.offsets, seats)
        segments = self.edition.segments.codes(columns)
        rest = (columns.numeric, categories, segments, columns.vectors)
        self._predictions.append(Gathered(batch, columns.score, predicted, *rest))

    def observed(self, columns: TruthColumns, where: Where) -> None:
        if self.placement is not None:
            self.placement.gather(TRUTHS, self.model, where.keys)
        before = where.greatest_before - self.clock.disorder_seconds
        truths = Truths(where.ids, columns.event_time, before, where.offsets, columns.code)
        kept: dict[str, NDArray[Any]] = {}
        wanted = self.join.truths.types
        if "values" in wanted:
            kept["values"] = columns.value
        if "numbers" in wanted:
            kept["numbers"] = columns.numbers()
        self._truths.append((truths, kept))

    def drain(self) -> None:
        """Join and fold what has been gathered. Which topic goes first makes no difference (join.py)."""
        if self._predictions or self._truths:
            self.changed = True
        if self._predictions:
            whole = together(self._predictions)
            self._count_misplaced(PREDICTIONS, whole.batch)
            self._fold_predictions(whole)
            self._predictions.clear()
        if self._truths:
            truths = Truths(*stacked([truths for truths, _ in self._truths]))
            names = self._truths[0][1].keys()
            kept = zip(names, stacked([[*k.values()] for _, k in self._truths]), strict=True)
            self._truths.clear()
            self._count_misplaced(TRUTHS, truths)
            taken = self.join.observe(truths, dict(kept))
            self._count(taken, truths, TRUTHS)
            self._fold_pairs(taken)

    def collect(self, predictions_greatest: float, truths_greatest: float) -> list[Told]:
        """What is due when these are the greatest event times of the two topics, in order of the instants."""
        self.drain()
        predictions_watermark = predictions_greatest - self.clock.disorder_seconds
        watermark = min(predictions_watermark, truths_greatest - self.clock.disorder_seconds)
        if predictions_watermark == -math.inf:
            return []
        self._settle(watermark)
        told: list[Told] = []
        for edition in self.editions.values():
            for panes in edition.panes.values():
                until = predictions_watermark if panes.kind == "features" else watermark
                told += [Told(due.due, edition, panes, due) for due in panes.take_due(until)]
                panes.close(until, max(edition.spec.horizon_seconds, self.join.terms.horizon_seconds))
        told.sort(key=lambda t: t.due)  # stable: within an instant by edition, kind and key
        for one in told:
            self._count_told(one)
        self.told_until = max(self.told_until, watermark)
        self._retire()
        return told

    def stores(self) -> tuple[Rows, Rows]:
        """What is remembered: predictions, truths."""
        return self.join.predictions, self.join.truths

    def overflow(self, store: int) -> None:
        """Drop the oldest segment of a store; what was still waiting in it is counted."""
        rows = self.stores()[store]
        oldest = min(rows, key=lambda segment: segment.time_most)
        moment = max(oldest.before_most, oldest.time_most)
        self.counters.add("overflow", self._instants(np.full(rows.open_rows(oldest), moment)))
        rows.drop(oldest)
        self.changed = True

    def _fold_predictions(self, new: Gathered) -> None:
        batch, edition = new.batch, self.edition
        payload: dict[str, NDArray[Any]] = payload_of(new.segments, self.segmentations) | {
            "specs": np.full(len(batch.ids), self.active, np.int16),
            **edition.task.kept(new.scores, new.predicted),
        }
        for name, kind in self.join.predictions.types.items():
            if name not in payload and name not in batch._fields:  # kept for an earlier specification
                payload[name] = blank(kind, len(batch.ids))
        taken = self.join.predict(batch, payload)
        self._count(taken, batch, PREDICTIONS)
        columns = edition.sketch.columns(new.scores, new.predicted, new.numeric, new.categories)
        segments, projected = new.segments, edition.embeddings.project(new.vectors)
        if edition.embeddings:
            columns = np.concatenate([columns, edition.embeddings.columns(new.vectors, projected)], axis=1)
        if edition.segments:
            columns = np.concatenate([columns, edition.segments.others(segments, edition.sketch.layout)], axis=1)
        accepted = taken.verdicts == ACCEPTED
        if self.replay.layers:
            starts = self.clock.start_of(self.clock.pane_of(batch.times))
            accepted &= self.replay.new_predictions(starts, batch.offsets)
        times, before, seats, offsets = batch.times, batch.before, batch.seats, batch.offsets
        if not accepted.all():
            times, before, seats, offsets = times[accepted], before[accepted], seats[accepted], offsets[accepted]
            columns, segments = columns[accepted], segments[accepted]
            projected = [Projected(*[column[accepted] for column in p]) for p in projected]
        panes = self.clock.pane_of(times)
        instants = self.clock.ends_of(panes)
        due = self.clock.due(instants, before)
        place = Place(seats.astype(np.int64), np.full(len(times), -1), panes, instants, due)
        added = Added(columns, np.empty((len(times), 0), np.int64), offsets, None)
        edition.features.fold(place, added._replace(group_sums=edition.embeddings.group_sums(projected)))
        if edition.segments:
            head = edition.sketch.head_columns(columns)
            edition.feature_segments.fold_each(place, added._replace(columns=head), segments)
        self._fold_pairs(taken)

    def _fold_pairs(self, taken: Taken) -> None:
        """Fold new pairs into the label panes of the specification by which each prediction was folded."""
        if not len(taken.prediction_slots):
            return
        specs = self.join.predictions.columns["specs"][taken.prediction_slots]
        for number in np.unique(specs).tolist() if len(self.editions) > 1 else [self.active]:
            here = slice(None) if len(self.editions) == 1 else specs == number
            self._fold_edition(self.editions[number], taken.prediction_slots[here], taken.truth_slots[here])
        if self.seats.challengers.any():
            self._fold_contests(paired.met(self.join, self.seats, taken.prediction_slots, taken.truth_slots))

    def _fold_contests(self, met: paired.Met) -> None:
        """Compare challengers with champions, under the specification by which both were folded."""
        specs = self.join.predictions.columns["specs"][met.champions]
        for number in np.unique(specs).tolist():
            edition, here = self.editions[number], paired.Met(*(slots[specs == number] for slots in met))
            edition.paired.fold_met(edition.task, self.join, self.replay, here)

    def _fold_edition(self, edition: Edition, predictions: Slots, truths: Slots) -> None:
        if self.replay.layers:
            predictions, truths = self._new_pairs(edition.clock, predictions, truths)
        task, made, known = edition.task, self.join.predictions.columns, self.join.truths.columns
        p = {name: made[name][predictions] for name in (*_PREDICTION_COLUMNS, *task.payload)}
        t = {name: known[name][truths] for name in (*_TRUTH_COLUMNS, *task.truth_payload)}
        clock, delay = edition.clock, t["times"] - p["times"]
        buckets, panes = clock.buckets(delay), clock.pane_of(p["times"])
        instants = clock.ends_of(panes) + np.asarray(clock.delay_edges)[buckets]
        due = np.maximum(clock.due(instants, p["before"]), clock.due(instants, t["before"]))
        columns, sums, scattered = task.labelled(p, t, delay)
        place = Place(p["seats"].astype(np.int64), buckets, panes, instants, due)
        added = Added(columns, sums, p["offsets"], t["offsets"], scattered)
        edition.labels.fold(place, added)
        if edition.segments:
            codes = [made[name][predictions] for name in payload_types(len(edition.segments))]
            edition.label_segments.fold_each(place, added, np.stack(codes, axis=1))

    def _new_pairs(self, clock: Clock, predictions: Slots, truths: Slots) -> tuple[Slots, Slots]:
        """Those that were not folded before a rewind."""
        p, t = self.join.predictions.columns, self.join.truths.columns["offsets"]
        starts = clock.start_of(clock.pane_of(p["times"][predictions]))
        new = self.replay.new_pairs(starts, p["offsets"][predictions], t[truths])
        return predictions[new], truths[new]

    def _count(self, taken: Taken, batch: Predictions | Truths, source: int) -> None:
        """Rows that were not accepted: known of as soon as their own topic has passed them."""
        if taken.verdicts.any():
            for verdict, name in _VERDICTS.items():
                found = taken.verdicts == verdict
                if self.replay.layers:
                    found &= self.replay.unread(source, batch.offsets)
                self.counters.add(name, self._instants(batch.before[found]))

    def _count_misplaced(self, source: int, batch: Predictions | Truths) -> None:
        """Rows whose key belongs into another partition."""
        found = self.placement.misplaced(source, self.model) if self.placement is not None else np.zeros(1, bool)
        if not found.any():
            return
        if self.replay.layers:
            found &= self.replay.unread(source, batch.offsets)
        moments = np.maximum(batch.before, batch.times)[found]
        self.counters.add(MISPLACED[source], self._instants(moments))

    def _settle(self, watermark: float) -> None:
        settled = self.join.settle(watermark)
        never, known = settled.never_labelled, self.join.predictions
        challengers = self.seats.challengers[known.columns["seats"][never]]
        self.counters.add("never_labelled", self._over(known, never[~challengers]))
        self.counters.add(f"never_labelled{CHALLENGER}", self._over(known, never[challengers]))
        self.counters.add("orphans", self._over(self.join.truths, settled.orphans))
        self.counters.add("too_late", self._over(self.join.truths, settled.too_late))
        self.changed |= any(map(len, settled))
        self.join.forget(watermark)

    def _over(self, rows: Rows, slots: Slots) -> Times:
        """The instants at which it is known that these rows found no other half."""
        if not len(slots):
            return np.empty(0)
        over = rows.columns["times"][slots] + self.join.terms.horizon_seconds
        moments = np.maximum(over, rows.columns["before"][slots])
        if self.replay.layers:
            source = TRUTHS if rows is self.join.truths else PREDICTIONS
            offsets = rows.columns["offsets"][slots]
            moments = moments[self.replay.unsettled(source, moments, offsets, self.clock.disorder_seconds)]
        return self._instants(moments)

    def _instants(self, moments: Times) -> Times:
        """At which each of these is counted."""
        return self.clock.next_instants(np.maximum(moments, self.told_until))

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
            used.update(np.unique(rows.columns["specs"][rows.slots_of(segment)]).tolist())
        for number in set(self.editions) - used:
            del self.editions[number]
            self.changed = True
