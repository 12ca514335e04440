"""The rows a reference is built from: predictions of the topic, each once, with the label known for it, if any. Pure.

Who belongs to whom is the observer's own join, partition by partition; so a reference counts what the panes count.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from driftloop.retrainer.dataset import ranges_of
from driftloop.retrainer.joining import Columns, Half, TailNumbers, embedded
from driftloop.schemas.batches.tails import Tail
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import OffsetRange
from driftloop.schemas.monitor.specification import label_code
from driftloop.streams.observer.join.join import Predictions, Terms, Truths, join_all
from numpy.typing import NDArray

ROLES = ("champion", "history")
"""A challenger's record is the same event again, under another score."""
NO_LABEL = -1
NO_OFFSET = -1
OFFSET_MOST = 2**63 - 1
_RANGE = re.compile(r"\s*(\d{1,9}):(\d{1,18})-(\d{1,18})?\s*")
Array = NDArray[Any]


class Selection(NamedTuple):
    """Which predictions: event time from (included) to (not included), one role, the first so many in event time.

    ``offsets``: of the predictions topic, both ends included; empty: all.
    """

    from_time: float | None = None
    to_time: float | None = None
    role: str | None = None
    first: int | None = None
    offsets: tuple[OffsetRange, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferenceRows:
    """n rows in the order of event time; ``labels`` and ``predicted``: index of the class, -1 unknown. A regression's
    labels are numbers, NaN unknown; many classes have a score each, f8[n, K]. ``version``: object[n], empty
    where nothing names it. ``known_at``: when each label became known, NaN or no array: nobody says."""

    columns: dict[str, Array]
    labels: NDArray[np.number]
    score: NDArray[np.float64]
    event_time: NDArray[np.float64]
    predicted: NDArray[np.int8]
    offsets: tuple[OffsetRange, ...]
    version: Array
    known_at: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def take(self, which: Array) -> ReferenceRows:
        """These rows, by mask or position; they stand on the same offsets."""
        columns = {name: column[which] for name, column in self.columns.items()}
        labels, score, predicted = self.labels[which], self.score[which], self.predicted[which]
        times, version = self.event_time[which], self.version[which]
        known_at = self.known_at[which] if len(self.known_at) else self.known_at
        return ReferenceRows(columns, labels, score, times, predicted, self.offsets, version, known_at)

    @classmethod
    def joined(cls, parts: Sequence[ReferenceRows]) -> ReferenceRows:
        """One behind the other."""
        return cls(
            {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.event_time for part in parts]),
            np.concatenate([part.predicted for part in parts]),
            tuple(offset for part in parts for offset in part.offsets),
            np.concatenate([part.version for part in parts]),
            np.concatenate([part.known_at for part in parts]),
        )


class ReferenceColumns(Columns):
    """Absorbs records of both topics as the retrainer does; ``select`` keeps predictions without a label too."""

    def select(self, selection: Selection) -> ReferenceRows:
        """The rows of a selection. Errors: none; there may be no rows."""
        tails = TailNumbers()
        parts = [
            self._partition(partition, half, self._halves.get(("ground-truth", partition)), tails)
            for (topic, partition), half in sorted(self._halves.items(), key=lambda item: item[0])
            if topic == "predictions" and half.columns
        ]
        if not parts:
            return self._no_rows()
        whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        rows = chosen(whole, tails.known, selection)
        return self._rows({name: column[rows] for name, column in whole.items()}, tails.known)

    def _partition(
        self, partition: int, predictions: Half, truths: Half | None, tails: TailNumbers
    ) -> dict[str, Array]:
        made = predictions.whole()
        tail = tails.number(predictions.tables)
        seats = tails.seats()[tail]
        labels: Array = np.full(len(tail), NO_LABEL, np.int8)
        if not self._specification.classes:
            labels = np.full(len(tail), np.nan)
        truth_offsets = np.full(len(tail), NO_OFFSET, np.int64)
        if truths is not None and truths.columns:
            known = truths.whole()
            pairs = join_all(
                Predictions(made["ids"], made["times"], made["before"], made["offsets"], seats),
                Truths(known["ids"], known["times"], known["before"], known["offsets"], known["labels"]),
                Terms.of(self._specification),
            )
            labels[pairs.prediction_rows] = self._labels(known)[pairs.truth_rows]
            truth_offsets[pairs.prediction_rows] = known["offsets"][pairs.truth_rows]
        once = first_of_each(made["ids"], seats)
        found = made | {"tail": tail, "labels": labels, "truth_offsets": truth_offsets}
        found["partition"] = np.full(len(tail), partition, np.int32)
        return {name: column[once] for name, column in found.items()}

    def _labels(self, truths: dict[str, Array]) -> Array:
        """Codes of classes; numbers where there are none, NaN if none was told."""
        if self._specification.classes:
            return truths["labels"]
        return np.where(truths["labels"] < 0, np.nan, truths["numbers"])

    def _rows(self, rows: dict[str, Array], tails: list[Tail]) -> ReferenceRows:
        specification = self._specification
        columns = {f.name: rows["numeric"][:, j] for j, f in enumerate(specification.numeric)}
        for j, feature in enumerate(specification.categorical):
            columns[feature.name] = texts([tail.categories[j] for tail in tails])[rows["tail"]]
        columns |= embedded(specification, rows)
        predicted = np.array([label_code(tail.predicted, specification.classes) for tail in tails], np.int8)
        version = texts([tail.version for tail in tails])[rows["tail"]]
        known = rows["truth_offsets"] != NO_OFFSET
        offsets = [
            *ranges_of("predictions", rows["partition"], rows["offsets"]),
            *ranges_of("ground-truth", rows["partition"][known], rows["truth_offsets"][known]),
        ]
        return ReferenceRows(
            columns, rows["labels"], rows["score"], rows["times"], predicted[rows["tail"]], tuple(offsets), version
        )

    def _no_rows(self) -> ReferenceRows:
        codes, numbers = np.empty(0, np.int8), np.empty(0)
        return ReferenceRows(
            {f.name: numbers for f in self._specification.features}, codes, numbers, numbers, codes, (), codes
        )


