"""Rows of declared segments (schemas/monitor/segments.py): which one each prediction is in, and panes of their own.

A segment is a number: those of the first segmentation, its "other", those of the second, ... In the keys of
SegmentPanes a seat and a segment are one number, seat * segments + segment.
"""

from __future__ import annotations

import numpy as np
from driftloop.schemas.batches.batch import PredictionColumns
from driftloop.schemas.batches.tails import Tails
from driftloop.schemas.monitor.intervals import cuts_of, interval_codes
from driftloop.schemas.monitor.segments import Segmentation
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.observer.panes.panes import PaneKey, Panes, Place
from driftloop.streams.observer.panes.sketch import Layout
from driftloop.streams.observer.panes.table import Added, Table
from driftloop.streams.observer.time import Clock
from numpy.typing import DTypeLike, NDArray

SegmentCodes = NDArray[np.uint8]


def payload_types(segmentations: int) -> dict[str, DTypeLike]:
    """The columns that a waiting prediction has for its segments: a byte each."""
    return {f"segment{k}": "u1" for k in range(segmentations)}


def payload_of(codes: SegmentCodes, segmentations: int) -> dict[str, SegmentCodes]:
    """The columns for ``codes`` [n, K]; those that its specification does not have are zero, and never read."""
    absent = np.zeros(len(codes), np.uint8)
    return {f"segment{k}": codes[:, k] if k < codes.shape[1] else absent for k in range(segmentations)}


class Segments:
    """The segmentations of one specification whose combinations are known: none are told before."""

    def __init__(self, spec: MonitorSpecification) -> None:
        self.known: tuple[Segmentation, ...] = tuple(s for s in spec.segments if s.values is not None)
        self.names = [name for s in self.known for name in s.segments]
        self.firsts = np.cumsum([0, *(len(s.segments) for s in self.known)])[:-1]
        position = {f.name: i for i, f in enumerate(spec.categorical)}
        column = {f.name: j for j, f in enumerate(spec.numeric)}
        self._numbers = [
            (k, column[s.features[0]], cuts_of(s.values or ()))
            for k, s in enumerate(self.known)
            if s.features[0] in column
        ]
        """(segmentation, column, cuts) of those by a number; the others follow from a row's tail."""
        numbers = {k for k, _, _ in self._numbers}
        self._positions = [
            None if k in numbers else [position[name] for name in s.features] for k, s in enumerate(self.known)
        ]
        self._tails: Tails | None = None
        self._codes = np.empty((0, len(self.known)), np.uint8)

    def __len__(self) -> int:
        return len(self.known)

    def codes(self, columns: PredictionColumns) -> SegmentCodes:
        """uint8[n, K]: the code of each row in each segmentation."""
        if not self.known:
            return np.empty((len(columns.tail), 0), np.uint8)
        if columns.tails is not self._tails:
            self._tails, self._codes = columns.tails, self._codes[:0]
        if new := columns.tails[len(self._codes) :]:
            learned = [self._of(tail.categories) for tail in new]
            self._codes = np.concatenate([self._codes, np.array(learned, np.uint8)])
        found = self._codes[columns.tail]
        for k, j, cuts in self._numbers:
            found[:, k] = interval_codes(cuts, columns.numeric[:, j])
        return found

    def others(self, codes: SegmentCodes, layout: Layout) -> NDArray[np.int64]:
        """int64[n, K]: the column segment_other:<name> of rows whose combination is not known, else the sink."""
        other = np.array([s.other for s in self.known])
        at = np.array([layout.at[f"segment_other:{s.name}"] for s in self.known])
        return np.where(codes == other, at, layout.sink)

    def _of(self, categories: tuple[str | None, ...]) -> list[int]:
        return [
            s.other if positions is None else s.codes.get(tuple([categories[i] for i in positions]), s.other)
            for s, positions in zip(self.known, self._positions, strict=True)
        ]


class SegmentPanes(Panes):
    """Panes of one kind and one specification, one for each segment that has rows."""

    def __init__(self, kind: str, layout: Layout, sums: int, clock: Clock, segments: Segments) -> None:
        super().__init__(kind, layout, clock, Table(layout.width, sums))
        self.segments = segments

    def fold_each(self, place: Place, added: Added, codes: SegmentCodes) -> None:
        """Count n rows into their segment of every segmentation; ``codes`` [n, K]."""
        seats = place.seats * len(self.segments.names)
        for k, first in enumerate(self.segments.firsts.tolist()):
            self.fold(place._replace(seats=seats + first + codes[:, k]), added)

    def place_of(self, key: PaneKey) -> tuple[int, str]:
        """(seat, name of the segment)."""
        seat, segment = divmod(key.seat, len(self.segments.names))
        return seat, self.segments.names[segment]
