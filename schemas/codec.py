"""Events to bytes and back: ``decode(encode(event)) == event``.

The schema of an event is the highest ``<Event>.<n>.avsc`` beside this file; lower ones are still read (released.py).
Schemas and the converters of an event are made when the first of its kind is written or read: a command needs a few.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Union

from driftloop.schemas import events
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.pane_bytes import pane_body
from driftloop.schemas.records import is_record, names_of
from driftloop.schemas.released import Released, listed
from driftloop.schemas.wire import SINGLE_OBJECT, Framing, Schema, header_of, read_body, write_body

NAMESPACE = "driftloop.v1"
EVENTS: tuple[type, ...] = (
    events.GroundTruth,
    events.TimeMarker,
    events.Pane,
    events.Progress,
    events.WindowMeasured,
    events.DriftDetected,
    events.IncidentChanged,
    events.SilenceChanged,
    events.DecisionRecorded,
    events.ModelPublished,
    events.DeploymentChanged,
    events.MonitorApplied,
    events.ReferenceBuilt,
    events.SchemaRegistered,
    events.CommandGiven,
)
Event = (
    events.GroundTruth
    | events.TimeMarker
    | events.Pane
    | events.Progress
    | events.WindowMeasured
    | events.DriftDetected
    | events.IncidentChanged
    | events.SilenceChanged
    | events.DecisionRecorded
    | events.ModelPublished
    | events.DeploymentChanged
    | events.MonitorApplied
    | events.ReferenceBuilt
    | events.SchemaRegistered
    | events.CommandGiven
)
Convert = Callable[[Any], Any]
PLAIN = Framing()
"""Single-object both ways; Confluent framing is refused as an unknown schema."""


def encode(event: Event, framing: Framing = PLAIN) -> bytes:
    """Framing and Avro body, some 5 µs for a small event. Errors: TypeError for a field of a wrong type."""
    kind = type(event)
    schema = _CURRENT[kind]
    if isinstance(event, events.Pane):
        return framing.header(schema) + pane_body(event)
    return framing.header(schema) + write_body(schema, _CONVERTERS[kind][0](event))


def decode(data: bytes | None, framing: Framing = PLAIN) -> Event:
    """The event in ``data``, whichever released schema and whichever framing wrote it.

    Errors: BadRecord ``empty``, ``unknown-framing``, ``unknown-schema``, ``truncated``, ``trailing-bytes``,
    ``not-utf8``, ``wrong-type``, ``bad-schema``.
    """
    header = header_of(data)
    assert data is not None
    writer = writer_of(header, framing)
    kind = _BY_NAME.get(writer.name)
    if kind is None:
        raise BadRecord(
            "unknown-schema", f"{writer.name} is no event of driftloop's", "a prediction? see batches/columns.py"
        )
    current = _CURRENT[kind]
    same = writer.fingerprint == current.fingerprint
    event: Event = _CONVERTERS[kind][1](read_body(writer, data, len(header), None if same else current))
    return event


def writer_of(header: bytes, framing: Framing = PLAIN) -> Schema:
    """The schema that wrote what has this framing: a released one of an event, or one that ``framing`` knows.

    Errors: BadRecord ``unknown-schema``, ``bad-schema``.
    """
    released = _BY_HEADER.get(header)
    return framing.schema(header) if released is None else released.schema()


def schema_of(kind: type) -> Schema:
    """The schema that events of this class are written with now."""
    return _CURRENT[kind]


def is_event(header: bytes) -> bool:
    """A released schema of an event has this single-object framing."""
    return header in _BY_HEADER


def header_bytes(kind: type) -> bytes:
    """The single-object framing of the current schema of ``kind``."""
    return SINGLE_OBJECT + _CURRENT[kind].fingerprint


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
"""json.dumps would make one for each value: half of what a key costs."""


def canonical_json(value: Any) -> str:
    """One text a value: sorted keys, no spaces, ASCII. NaN and infinities have no place in it: ValueError.

    >>> canonical_json({"b": 1.0, "a": [1, "é"]})
    '{"a":[1,"\\\\u00e9"],"b":1.0}'
    """
    return _CANONICAL.encode(value)


def _same(value: Any) -> Any:
    return value


def _label(value: Any) -> Any:
    """fastavro would write a whole number as the union's first number, a double: its branch is named."""
    return ("long", value) if isinstance(value, int) and not isinstance(value, bool) else value


def _converters(kind: Any) -> tuple[Convert, Convert]:
    """(to a record, from a record) for a type of events.py; ``_same`` where nothing is to be done."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_record(kind):
        return _record_converters(kind)
    if kind == events.Label:
        return _label, _same
    if origin in (Union, UnionType):
        to, back = _converters(next(a for a in arguments if a is not type(None)))
        return (_same if to is _same else lambda v: None if v is None else to(v)), (
            _same if back is _same else lambda v: None if v is None else back(v)
        )
    if origin is tuple:
        to, back = _converters(arguments[0])
        return (_same if to is _same else lambda v: [to(x) for x in v]), (
            tuple if back is _same else lambda v: tuple([back(x) for x in v])
        )
    if origin in (dict, Mapping):
        to, back = _converters(arguments[1])
        return (_same if to is _same else lambda v: {k: to(x) for k, x in v.items()}), (
            _same if back is _same else lambda v: {k: back(x) for k, x in v.items()}
        )
    return _same, _same


def _record_converters(kind: type) -> tuple[Convert, Convert]:
    hints = typing.get_type_hints(kind)
    pairs = {name: _converters(hints[name]) for name in names_of(kind)}
    to = [(name, convert) for name, (convert, _) in pairs.items()]
    back = [(name, convert) for name, (_, convert) in pairs.items()]

    def to_record(value: Any) -> dict[str, Any]:
        return {n: c(getattr(value, n)) for n, c in to}

    def from_record(record: Mapping[str, Any]) -> Any:
        return kind(*[c(record[n]) for n, c in back])

    return to_record, from_record


class _Once(dict[type, Any]):
    """What is made of a class when it is first asked for."""

    def __init__(self, make: Callable[[type], Any]) -> None:
        self._make = make

    def __missing__(self, kind: type) -> Any:
        found = self[kind] = self._make(kind)
        return found


def _current(kind: type) -> Schema:
    return max(
        (one for one in _BY_HEADER.values() if one.event == kind.__name__), key=lambda one: one.number
    ).schema()


_BY_HEADER: dict[bytes, Released] = {SINGLE_OBJECT + one.fingerprint: one for one in listed()}
_BY_NAME: dict[str, type] = {f"{NAMESPACE}.{kind.__name__}": kind for kind in EVENTS}
_CURRENT: dict[type, Schema] = _Once(_current)
_CONVERTERS: dict[type, tuple[Convert, Convert]] = _Once(_record_converters)
