"""Records of short texts alone, as most tails of predictions are: read in less than half of fastavro's time.

A text is its length (zigzag, a byte up to 63) and UTF-8; of null or text, 0 or 2 stands in front. Whatever else there
may be is left to fastavro, which says what is the matter with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_NULL, _TEXT = 0, 2
_LONGER_OR_NEGATIVE = 0x81

Texts = Sequence[tuple[str, bool]]
"""Fields in their order: name, and whether it may be null."""


def texts_of(fields: Sequence[Mapping[str, Any]]) -> Texts | None:
    """None: not all of these fields are texts."""
    if not all(field["type"] in ("string", ["null", "string"]) for field in fields):
        return None
    return [(field["name"], field["type"] != "string") for field in fields]


def read_texts(texts: Texts, data: bytes) -> dict[str, str | None] | None:
    """The record that fastavro would read; None: it is for fastavro to read, or to refuse."""
    record: dict[str, str | None] = {}
    at = 0
    try:
        for name, may_be_null in texts:
            if may_be_null:
                branch, at = data[at], at + 1
                if branch == _NULL:
                    record[name] = None
                    continue
                if branch != _TEXT:
                    return None
            length = data[at]
            if length & _LONGER_OR_NEGATIVE:
                return None
            start, at = at + 1, at + 1 + (length >> 1)
            record[name] = data[start:at].decode()
    except (IndexError, UnicodeDecodeError):
        return None
    return record if at == len(data) else None
