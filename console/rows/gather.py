"""Chunks of a file to the rows a reference is built from, those selected alone, within a bound of memory."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from driftloop.console.reference_rows import NO_LABEL, ReferenceRows, Selection
from driftloop.console.rows import cells
from driftloop.console.rows.cells import Cells
from driftloop.console.rows.naming import Asked, Named, name_columns
from driftloop.console.rows.source import CHUNK_ROWS, Chunk, open_source
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.schemas.outcome import sound_scores, unsound
from numpy.typing import NDArray

VALUES_MOST = 250_000_000
"""Of all rows that are kept: 2 GB of numbers, and counting them takes as much again."""
Array = NDArray[Any]


def read_file(
    specification: MonitorSpecification,
    file: Path,
    asked: Asked,
    selection: Selection,
    at: float | None = None,
) -> ReferenceRows:
    """The rows of a file in the order of event time. ``at``: the event time of all of them, if the file has none.

    ConfigError: what cannot be used, with file, line or row, column and value; more rows than memory is given to.
    """
    if selection.role or selection.offsets:
        raise ConfigError("rows of a file have neither role nor offsets", "leave --role and --offsets out")
    if at is not None and specification.season is not None:
        said = (
            f"the season of {specification.model} compares rows by their hours and weekdays: --at gives all one time"
        )
        raise ConfigError(said, "name the column of each row's time: --event-time COLUMN")
    source = open_source(file)
    columns = name_columns(specification, asked, source.columns, source.head, at is None)
    gatherer = Gatherer(specification, columns, selection, at)
    for chunk in source.chunks(columns.wanted()):
        gatherer.add(chunk)
        if gatherer.values > VALUES_MOST:
            said = f"{file} has more than {gatherer.rows:,} rows to keep, {gatherer.values:,} values"
            raise ConfigError(said, "take a part of it: --from and --to, or --first N")
    return gatherer.whole()


class Gatherer:
    """``add`` the chunks of a file, then take the ``whole``. ``rows`` and ``values`` are kept so far."""

    def __init__(
        self, specification: MonitorSpecification, columns: Named, selection: Selection, at: float | None
    ) -> None:
        self.rows = 0
        self._specification, self._columns, self._selection, self._at = specification, columns, selection, at
        self._seen: dict[str, str] = {}
        self._parts: list[ReferenceRows] = []

    @property
    def values(self) -> int:
        widths = sum(max(1, f.width) for f in self._specification.features)
        return self.rows * (widths + len(self._columns.scores) + 3)

    def add(self, chunk: Chunk) -> None:
        part, first = self._read(chunk), self._selection.first
        low, high = self._selection.from_time, self._selection.to_time
        keep = part.event_time >= (-math.inf if low is None else low)
        keep &= part.event_time < (math.inf if high is None else high)
        self._parts.append(part if keep.all() else part.take(keep))
        self.rows += int(keep.sum())
        if first is not None and self.rows > 2 * first + 8 * CHUNK_ROWS:
            self._parts = [self.whole()]
            self.rows = first

    def whole(self) -> ReferenceRows:
        """What is selected; there may be no rows."""
        parts = self._parts or [self._read(Chunk.empty(self._columns.wanted()))]
        whole = ReferenceRows.joined(parts)
        return whole.take(np.argsort(whole.event_time, kind="stable")[: self._selection.first])

    def _read(self, chunk: Chunk) -> ReferenceRows:
        def of(column: str) -> Cells:
            return Cells(chunk.places, column, chunk.columns[column])

        columns = {f.name: self._feature(f, of(self._columns.features[f.name])) for f in self._specification.features}
        score = self._score([of(name) for name in self._columns.scores])
        named = self._columns.event_time
        event_time = np.full(len(score), self._at) if named is None else cells.times(of(named))
        labels, predicted = self._columns.label, self._columns.predicted
        classes = self._specification.classes
        none: Array = np.full(len(score), NO_LABEL, np.int8)
        said = cells.codes(of(predicted), classes) if predicted and classes else none
        if not classes:
            known: Array = cells.outcomes(of(labels)) if labels else np.full(len(score), np.nan)
        else:
            known = cells.codes(of(labels), classes) if labels else none
        whose = self._columns.version
        version = cells.texts(of(whose), self._seen) if whose else np.full(len(score), "", object)
        version[version == None] = ""  # noqa: E711 (of each element)
        told_at = self._columns.label_time
        known_at = cells.times(of(told_at), may_be_empty=True) if told_at else np.empty(0)
        return ReferenceRows(columns, known, score, event_time, said, (), version, known_at)

    def _feature(self, feature: Feature, found: Cells) -> Array:
        if feature.kind == "numeric":
            return cells.numbers(found)
        if feature.kind == "categorical":
            return cells.texts(found, self._seen)
        return cells.vectors(found, feature)

    def _score(self, found: list[Cells]) -> NDArray[np.float64]:
        task = self._specification.task
        columns = [cells.numbers(one) for one in found]
        score = np.column_stack(columns) if task == "multiclass" else columns[0]
        sound = sound_scores(task, score)
        if not sound.all():
            wrong = int(np.flatnonzero(~sound)[0])
            found[0].refuse(
                wrong, unsound(task, score[wrong].tolist()).message, "every row needs what the model predicted"
            )
        return score