def chosen(rows: dict[str, Array], tails: list[Tail], selection: Selection) -> NDArray[np.int64]:
    """Positions of the rows selected, by (event time, partition, offset)."""
    roles = (selection.role,) if selection.role else ROLES
    keep = np.array([tail.role in roles for tail in tails], bool)[rows["tail"]]
    low = -math.inf if selection.from_time is None else selection.from_time
    high = math.inf if selection.to_time is None else selection.to_time
    keep &= (rows["times"] >= low) & (rows["times"] < high)
    if selection.offsets:
        keep &= within(rows["partition"], rows["offsets"], selection.offsets)
    order = np.lexsort((rows["offsets"], rows["partition"], rows["times"]))
    return np.asarray(order[keep[order]][: selection.first])


def within(partition: Array, offset: Array, ranges: Sequence[OffsetRange]) -> NDArray[np.bool_]:
    """Which rows stand in one of the ranges; of a partition that none names, no row."""
    found = np.zeros(len(partition), bool)
    for one in ranges:
        found |= (partition == one.partition) & (offset >= one.first) & (offset <= one.last)
    return found


def offset_ranges(text: str) -> tuple[OffsetRange, ...]:
    """Ranges of the predictions topic, both ends included; without an end: to the topic's end. ConfigError.

    >>> [(r.partition, r.first, r.last) for r in offset_ranges("0:100-5000,1:0-")]
    [(0, 100, 5000), (1, 0, 9223372036854775807)]
    """
    found = []
    for part in text.split(","):
        told = _RANGE.fullmatch(part)
        last = int(told[3] or OFFSET_MOST) if told else -1
        if not told or last < int(told[2]):
            said = f"--offsets: {part.strip()!r} is not PARTITION:FIRST-LAST"
            raise ConfigError(
                said, "for example --offsets 0:100-5000,1:0-4000, both ends included; 0:100- has no end"
            )
        found.append(OffsetRange("predictions", int(told[1]), int(told[2]), last))
    return tuple(found)


def first_of_each(ids: Array, seats: Array) -> NDArray[np.int64]:
    """Positions of the first row of every (id, seat), ascending: the observer counts it and no repeat of it.

    >>> first_of_each(np.array([7, 8, 7, 7]), np.array([0, 0, 0, 1])).tolist()
    [0, 1, 3]
    """
    order = np.lexsort((np.arange(len(ids)), seats, ids))
    first = np.ones(len(ids), bool)
    first[1:] = (ids[order[1:]] != ids[order[:-1]]) | (seats[order[1:]] != seats[order[:-1]])
    return np.sort(order[first])


def texts(values: list[str | None]) -> Array:
    """An object array, even where all values have one length."""
    found = np.empty(len(values), object)
    found[:] = values
    return found
