"""Embeddings on the wire: an Avro fixed of float32, little-endian, behind the doubles of a prediction.

All NaN: missing; so is a field that the writer's schema does not have. The width is part of the field's name, so that
a model with another width is another field and old records stay readable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from driftloop.schemas.errors import BadRecord
from numpy.typing import NDArray

if TYPE_CHECKING:
    from driftloop.schemas.monitor.specification import Feature

WIDTH_MOST = 4_096
EMBEDDINGS_MOST = 8
Vectors = NDArray[np.float32]
NO_VECTOR: Vectors = np.empty(0, np.float32)
_NAN = b"\x00\x00\xc0\x7f"


def vector_field(feature: Feature) -> dict[str, Any]:
    """The Avro field. Its default is NaN too (all bits set), for an Avro default of a fixed is its bytes."""
    size = 4 * feature.width
    return {
        "name": feature.field,
        "type": {"type": "fixed", "name": f"{feature.field}_float32", "size": size},
        "default": "\u00ff" * size,
        "doc": f"Feature {feature.name!r}, an embedding: {feature.width} float32, little-endian; all NaN: missing.",
    }


def vector_bytes(feature: Feature, value: Any) -> bytes:
    """A vector as sent. None: missing. Errors: BadRecord ``wrong-type``, ``wrong-width``, ``vector-not-finite``."""
    if value is None:
        return _NAN * feature.width
    hint = f"a sequence or a numpy array of {feature.width} float32 or float64, or None where it is missing"
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiu":
            raise ValueError(f"{array.dtype} is no type of numbers")
        with np.errstate(over="ignore"):  # what is too large for a float32 is told below
            found = np.ascontiguousarray(array, "<f4")
    except (TypeError, ValueError) as error:
        raise BadRecord("wrong-type", f"{feature.name} is a {type(value).__name__}: {error}", hint) from None
    if array.shape != (feature.width,):
        raise BadRecord("wrong-width", f"{feature.name} has shape {array.shape}, not ({feature.width},)", hint)
    if not np.isfinite(found).all():
        wrong = int(np.flatnonzero(~np.isfinite(found))[0])
        said = f"{feature.name}[{wrong}] is {array[wrong]!r}, which no finite float32 holds"
        raise BadRecord("vector-not-finite", said, hint)
    return found.tobytes()


def vector_of(feature: Feature, record: Mapping[str, Any]) -> Vectors:
    """f4[width] of a decoded record, whoever wrote it: bytes, or a list of numbers; null or empty: missing.

    Errors: BadRecord ``wrong-type``, ``wrong-width``.
    """
    value = record.get(feature.field)
    if value is None or (isinstance(value, bytes | list) and not value):
        return np.full(feature.width, np.nan, np.float32)
    if isinstance(value, bytes) and len(value) % 4 == 0:
        found = np.frombuffer(value, "<f4")
    elif isinstance(value, list) and all(isinstance(x, int | float) and not isinstance(x, bool) for x in value):
        with np.errstate(over="ignore"):
            found = np.array(value, np.float64).astype(np.float32)
    else:
        raise BadRecord("wrong-type", f"{feature.field} is {type(value).__name__}, not a vector", "fixed of float32")
    if len(found) != feature.width:
        raise BadRecord("wrong-width", f"{feature.field} has {len(found)} numbers, not {feature.width}")
    return found


class VectorBlock:
    """The run of fixed fields at the front of ``fields`` (those behind the doubles of one writer's schema).

    ``fields``: how many they are; ``bytes``: how long. ``names``: of those that ``embeddings`` can be read from.
    """

    def __init__(self, embeddings: Sequence[Feature], fields: Sequence[Mapping[str, Any]]) -> None:
        self.fields = self.bytes = 0
        places: dict[str, tuple[int, int]] = {}
        for field in fields:
            kind = field["type"]
            if not isinstance(kind, dict) or kind.get("type") != "fixed" or kind["size"] % 4:
                break
            places[field["name"]] = (self.bytes // 4, kind["size"] // 4)
            self.fields += 1
            self.bytes += kind["size"]
        fitting = [f for f in embeddings if f.field in places and places[f.field][1] == f.width]
        self.names = {f.field for f in fitting}
        self.width = sum(f.width for f in embeddings)
        self._all = [(f.field, f.width) for f in embeddings] == [(name, w) for name, (_, w) in places.items()]
        self._moves, to = [], 0
        for f in embeddings:
            if f.field in self.names:
                self._moves.append((slice(to, to + f.width), slice(places[f.field][0], sum(places[f.field]))))
            to += f.width

    def read(self, values: Sequence[bytes | None], start: int) -> Vectors | None:
        """f4[n, all widths together] out of values that have their block at ``start``; None: one ends within it."""
        if not self.bytes:
            return np.full((len(values), self.width), np.nan, np.float32)
        joined = b"".join([value[start : start + self.bytes] for value in values])  # type: ignore[index]
        if len(joined) != len(values) * self.bytes:
            return None
        block = np.frombuffer(joined, "<f4").reshape(len(values), self.bytes // 4)
        if self._all:
            return block
        found = np.full((len(values), self.width), np.nan, np.float32)
        for to, at in self._moves:
            found[:, to] = block[:, at]
        return found
