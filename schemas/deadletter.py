"""What cannot be read goes to the dead-letter topic as it came, with Kafka Connect's error headers and a reason.

    value, key, headers as they were  +  __connect.errors.{topic,partition,offset,...}  +  driftloop.reason

A value above 900 kB would not fit beside its headers: its sha256, its size and its first 64 kB are kept instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

VALUE_BYTES_MOST = 900_000
KEPT_BYTES = 65_536
HEADERS_BYTES_MOST = 262_144
"""Headers of the original beyond this are dropped, and their number is told."""
MESSAGE_CHARACTERS_MOST = 2_000
CONNECT = "__connect.errors."
"""What the names of Kafka Connect's error headers begin with."""

Header = tuple[str, bytes | None]


def dead_letter(
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[Header],
    timestamp_ms: int,
    reason: str,
    message: str,
    service: str,
) -> tuple[bytes | None, bytes | None, tuple[Header, ...]]:
    """(key, value, headers) of the dead letter for one record of ``topic[partition]@offset``.

    A key above ``KEPT_BYTES`` is cut too. Errors: none; whatever came, something can be written.
    """
    own = {
        f"{CONNECT}topic": topic,
        f"{CONNECT}partition": str(partition),
        f"{CONNECT}offset": str(offset),
        f"{CONNECT}connector.name": service,
        f"{CONNECT}task.id": str(partition),
        f"{CONNECT}stage": "VALUE_CONVERTER",
        f"{CONNECT}class.name": "driftloop.schemas",
        f"{CONNECT}exception.class.name": "driftloop.schemas.errors.BadRecord",
        f"{CONNECT}exception.message": message[:MESSAGE_CHARACTERS_MOST],
        "driftloop.reason": reason,
        "driftloop.timestamp_ms": str(timestamp_ms),
    }
    if key is not None and len(key) > KEPT_BYTES:
        own |= {"driftloop.key.sha256": hashlib.sha256(key).hexdigest(), "driftloop.key.size": str(len(key))}
        key = key[:KEPT_BYTES]
    if value is not None and len(value) > VALUE_BYTES_MOST:
        own |= {"driftloop.value.sha256": hashlib.sha256(value).hexdigest(), "driftloop.value.size": str(len(value))}
        value = value[:KEPT_BYTES]
    kept = _kept(headers)
    if len(kept) < len(headers):
        own["driftloop.headers.dropped"] = str(len(headers) - len(kept))
    return key, value, (*kept, *((name, text.encode("utf-8", "replace")) for name, text in own.items()))


def offset_of(headers: Sequence[Header]) -> int:
    """The offset that the record of a dead letter of ours had."""
    return int(dict(headers)[f"{CONNECT}offset"] or b"")


def _kept(headers: Sequence[Header]) -> tuple[Header, ...]:
    """The original's headers, as many from the first on as fit. Kafka allows a header without a value."""
    kept: list[Header] = []
    size = 0
    for name, value in headers:
        size += len(name) + len(value or b"")
        if size > HEADERS_BYTES_MOST:
            break
        kept.append((name, value))
    return tuple(kept)
