"""The Avro body of a Pane, by hand: the observer writes one a model, pane and partition, of hundreds of numbers.

A long is a zigzag varint, a text its length and UTF-8, a map or an array one block (count, items) and an end (0). The
bytes are fastavro's (tests/schemas/test_pane_bytes.py), in a third of the time.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache

from driftloop.schemas.events import Pane
from driftloop.schemas.wire import Schema

FIELDS = (
    *("model", "version", "role", "spec", "pane_start", "pane_seconds", "partition", "kind", "bucket", "emitted_at"),
    *("revision", "predictions_first_offset", "predictions_last_offset", "truths_first_offset", "truths_last_offset"),
    *("counts", "sums", "histograms", "segment", "against"),
)
"""What this module writes, in this order."""
LONGS_KEPT = range(-1, 65_536)
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


_long = _Longs().__getitem__


def writes(schema: Schema) -> bool:
    """Whether this is the schema whose bodies are written here."""
    return tuple(field["name"] for field in schema.definition["fields"]) == FIELDS


def pane_body(pane: Pane) -> bytes:
    """The body of an event. Errors: TypeError, AttributeError, struct.error for a field of a wrong type."""
    parts = [
        _text(pane.model),
        _text(pane.version),
        _text(pane.role),
        _text(pane.spec),
        _TWO_DOUBLES(pane.pane_start, pane.pane_seconds),
        _long(pane.partition),
        _text(pane.kind),
        _long(pane.bucket),
        _DOUBLE(pane.emitted_at),
        _long(pane.revision),
        _long(pane.predictions_first_offset),
        _long(pane.predictions_last_offset),
        _long(pane.truths_first_offset),
        _long(pane.truths_last_offset),
    ]
    _block(parts, len(pane.counts), [_text(name) + _long(number) for name, number in pane.counts.items()])
    _block(parts, len(pane.sums), [_text(name) + _DOUBLE(number) for name, number in pane.sums.items()])
    histograms: list[bytes] = []
    for one in pane.histograms:
        histograms.append(_text(one.name))
        _block(histograms, len(one.bins), map(_long, one.bins))
        _block(histograms, len(one.counts), map(_long, one.counts))
    _block(parts, len(pane.histograms), histograms)
    parts += [_text(pane.segment), _text(pane.against)]
    return b"".join(parts)


def _block(parts: list[bytes], count: int, items: Iterable[bytes]) -> None:
    if count:
        parts.append(_long(count))
        parts += items
    parts.append(_END)


@lru_cache(4_096)
def _text(text: str) -> bytes:
    data = text.encode()
    return _long(len(data)) + data
