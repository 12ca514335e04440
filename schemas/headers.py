"""CloudEvents headers of what driftloop writes, and ids that a repeat shares with the original."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from functools import lru_cache

SUBJECT = "ce_subject"
"""CloudEvents' header for what within its source an event is about: a segment, of the panes of segments."""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017


def event_id(*parts: str | int | float) -> str:
    """The same parts give the same id (32 hex digits), so that a consumer can drop a repeat.

    Parts are told apart by type and length: ("ab", "c") is not ("a", "bc"), and 1 is not "1".
    """
    text = "".join([_told(part) if type(part) is str else _part(part) for part in parts])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _part(part: str | int | float) -> str:
    return f"{type(part).__name__}{len(told := repr(part))}:{told}"


_told = lru_cache(4_096)(_part)
"""Of texts, most of which come again: not of numbers, for 1 and 1.0 and True are one key."""


@lru_cache(1_000)
def rfc3339(seconds: float) -> str:
    """Event time as CloudEvents writes it; what no calendar holds (infinite, year 0) stays a plain number."""
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return repr(seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cloud_event_headers(event_type: str, event_id: str, source: str, event_time: float) -> list[tuple[str, bytes]]:
    """Kafka headers of CloudEvents' binary mode. ``event_type`` is the record's name, ``source`` the service.

    >>> cloud_event_headers("Pane", "1f", "observer", 0.0)[4]
    ('ce_time', b'1970-01-01T00:00:00.000Z')
    """
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_type", f"driftloop.v1.{event_type}".encode()),
        ("ce_source", f"driftloop/{source}".encode()),
        ("ce_time", rfc3339(event_time).encode()),
        ("content-type", b"application/avro"),
    ]
