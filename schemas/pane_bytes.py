"""The Avro body of a Pane, by hand: the observer writes one a model, pane and partition, of hundreds of numbers.

A long is a zigzag varint, a text its length and UTF-8, a map or an array one block (count, items) and an end (0). The
bytes are fastavro's (tests/schemas/test_pane_bytes.py), in a third of the time.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from driftloop.schemas.events import Bins, Pane
from driftloop.schemas.wire import Schema
from numpy.typing import NDArray

LONGS_KEPT = range(-1, 65_536)
LONGS_LISTED = 2_048
"""So many are looked up at once; a count of a bin is seldom as large."""
_END = b"\x00"
_TWO_DOUBLES = struct.Struct("<2d").pack
_DOUBLE = struct.Struct("<d").pack


class _Longs(dict[int, bytes]):
    """Bytes of a whole number; common ones are kept."""

    def __missing__(self, number: int) -> bytes:
        if not -(2**63) <= number < 2**63:
            raise OverflowError(f"{number} is no 64-bit integer")
        left = (number << 1) ^ (number >> 63)
        found = bytearray()
        while left > 0x7F:
            found.append(left & 0x7F | 0x80)
            left >>= 7
        found.append(left)
        if number in LONGS_KEPT:
            self[number] = bytes(found)
        return bytes(found)


long_of = _Longs().__getitem__


@cache
def _listed() -> NDArray[np.object_]:
    """Made for the first pane that is written: a replay writes none."""
    return np.array([long_of(number) for number in range(LONGS_LISTED)], object)


class PlainBins(NamedTuple):
    """A histogram; its numbers are bytes (``longs``) where it is to be written."""

    name: str
    bins: Sequence[bytes]
    counts: Sequence[bytes]


class PlainPane(NamedTuple):
    """A Pane on its way to a record: the event and its Bins would take as long to make as to write. Its fields are
    the event's, in their order."""

    model: str
    version: str
    role: str
    spec: str
    pane_start: float
    pane_seconds: float
    partition: int
    kind: str
    bucket: int
    emitted_at: float
    revision: int
    predictions_first_offset: int
    predictions_last_offset: int
    truths_first_offset: int
    truths_last_offset: int
    counts: Mapping[str, int]
    sums: Mapping[str, float]
    histograms: Sequence[PlainBins]
    segment: str
    against: str


FIELDS = PlainPane._fields
"""What this module writes, in this order."""


def longs(numbers: NDArray[np.integer]) -> list[bytes]:
    """The bytes of each of these numbers, none of which is below 0."""
    if int(numbers.max(initial=0)) < LONGS_LISTED:
        found: list[bytes] = _listed()[numbers].tolist()
        return found
    return list(map(long_of, numbers.tolist()))


def writes(schema: Schema) -> bool:
    """Whether this is the schema whose bodies are written here."""
    return tuple(field["name"] for field in schema.definition["fields"]) == FIELDS


def pane_body(pane: Pane) -> bytes:
    """The body of an event. Errors: TypeError, AttributeError, struct.error for a field of a wrong type."""
    fields = {name: getattr(pane, name) for name in FIELDS}
    fields["histograms"] = [PlainBins(h.name, *_bytes_of(h)) for h in pane.histograms]
    return plain_body(PlainPane(**fields))


def _bytes_of(histogram: Bins) -> tuple[list[bytes], list[bytes]]:
    return [long_of(number) for number in histogram.bins], [long_of(number) for number in histogram.counts]


def plain_body(pane: PlainPane) -> bytes:
    """The body of an event. Errors: as ``pane_body``."""
    parts = [
        _text(pane.model),
        _text(pane.version),
        _text(pane.role),
        _text(pane.spec),
        _TWO_DOUBLES(pane.pane_start, pane.pane_seconds),
        long_of(pane.partition),
        _text(pane.kind),
        long_of(pane.bucket),
        _DOUBLE(pane.emitted_at),
        long_of(pane.revision),
        long_of(pane.predictions_first_offset),
        long_of(pane.predictions_last_offset),
        long_of(pane.truths_first_offset),
        long_of(pane.truths_last_offset),
    ]
    _block(parts, len(pane.counts), [_text(name) + long_of(number) for name, number in pane.counts.items()])
    _block(parts, len(pane.sums), [_text(name) + _DOUBLE(number) for name, number in pane.sums.items()])
    histograms: list[bytes] = []
    for name, bins, counts in pane.histograms:
        histograms.append(_text(name))
        _block(histograms, len(bins), bins)
        _block(histograms, len(counts), counts)
    _block(parts, len(pane.histograms), histograms)
    parts += [_text(pane.segment), _text(pane.against)]
    return b"".join(parts)


def _block(parts: list[bytes], count: int, items: Sequence[bytes]) -> None:
    if count:
        parts.append(long_of(count))
        parts += items
    parts.append(_END)


@lru_cache(4_096)
def _text(text: str) -> bytes:
    data = text.encode()
    return long_of(len(data)) + data
