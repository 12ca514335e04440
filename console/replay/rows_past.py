"""A past out of rows of a file: each row a prediction, and a truth where it has a label. No broker was ever there.

    event_time, score, one column a feature | predicted, label, label_time: when the label became known

Without ``label_time`` a label is known at the instant of its prediction. Behind the last row the time of labels goes
by, so that every window closes. What a row's columns may hold: docs/reference.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from driftloop.console.reference_rows import ReferenceRows, Selection
from driftloop.console.rows.gather import read_file
from driftloop.console.rows.naming import Asked
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import encode
from driftloop.schemas.events import GroundTruth, TimeMarker
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import SourceRecords
from driftloop.streams.observer.fold import SOURCES
from numpy.typing import NDArray

if TYPE_CHECKING:
    from driftloop.console.replay.history import Held

BATCH_ROWS = 5_000
VERSION = "file"
"""Of the model that predicted, as windows tell it."""
DAY_SECONDS = 86_400.0
Record = tuple[bytes | None, bytes]
"""Key and value."""


class RowsPast:
    """Use it with ``with``; a Past. The catalogue must know the model's monitor before ``read``.

    Errors: ConfigError, as read_file."""

    partitions = 1

    def __init__(self, file: Path, model: str) -> None:
        self._file, self._model = file, model
        self._topics = Settings()
        self._offsets = dict.fromkeys(SOURCES, 0)
        self.catalogue = Catalogue()
        self.told: list[bytes] = []
        self.records = 0

    def __enter__(self) -> RowsPast:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def topic(self, short: str) -> str:
        return self._topics.topic(short)

    def read(self, held: Held) -> Iterator[SourceRecords]:  # noqa: ARG002 (they are given out in step)
        specification = self.catalogue.specification(self._model)
        assert specification is not None, f"{self._model} has a monitor by now"
        rows = read_file(specification, self._file, Asked(), Selection())
        known_at, labelled = _truths(rows)
        self.records = len(rows.event_time) + len(labelled) + 2
        times = np.r_[rows.event_time, known_at, 0.0]
        end = float(times.max()) + specification.horizon_seconds + specification.window_seconds + DAY_SECONDS
        told = _Told(specification, rows, known_at, labelled)
        for first in range(0, len(rows.event_time), BATCH_ROWS):
            some = range(first, min(first + BATCH_ROWS, len(rows.event_time)))
            yield self._batch("predictions", told.predictions(some), end)
            until = np.searchsorted(known_at, rows.event_time[some[-1]], side="right")
            yield self._batch("ground-truth", told.truths(int(until)), end)
        yield self._batch("ground-truth", told.truths(len(labelled)), end)
        for short in SOURCES:
            yield self._batch(short, [(None, encode(TimeMarker(end, "the end of the file")))], end)

    def _batch(self, short: str, records: list[Record], end: float) -> SourceRecords:
        first = self._offsets[short]
        self._offsets[short] += len(records)
        keys, values = [key for key, _ in records], [value for _, value in records]
        offsets, stamps = range(first, first + len(records)), [int(end * 1000)] * len(records)
        return SourceRecords(self.topic(short), 0, offsets, keys, values, stamps, [()] * len(records), 0)


def _truths(rows: ReferenceRows) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(when they are known, ascending; their rows)."""
    has = np.isfinite(rows.labels) if rows.labels.dtype.kind == "f" else rows.labels >= 0
    labelled = np.flatnonzero(has)
    told = rows.known_at[labelled] if len(rows.known_at) else np.full(len(labelled), np.nan)
    known_at = np.where(np.isnan(told), rows.event_time[labelled], told)
    order = np.argsort(known_at, kind="stable")
    return known_at[order], labelled[order]


class _Told:
    """Rows as records, in step; ``truths`` goes on where it was."""

    def __init__(
        self,
        specification: MonitorSpecification,
        rows: ReferenceRows,
        known_at: NDArray[np.float64],
        labelled: NDArray[np.int64],
    ) -> None:
        self._specification, self._rows = specification, rows
        self._known_at, self._labelled = known_at, labelled
        self._layout, self._done = layout(specification), 0

    def predictions(self, some: range) -> list[Record]:
        rows, classes = self._rows, self._specification.classes
        names = [f.name for f in self._specification.features]
        columns = [_cells(rows.columns[name][some.start : some.stop]) for name in names]
        scores, said = rows.score[some.start : some.stop].tolist(), rows.predicted[some.start : some.stop].tolist()
        found: list[Record] = []
        for row, score, code, *cells in zip(some, scores, said, *columns, strict=True):
            features = dict(zip(names, cells, strict=True))
            predicted = classes[code] if classes and code >= 0 else None
            when = float(rows.event_time[row])
            value = encode_prediction(self._layout, when, score, features, VERSION, predicted=predicted)
            found.append((b"%d" % row, value))
        return found

    def truths(self, until: int) -> list[Record]:
        """The next ones, up to the one with this number, not included."""
        classes, model = self._specification.classes, self._specification.model
        found: list[Record] = []
        for i in range(self._done, until):
            row = int(self._labelled[i])
            label = classes[int(self._rows.labels[row])] if classes else float(self._rows.labels[row])
            found.append((b"%d" % row, encode(GroundTruth(float(self._known_at[i]), model, label))))
        self._done = until
        return found


def _cells(column: NDArray[Any]) -> list[Any]:
    """One value a row; a missing embedding is None."""
    if column.ndim == 1:
        return list(column.tolist())
    return [None if gone else vector for vector, gone in zip(column, np.isnan(column).any(axis=1), strict=True)]
