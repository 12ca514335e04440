"""Labelled rows out of the records of both source topics. Pure: the same records in any batches give the same rows.

Predictions and truths are co-partitioned, so each partition is joined for itself, by the observer's own rules
(streams/observer/join/join.py). A row counts if its prediction and its truth both lie at or before T in event time,
whatever stands in the log behind them: so a repeat of a run, or a run on a log that has grown meanwhile, has the
same rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from driftloop.retrainer.dataset import Dataset, Origin, order_of
from driftloop.schemas.batches.columns import Marker, read_predictions, read_truths
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.batches.tails import Tail, Tails
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.observer.join.join import Predictions, Terms, Truths, hash_ids, join_all
from driftloop.streams.observer.time import watermarks_before

ROLES = ("champion", "history")
"""A challenger's record is the same event again, under another score."""

Array = npt.NDArray[Any]


class Records(NamedTuple):
    """Records of one partition of ``predictions`` or ``ground-truth``, in offset order."""

    topic: str
    partition: int
    offsets: npt.NDArray[np.int64]
    keys: list[bytes | None]
    values: list[bytes | None]
    timestamps_ms: list[int]


@dataclass(slots=True)
class Half:
    """What one partition of one topic has said of the model: columns, a list of one array a batch each."""

    greatest: float = -math.inf
    """Greatest event time seen in the partition, of any model."""
    columns: dict[str, list[Array]] = field(default_factory=dict)
    tables: list[tuple[Tails, Array]] = field(default_factory=list)

    def append(self, **columns: Array) -> None:
        for name, column in columns.items():
            self.columns.setdefault(name, []).append(column)

    def whole(self) -> dict[str, Array]:
        return {name: np.concatenate(parts) for name, parts in self.columns.items()}


class Columns:
    """All that was read so far. ``absorb`` any batches, a partition's in order; then ``rows``."""

    def __init__(self, specification: MonitorSpecification, layouts: Layouts) -> None:
        self._specification = specification
        self._layouts = layouts
        self._halves: dict[tuple[str, int], Half] = {}

    def absorb(self, records: Records) -> None:
        half = self._halves.setdefault((records.topic, records.partition), Half())
        if records.topic == "predictions":
            self._predictions(half, records)
        else:
            self._truths(half, records)

    def _predictions(self, half: Half, records: Records) -> None:
        found = read_predictions(records.values, self._layouts, records.keys, records.timestamps_ms)
        before = self._before(half, records, found.columns, found.markers)
        for part in found.columns:
            if part.model == self._specification.model:
                half.tables.append((part.tails, part.tail))
                vectors = {"vectors": part.vectors} if self._specification.embeddings else {}
                half.append(
                    **_common(records, part.rows, part.event_time, before),
                    score=part.score,
                    numeric=part.numeric,
                    **vectors,
                )

    def _truths(self, half: Half, records: Records) -> None:
        found = read_truths(records.values, self._layouts, records.keys, records.timestamps_ms)
        before = self._before(half, records, found.columns, found.markers)
        for part in found.columns:
            if part.model == self._specification.model:
                numbers = {} if self._specification.classes else {"numbers": part.numbers()}
                half.append(**_common(records, part.rows, part.event_time, before), labels=part.code, **numbers)

    def _before(self, half: Half, records: Records, parts: Sequence[Any], markers: Sequence[Marker]) -> Array:
        """The partition's watermark before each record: every model and every time marker moves it."""
        times = np.full(len(records.values), -math.inf)
        for part in parts:
            times[part.rows] = part.event_time
        for marker in markers:
            times[marker.row] = marker.event_time
        before = watermarks_before(times, self._specification.disorder_seconds, half.greatest)
        half.greatest = max(half.greatest, float(times.max(initial=-math.inf)))
        return before

    def rows(self, as_of: float) -> tuple[Dataset, Origin]:
        """Labelled rows known at ``as_of``, in order."""
        tails = TailNumbers()
        parts = []
        for (topic, partition), predictions in sorted(self._halves.items(), key=lambda item: item[0]):
            truths = self._halves.get(("ground-truth", partition))
            if topic == "predictions" and predictions.columns and truths and truths.columns:
                parts.append(self._joined(partition, predictions, truths, tails, as_of))
        return self._dataset(parts or [self._nothing()], tails.known)

    def _joined(
        self, partition: int, predictions: Half, truths: Half, tails: TailNumbers, as_of: float
    ) -> dict[str, Array]:
        made, known = predictions.whole(), truths.whole()
        tail = tails.number(predictions.tables)
        pairs = join_all(
            Predictions(made["ids"], made["times"], made["before"], made["offsets"], tails.seats()[tail]),
            Truths(known["ids"], known["times"], known["before"], known["offsets"], known["labels"]),
            Terms.of(self._specification),
        )
        p, t = pairs.prediction_rows, pairs.truth_rows
        keep = (made["times"][p] <= as_of) & (known["times"][t] <= as_of) & (known["labels"][t] >= 0)
        keep &= tails.in_roles()[tail[p]]
        p, t = p[keep], t[keep]
        _, first = np.unique(made["ids"][p], return_index=True)  # pairs ascend by offset: the first version to say it
        p, t = p[first], t[first]
        return {
            "partition": np.full(len(p), partition, np.int32),
            "prediction_offset": made["offsets"][p],
            "truth_offset": known["offsets"][t],
            "ids": made["ids"][p],
            "labels": known["labels"][t].astype(np.int8),
            "event_time": made["times"][p],
            "known_at": known["times"][t],
            "score": made["score"][p],
            "numeric": made["numeric"][p],
            "tail": tail[p],
            **({"vectors": made["vectors"][p]} if self._specification.embeddings else {}),
        }

    def _dataset(self, parts: list[dict[str, Array]], tails: list[Tail]) -> tuple[Dataset, Origin]:
        whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = order_of(whole["event_time"], whole["partition"], whole["prediction_offset"])
        whole = {name: column[order] for name, column in whole.items()}
        tail = whole["tail"]
        numeric = {f.name: whole["numeric"][:, j] for j, f in enumerate(self._specification.numeric)}
        texts = {
            f.name: _objects([t.categories[j] for t in tails])[tail]
            for j, f in enumerate(self._specification.categorical)
        }
        known = numeric | texts | embedded(self._specification, whole)
        versions = tuple(dict.fromkeys(t.version for t in tails))
        version = np.array([versions.index(t.version) for t in tails], np.int32)
        dataset = Dataset(
            {f.name: known[f.name] for f in self._specification.features},
            whole["labels"],
            whole["event_time"],
            whole["known_at"],
            whole["score"],
            version[tail],
            versions,
        )
        return dataset, Origin(whole["partition"], whole["prediction_offset"], whole["truth_offset"], whole["ids"])

    def _nothing(self) -> dict[str, Array]:
        floats, whole = np.empty(0), np.empty(0, np.int64)
        return {
            "partition": np.empty(0, np.int32),
            "prediction_offset": whole,
            "truth_offset": whole,
            "ids": np.empty(0, np.uint64),
            "labels": np.empty(0, np.int8),
            "event_time": floats,
            "known_at": floats,
            "score": floats,
            "numeric": np.empty((0, len(self._specification.numeric))),
            "tail": whole,
            "vectors": np.empty((0, sum(f.width for f in self._specification.embeddings)), np.float32),
        }


