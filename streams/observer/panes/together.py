"""Rows of one pool into the panes of all their models: one pass for the editions that count in the same way."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from driftloop.schemas.baseline.projection import Projected
from driftloop.streams.observer.join.gathered import Gathered, stacked
from driftloop.streams.observer.join.index import Slots
from driftloop.streams.observer.join.join import ACCEPTED, Join, Predictions
from driftloop.streams.observer.panes.edition import Edition
from driftloop.streams.observer.panes.panes import Place, fold_into
from driftloop.streams.observer.panes.segments import payload_types
from driftloop.streams.observer.panes.sketch import columns_of
from driftloop.streams.observer.panes.table import Added
from driftloop.streams.observer.recovery.replay import Replay
from numpy.typing import NDArray

_PREDICTION_COLUMNS = ("times", "before", "offsets", "seats")
_TRUTH_COLUMNS = ("times", "before", "offsets", "labels")


class Made(NamedTuple):
    """New predictions of one edition, and what the join said of each."""

    edition: Edition
    new: Gathered
    verdicts: NDArray[np.int8]


class Met(NamedTuple):
    """Slots of new pairs whose predictions were folded by one edition."""

    edition: Edition
    predictions: Slots
    truths: Slots


PartT = TypeVar("PartT", Made, Met)


def fold_predictions(parts: Iterable[Made], replay: Replay) -> None:
    """Fold what the join has accepted into the panes of features."""
    for alike in _grouped(parts, lambda edition: edition.features_key):
        _fold_made(alike, replay)


def fold_pairs(parts: Iterable[Met], join: Join, replay: Replay) -> None:
    """Fold new pairs into the label panes of the editions by which their predictions were folded."""
    for alike in _grouped(parts, lambda edition: edition.labels_key):
        _fold_met(alike, join, replay)


def _fold_made(parts: Sequence[Made], replay: Replay) -> None:
    edition, new = parts[0].edition, parts[0].new
    batch = Predictions(*stacked([part.new.batch for part in parts]))
    lengths = np.array([len(part.verdicts) for part in parts])
    whose = np.repeat(np.arange(len(parts)), lengths)
    verdicts, *told = stacked([(part.verdicts, *part.new[1:5]) for part in parts])
    columns = columns_of([part.edition.sketch for part in parts], lengths, *told)
    accepted = verdicts == ACCEPTED
    segments, projected = new.segments, edition.embeddings.project(new.vectors)  # read of an edition by itself alone
    if edition.embeddings:
        columns = np.concatenate([columns, edition.embeddings.columns(new.vectors, projected)], axis=1)
    if edition.segments:
        columns = np.concatenate([columns, edition.segments.others(segments, edition.sketch.layout)], axis=1)
    clock = edition.clock
    if replay.layers:
        accepted &= replay.new_predictions(clock.start_of(clock.pane_of(batch.times)), batch.offsets)
    if not accepted.all():
        batch = Predictions(*[column[accepted] for column in batch])
        columns, whose = columns[accepted], whose[accepted]
        projected = [Projected(*[column[accepted] for column in p]) for p in projected]
        segments = segments[accepted] if edition.segments else segments
    panes = clock.pane_of(batch.times)
    instants = clock.ends_of(panes)
    due = clock.due(instants, batch.before)
    place = Place(batch.seats.astype(np.int64), np.full(len(panes), -1), panes, instants, due)
    added = Added(columns, np.empty((len(panes), 0), np.int64), batch.offsets, None)
    added = added._replace(group_sums=edition.embeddings.group_sums(projected))
    fold_into([part.edition.features for part in parts], whose, place, added)
    if edition.segments:
        head = edition.sketch.head_columns(columns)
        edition.feature_segments.fold_each(place, added._replace(columns=head, group_sums=None), segments)


def _fold_met(parts: Sequence[Met], join: Join, replay: Replay) -> None:
    edition = parts[0].edition
    predictions, truths = stacked([part[1:] for part in parts])
    whose = np.repeat(np.arange(len(parts)), [len(part.predictions) for part in parts])
    clock, task, made, known = edition.clock, edition.task, join.predictions.columns, join.truths.columns
    if replay.layers:  # those that were not folded before a rewind
        starts = clock.start_of(clock.pane_of(made["times"][predictions]))
        new = replay.new_pairs(starts, made["offsets"][predictions], known["offsets"][truths])
        predictions, truths, whose = predictions[new], truths[new], whose[new]
    p = {name: made[name][predictions] for name in (*_PREDICTION_COLUMNS, *task.payload)}
    t = {name: known[name][truths] for name in (*_TRUTH_COLUMNS, *task.truth_payload)}
    delay = t["times"] - p["times"]
    buckets, panes = clock.buckets(delay), clock.pane_of(p["times"])
    instants = clock.ends_of(panes) + np.asarray(clock.delay_edges)[buckets]
    due = np.maximum(clock.due(instants, p["before"]), clock.due(instants, t["before"]))
    columns, sums, scattered = task.labelled(p, t, delay)
    place = Place(p["seats"].astype(np.int64), buckets, panes, instants, due)
    added = Added(columns, sums, p["offsets"], t["offsets"], scattered)
    fold_into([part.edition.labels for part in parts], whose, place, added)
    if edition.segments:
        codes = [made[name][predictions] for name in payload_types(len(edition.segments))]
        edition.label_segments.fold_each(place, added, np.stack(codes, axis=1))


def _grouped(parts: Iterable[PartT], key: Callable[[Edition], Hashable]) -> Iterable[list[PartT]]:
    found: dict[Hashable, list[PartT]] = {}
    for part in parts:
        found.setdefault(key(part.edition), []).append(part)
    return found.values()
