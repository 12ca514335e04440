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
_TOPIC, _PARTITION, _OFFSET = f"{CONNECT}topic", f"{CONNECT}partition", f"{CONNECT}offset"
_SERVICE, _TASK, _MESSAGE = f"{CONNECT}connector.name", f"{CONNECT}task.id", f"{CONNECT}exception.message"
_ALWAYS: tuple[Header, ...] = (
    (f"{CONNECT}stage", b"VALUE_CONVERTER"),
    (f"{CONNECT}class.name", b"driftloop.schemas"),
    (f"{CONNECT}exception.class.name", b"driftloop.schemas.errors.BadRecord"),
)


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

    A key above ``KEPT_BYTES`` is cut too. Errors: none; whatever came, something can be written. Some 3 µs.
    """
    own: list[Header] = [
        (_TOPIC, topic.encode()),
        (_PARTITION, b"%d" % partition),
        (_OFFSET, b"%d" % offset),
        (_SERVICE, service.encode()),
        (_TASK, b"%d" % partition),
        *_ALWAYS,
        (_MESSAGE, message[:MESSAGE_CHARACTERS_MOST].encode("utf-8", "replace")),
        ("driftloop.reason", reason.encode()),
        ("driftloop.timestamp_ms", b"%d" % timestamp_ms),
    ]
    if key is not None and len(key) > KEPT_BYTES:
        own += _hashed("key", key)
        key = key[:KEPT_BYTES]
    if value is not None and len(value) > VALUE_BYTES_MOST:
        own += _hashed("value", value)
        value = value[:KEPT_BYTES]
    if not headers:
        return key, value, tuple(own)
    kept = _kept(headers)
    if len(kept) < len(headers):
        own.append(("driftloop.headers.dropped", b"%d" % (len(headers) - len(kept))))
    return key, value, (*kept, *own)


def _hashed(what: str, data: bytes) -> list[Header]:
    return [
        (f"driftloop.{what}.sha256", hashlib.sha256(data).hexdigest().encode()),
        (f"driftloop.{what}.size", b"%d" % len(data)),
    ]


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