def embedded(specification: MonitorSpecification, rows: dict[str, Array]) -> dict[str, Array]:
    """The embeddings among the rows by name, f4[n, width] each."""
    ends = np.cumsum([f.width for f in specification.embeddings]).tolist()
    return {
        f.name: rows["vectors"][:, end - f.width : end] for f, end in zip(specification.embeddings, ends, strict=True)
    }


class TailNumbers:
    """One number for each tail over all tables (a full table is followed by a new one, schemas/batches/tails.py)."""

    def __init__(self) -> None:
        self.known: list[Tail] = []
        self._start: dict[int, tuple[int, Tails]] = {}

    def number(self, tables: list[tuple[Tails, Array]]) -> Array:
        """The numbers of rows given as (table, index) batches. All tables must be complete."""
        return np.concatenate([self._start_of(table) + index for table, index in tables])

    def _start_of(self, table: Tails) -> int:
        if id(table) not in self._start:
            self._start[id(table)] = len(self.known), table
            self.known.extend(table)
        return self._start[id(table)][0]

    def seats(self) -> Array:
        """A number for each (version, role), by tail."""
        numbers: dict[tuple[str, str], int] = {}
        return np.array([numbers.setdefault((t.version, t.role), len(numbers)) for t in self.known], np.int16)

    def in_roles(self) -> npt.NDArray[np.bool_]:
        return np.array([t.role in ROLES for t in self.known], bool)


def _common(records: Records, rows: Array, event_time: Array, before: Array) -> dict[str, Array]:
    keys = records.keys if len(rows) == len(records.keys) else [records.keys[row] for row in rows.tolist()]
    return {
        "ids": hash_ids(keys),  # type: ignore[arg-type]  # a record without a key was refused
        "times": event_time,
        "before": before[rows],
        "offsets": records.offsets[rows],
    }


def _objects(values: list[str | None]) -> Array:
    found = np.empty(len(values), object)
    found[:] = values
    return found
