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
    p = pane
    parts = [
        _text(p.model),
        _text(p.version),
        _text(p.role),
        _text(p.spec),
        _TWO_DOUBLES(p.pane_start, p.pane_seconds),
        _long(p.partition),
        _text(p.kind),
        _long(p.bucket),
        _DOUBLE(p.emitted_at),
        _long(p.revision),
        _long(p.predictions_first_offset),
        _long(p.predictions_last_offset),
        _long(p.truths_first_offset),
        _long(p.truths_last_offset),
    ]
    _block(parts, len(p.counts), [_text(name) + _long(number) for name, number in p.counts.items()])
    _block(parts, len(p.sums), [_text(name) + _DOUBLE(number) for name, number in p.sums.items()])
    histograms: list[bytes] = []
    for one in p.histograms:
        histograms.append(_text(one.name))
        _block(histograms, len(one.bins), map(_long, one.bins))
        _block(histograms, len(one.counts), map(_long, one.counts))
    _block(parts, len(p.histograms), histograms)
    parts += [_text(p.segment), _text(p.against)]
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
