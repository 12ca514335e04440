"""The variable part of predictions and truths: decoded once for many records, through a bounded memo of its bytes.

A model has few versions, roles and common categories, so most records share their tail with others: 0.1 µs for a
known one against 3 µs for a new one. One thread reads with a table: it is not locked.
"""

from __future__ import annotations

from sys import getsizeof
from typing import NamedTuple

import numpy as np
from driftloop.schemas.events import Label
from driftloop.schemas.monitor.specification import MonitorSpecification
from numpy.typing import NDArray

TAILS_KEPT_MOST = 16_384
TAIL_BYTES_KEPT_MOST = 1_024
"""A longer tail is decoded each time."""
KEPT_BYTES_MOST = 48 << 20
"""Of the tables of all models together (layouts.py): categories and labels may be books, or others in every record,
and what each model's table may keep would add up."""
TAIL_BYTES, MEMO_BYTES = 300, 110
"""What a tail takes in table and index beside its texts (measured: 170 of three categories; others keep codes beside
it), and its bytes in the memo beside themselves (70)."""


class Tail(NamedTuple):
    """The variable part of a prediction. ``categories`` in the order of the specification; None: missing."""

    version: str
    role: str
    predicted: str | None
    categories: tuple[str | None, ...]


class TruthTail(NamedTuple):
    """The variable part of a truth. ``code``: index of the class in the specification, -1 if the label names none."""

    model: str
    label: Label
    code: int


class TailCodes(NamedTuple):
    """Of n tails. ``seats`` int64[n]: index into Tails.seats. ``predicted`` int64[n]: class of the decision, their
    number for one that is no class, -1 where none is told. ``categories`` int64[n, C]: index of the category;
    len(categories): other or unseen; one more: missing; -1 where the categories are not known yet. ``missing``
    int64[n, C]: -1 where it is missing, 0 where it is there."""

    seats: NDArray[np.int64]
    predicted: NDArray[np.int64]
    categories: NDArray[np.int64]
    missing: NDArray[np.int64]


class Tails(list[Tail]):
    """An append-only table; rows point into it. One object serves many batches, and the batches of all partitions,
    so codes can be kept beside it. ``seats``: (version, role) in order of appearance."""

    def __init__(self, spec: MonitorSpecification) -> None:
        super().__init__()
        self._classes = spec.classes
        self._known = [
            None if f.categories is None else {name: code for code, name in enumerate(f.categories)}
            for f in spec.categorical
        ]
        self.seats: dict[tuple[str, str], int] = {}
        none = np.empty(0, np.int64)
        self._codes = TailCodes(none, none, *[none.reshape(0, len(self._known))] * 2)

    def codes(self) -> TailCodes:
        """Of all tails. Only what was appended since the last call is worked out."""
        new = self[len(self._codes.seats) :]
        if new:
            shape = len(new), len(self._known)
            seats = [self.seats.setdefault((tail.version, tail.role), len(self.seats)) for tail in new]
            predicted = [self._decision(tail) for tail in new]
            categories = [[_code(k, v) for k, v in zip(self._known, tail.categories, strict=True)] for tail in new]
            missing = [[-1 if category is None else 0 for category in tail.categories] for tail in new]
            told = [np.array(found, np.int64) for found in (seats, predicted, categories, missing)]
            told[2:] = [found.reshape(shape) for found in told[2:]]  # of no categories, too
            self._codes = TailCodes(*[np.concatenate(both) for both in zip(self._codes, told, strict=True)])
        return self._codes

    def _decision(self, tail: Tail) -> int:
        if tail.predicted is None or not self._classes:
            return -1
        return self._classes.index(tail.predicted) if tail.predicted in self._classes else len(self._classes)


def _code(known: dict[str, int] | None, value: str | None) -> int:
    if known is None:
        return -1
    return len(known) + 1 if value is None else known.get(value, len(known))


class TailTable:
    """The tails of one model's predictions, whichever schema wrote them. ``memo(header)``: bytes to index.

    ``bytes``: what it holds, about. ``start``: anew, when that is too much; batches read before keep the old one.
    """

    def __init__(self, spec: MonitorSpecification) -> None:
        self._spec = spec
        self.start()

    def start(self) -> None:
        self.tails = Tails(self._spec)
        self._index: dict[Tail, int] = {}
        self._memos: dict[bytes, dict[bytes, int]] = {}
        self.bytes = 0

    @property
    def is_long(self) -> bool:
        return max(len(self.tails), sum(map(len, self._memos.values()))) > TAILS_KEPT_MOST

    def memo(self, header: bytes) -> dict[bytes, int]:
        """Index by tail bytes, for one framing."""
        return self._memos.setdefault(header, {})

    def remember(self, memo: dict[bytes, int], data: bytes, index: int) -> None:
        """Put the bytes of a tail into one of the memos."""
        if len(data) <= TAIL_BYTES_KEPT_MOST:
            memo[data] = index
            self.bytes += MEMO_BYTES + len(data)

    def add(self, tail: Tail) -> int:
        """The index of ``tail``."""
        index = self._index.setdefault(tail, len(self.tails))
        if index == len(self.tails):
            self.tails.append(tail)
            self.bytes += TAIL_BYTES + sum(map(getsizeof, (*tail[:3], *tail.categories)))
        return index


class TruthTable:
    """The tails of ground truth of all models. ``memo``: Avro bytes of a tail without a value, to its index.

    ``bytes`` and ``start`` as those of a TailTable.
    """

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.tails: list[TruthTail] = []
        self.names: list[str] = []
        self.memo: dict[bytes, int] = {}
        self._index: dict[tuple[str, type, Label], int] = {}
        self._models: dict[str, int] = {}
        self.bytes = 0
        self._arrays = (np.empty(0, np.int64), np.empty(0, np.int8))

    @property
    def is_long(self) -> bool:
        return max(len(self.tails), len(self.memo)) > TAILS_KEPT_MOST

    def remember(self, data: bytes, index: int) -> None:
        """Put the bytes of a tail into the memo."""
        if len(data) <= TAIL_BYTES_KEPT_MOST:
            self.memo[data] = index
            self.bytes += MEMO_BYTES + len(data)

    def add(self, tail: TruthTail) -> int:
        """The index of ``tail``. Labels are told apart by type: True, 1 and 1.0 are equal to Python."""
        index = self._index.setdefault((tail.model, type(tail.label), tail.label), len(self.tails))
        if index == len(self.tails):
            self.tails.append(tail)
            self.bytes += TAIL_BYTES + getsizeof(tail.label)
            if tail.model not in self._models:
                self._models[tail.model] = len(self.names)
                self.names.append(tail.model)
        return index

    def models(self) -> NDArray[np.int64]:
        """int64[len(tails)]: whose tail it is, an index into ``names``."""
        return self._grown()[0]

    def codes(self) -> NDArray[np.int8]:
        """int8[len(tails)]: TruthTail.code."""
        return self._grown()[1]

    def _grown(self) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        models, codes = self._arrays
        if new := self.tails[len(models) :]:
            models = np.concatenate((models, np.array([self._models[t.model] for t in new], np.int64)))
            codes = np.concatenate((codes, np.array([t.code for t in new], np.int8)))
            self._arrays = (models, codes)
        return self._arrays
