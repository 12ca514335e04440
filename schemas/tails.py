"""The variable part of predictions and truths: decoded once for many records, through a bounded memo of its bytes.

A model has few versions, roles and common categories, so most records share their tail with others: 0.1 µs for a
known one against 3 µs for a new one. One thread reads with a table: it is not locked.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from driftloop.schemas.events import Label
from driftloop.schemas.specification import MonitorSpecification
from numpy.typing import NDArray

TAILS_KEPT_MOST = 16_384
TAIL_BYTES_KEPT_MOST = 1_024
"""A longer tail is decoded each time, so that the memo is bounded in bytes too (some 20 MB a model at worst)."""
TEXT_CHARACTERS_KEPT_MOST = 16 << 20
"""Of all tails in a table: categories and labels may be books, and each would be remembered once."""


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


class Tails(list[Tail]):
    """An append-only table; rows point into it. One object serves many batches, so codes can be kept beside it."""

    def __init__(self, spec: MonitorSpecification) -> None:
        super().__init__()
        self._known = [
            None if f.categories is None else {name: code for code, name in enumerate(f.categories)}
            for f in spec.categorical
        ]
        self._codes = np.empty((0, len(self._known)), dtype=np.int64)

    def category_codes(self) -> NDArray[np.int64]:
        """int64[len(self), C]: index of the category; len(categories): other or unseen; one more: missing.

        -1 where the categories are not known yet. Only what was appended since the last call is worked out.
        """
        new = self[len(self._codes) :]
        if new:
            codes = [[_code(k, v) for k, v in zip(self._known, tail.categories, strict=True)] for tail in new]
            self._codes = np.concatenate((self._codes, np.array(codes, np.int64).reshape(len(new), len(self._known))))
        return self._codes


def _code(known: dict[str, int] | None, value: str | None) -> int:
    if known is None:
        return -1
    return len(known) + 1 if value is None else known.get(value, len(known))


class TailTable:
    """The tails of one model's predictions, whichever schema wrote them. ``memo(header)``: bytes to index."""

    def __init__(self, spec: MonitorSpecification) -> None:
        self._spec = spec
        self._start()

    def _start(self) -> None:
        self.tails = Tails(self._spec)
        self._index: dict[Tail, int] = {}
        self._memos: dict[bytes, dict[bytes, int]] = {}
        self._characters = 0

    def begin_batch(self) -> None:
        """Start a new table if this one has grown too long; batches read before keep the old one."""
        kept = max(len(self.tails), sum(map(len, self._memos.values())))
        if kept > TAILS_KEPT_MOST or self._characters > TEXT_CHARACTERS_KEPT_MOST:
            self._start()

    def memo(self, header: bytes) -> dict[bytes, int]:
        """Index by tail bytes, for one framing."""
        return self._memos.setdefault(header, {})

    def add(self, tail: Tail) -> int:
        """The index of ``tail``."""
        index = self._index.setdefault(tail, len(self.tails))
        if index == len(self.tails):
            self.tails.append(tail)
            self._characters += sum([len(text) for text in (*tail[:3], *tail.categories) if text is not None])
        return index


class TruthTable:
    """The tails of ground truth of all models. ``memo``: Avro bytes of a tail without a value, to its index."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self.tails: list[TruthTail] = []
        self.names: list[str] = []
        self.memo: dict[bytes, int] = {}
        self._index: dict[tuple[str, type, Label], int] = {}
        self._models: dict[str, int] = {}
        self._characters = 0
        self._arrays = (np.empty(0, np.int64), np.empty(0, np.int8))

    def begin_batch(self) -> None:
        """Start a new table if this one has grown too long; batches read before keep the old one."""
        if len(self.tails) > TAILS_KEPT_MOST or self._characters > TEXT_CHARACTERS_KEPT_MOST:
            self._start()

    def add(self, tail: TruthTail) -> int:
        """The index of ``tail``. Labels are told apart by type: True, 1 and 1.0 are equal to Python."""
        index = self._index.setdefault((tail.model, type(tail.label), tail.label), len(self.tails))
        if index == len(self.tails):
            self.tails.append(tail)
            if isinstance(tail.label, str):
                self._characters += len(tail.label)
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
