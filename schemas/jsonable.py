"""Any record of ours as plain JSON values, for people: what ``driftloop cat`` prints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from driftloop.schemas.codec import NAMESPACE, PLAIN, Event, decode, is_event
from driftloop.schemas.records import is_record, names_of
from driftloop.schemas.wire import Framing, header_of, read_body


def to_jsonable(event: Event) -> dict[str, Any]:
    """The event's name and its fields. NaN becomes null, infinities "Infinity" and "-Infinity": JSON has none.

    >>> from driftloop.schemas.events import TimeMarker
    >>> to_jsonable(TimeMarker(float("-inf"), "app"))
    {'event': 'TimeMarker', 'event_time': '-Infinity', 'producer': 'app'}
    """
    return {"event": type(event).__name__, **_plain(event)}


def record_to_jsonable(value: bytes | None, framing: Framing = PLAIN) -> dict[str, Any]:
    """Any value of our topics. Predictions in the fields that their writer gave them, through ``layouts.framing`` or
    any framing that knows their schema. Errors: BadRecord, as ``decode``.
    """
    header = header_of(value)
    if not is_event(header):
        writer = framing.schema(header)
        if not writer.name.startswith(f"{NAMESPACE}."):
            assert value is not None
            return {"event": "Prediction", **plain_fields(read_body(writer, value, len(header)))}
    return to_jsonable(decode(value, framing))


def plain_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record as JSON has them."""
    return {name: _plain(value) for name, value in record.items()}


def _plain(value: Any) -> Any:
    if is_record(value):
        return {name: _plain(getattr(value, name)) for name in names_of(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value
