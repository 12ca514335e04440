"""Predictions of many models whose schemas lay their bytes out alike, read in one pass.

A pass over a batch costs some hundred microseconds however few its rows are, and of a hundred models each has few.
What two schemas must have in common is told by ``PredictionReader.shape``: where which double stands, and what each
field of the tail is to its model. Then the same bytes of a tail mean the same, whichever of the models they are of;
they name it themselves, so that one memo serves all.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from driftloop.schemas.batches.rows import Reading
from driftloop.schemas.batches.tails import MEMO_BYTES, TAIL_BYTES_KEPT_MOST, TAILS_KEPT_MOST
from driftloop.schemas.errors import BadRecord
from numpy.typing import NDArray

if TYPE_CHECKING:
    from driftloop.schemas.batches.layouts import PredictionReader

_INDEX_BITS = 32
_INDEX_MASK = (1 << _INDEX_BITS) - 1
_PLAIN = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
_OF_EVERY_MODEL = frozenset({"model", "model_version", "role", "predicted"})


class Group(NamedTuple):
    """Rows of one schema, ascending."""

    reader: PredictionReader
    rows: Sequence[int]


class SharedTails:
    """Tails of all models of one shape: their bytes to (number of the model, index in the model's own table).

    ``bytes``, ``is_long`` and ``start`` as those of a TailTable; what is kept grows with the models.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.start()

    def start(self) -> None:
        self._memo: dict[bytes, int] = {}
        self.bytes = 0

    @property
    def is_long(self) -> bool:
        return len(self._memo) > TAILS_KEPT_MOST * max(1, len(self._numbers))

    def read(self, groups: Sequence[Group], tails: Sequence[bytes], reading: Reading) -> NDArray[np.int32]:
        """Index of each tail in its model's table; -1: it cannot be read, and was refused."""
        numbers = [self._numbers.setdefault(g.reader.spec.model, len(self._numbers)) for g in groups]
        own = np.repeat(numbers, [len(g.rows) for g in groups])
        known = list(map(self._memo.get, tails))
        try:
            found = np.array(known, np.int64)
        except TypeError:  # a None: some tails are new
            found = np.array([-1 if one is None else one for one in known], np.int64)
        index = (found & _INDEX_MASK).astype(np.int32)
        strange = np.flatnonzero(found >> _INDEX_BITS != own)  # new, or the name of another model in it
        if len(strange):
            rows = list(chain.from_iterable(g.rows for g in groups))
            whose = np.repeat(np.arange(len(groups)), [len(g.rows) for g in groups])
            for i in strange.tolist():
                index[i] = self._new(groups[whose[i]].reader, int(own[i]), rows[i], tails[i], reading)
        return index

    def _new(self, reader: PredictionReader, number: int, row: int, data: bytes, reading: Reading) -> int:
        known = self._memo.get(data, -1)  # an earlier row of this batch may have brought it
        if known >> _INDEX_BITS == number:
            return known & _INDEX_MASK
        try:
            reading.value(row)
            index = reader.read_tail(data)
        except BadRecord as fault:
            reading.refuse(row, fault)
            return -1
        if len(data) <= TAIL_BYTES_KEPT_MOST:
            self._memo[data] = number << _INDEX_BITS | index
            self.bytes += MEMO_BYTES + len(data)
        return index


def tail_shape(fields: Sequence[Mapping[str, Any]], categorical: Sequence[str]) -> Hashable | None:
    """What each field of a tail is to its model: (name, or which category; type). None: not only plain types."""
    place = {field: k for k, field in enumerate(categorical)}
    found: list[tuple[str | int, tuple[str, ...]]] = []
    for field in fields:
        kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
        if not all(isinstance(kind, str) and kind in _PLAIN for kind in kinds):
            return None
        name = field["name"]
        what = name if name in _OF_EVERY_MODEL else place.get(name, "")
        found.append((what, (str(len(kinds)) if isinstance(field["type"], list) else "", *kinds)))
    return tuple(found)
