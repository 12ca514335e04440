"""How far a record can be read, and where it goes wrong: for a person who looks at a dead letter."""

from __future__ import annotations

from typing import Any, NamedTuple

from driftloop.schemas.codec import PLAIN, writer_of
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.jsonable import plain_fields
from driftloop.schemas.wire import Framing, header_of, parse, read_start

_FIELDS_OF_REASON = {"event-time": "event_time", "score": "score", "unknown-role": "role", "unknown-model": "model"}


class Dissected(NamedTuple):
    """``schema``: name of the writer's, "" if it is not known. ``fields``: those that can be read, as JSON values.

    ``wrong``: what is the matter, "" if the bytes can be read as their schema says; ``field``: where, if it is one;
    ``at``: the byte of the value where that begins, -1 if the whole is meant.
    """

    schema: str
    fields: dict[str, Any]
    wrong: str = ""
    field: str = ""
    at: int = -1


def dissect(value: bytes | None, framing: Framing = PLAIN) -> Dissected:
    """Read as many fields as there are, in the writer's order. Errors: none (Unavailable: a registry is away)."""
    try:
        header = header_of(value)
        writer = writer_of(header, framing)
    except BadRecord as error:
        return Dissected("", {}, error.message, at=0)
    assert value is not None
    fields = writer.definition["fields"]
    record: dict[str, Any] = {}
    readable, end = 0, len(header)
    beyond = len(fields) + 1  # bisected: a schema may have a thousand fields
    fault = ""
    while beyond - readable > 1:
        middle = (readable + beyond) // 2
        try:
            record, end = read_start(parse(writer.definition | {"fields": fields[:middle]}), value, len(header))
            readable = middle
        except BadRecord as error:
            beyond, fault = middle, error.message
    shown = plain_fields(record)
    if readable < len(fields):
        return Dissected(writer.name, shown, fault, fields[readable]["name"], end)
    if end < len(value):
        return Dissected(writer.name, shown, f"{len(value) - end} bytes behind its end", at=end)
    return Dissected(writer.name, shown)


def field_of_reason(reason: str) -> str:
    """The field that a reason is about, where the record can be read and only what it says cannot be; or "".

    >>> field_of_reason("event-time-before-2000"), field_of_reason("key-missing"), field_of_reason("empty")
    ('event_time', 'key', '')
    """
    if reason == "key-missing":
        return "key"
    return next((field for start, field in _FIELDS_OF_REASON.items() if reason.startswith(start)), "")
