"""`driftloop cat TOPIC`: any topic of ours as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from driftloop.console.reading import read_messages
from driftloop.schemas import codec
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.events import SchemaRegistered
from driftloop.schemas.jsonable import record_to_jsonable
from driftloop.schemas.settings import Settings
from driftloop.schemas.topics import TOPICS
from driftloop.schemas.wire import Framing
from driftloop.streams.transport.registry import schemas_by_id

SHOWN_BYTES = 64
STATE_TOPICS = ("observer-state", "judge-state")
"""Their values belong to the folds and to the transport: no schema of ours reads them."""


class WrittenSchemas:
    """Schemas of the schemas topic by fingerprint, read again when one is met that is not known yet."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[bytes, dict[str, Any]] = {}
        self._missed: set[bytes] = set()

    def find(self, fingerprint: bytes) -> dict[str, Any] | None:
        if fingerprint not in self._known and fingerprint not in self._missed:
            for message in read_messages(self._settings, self._settings.topic("schemas")):
                event = codec.decode(message.value())
                if isinstance(event, SchemaRegistered):
                    self._known[bytes.fromhex(event.fingerprint)] = json.loads(event.schema)
            if fingerprint not in self._known:
                self._missed.add(fingerprint)
        return self._known.get(fingerprint)


def cat(
    settings: Settings,
    name: str,
    *,
    from_beginning: bool = True,
    follow: bool = False,
    limit: int | None = None,
    headers: bool = False,
) -> Iterator[str]:
    """One line a record. A record that cannot be read is a line too, with the reason and its first bytes."""
    short, topic = find_topic(settings, name)
    framing = Framing(schemas_by_id(settings), schema_of_fingerprint=WrittenSchemas(settings).find)
    for count, message in enumerate(read_messages(settings, topic, from_beginning=from_beginning, follow=follow), 1):
        shown = describe(message, short, framing, headers or short == "dead-letter")
        yield json.dumps(shown, ensure_ascii=False, allow_nan=False)
        if count == limit:
            return


def find_topic(settings: Settings, name: str) -> tuple[str, str]:
    """(short name, full name) of what a person calls a topic. ConfigError: none of ours."""
    for short in TOPICS:
        if name in (short, settings.topic(short)):
            return short, settings.topic(short)
    raise ConfigError(f"{name} is no topic of driftloop", f"one of {', '.join(TOPICS)}, or its full name")


def describe(message: Any, short: str, framing: Framing, headers: bool) -> dict[str, Any]:
    """Where the record stands, its key, and its value in words."""
    found: dict[str, Any] = {
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp_ms": message.timestamp()[1],
        "key": text_of(message.key()),
    }
    if headers:
        found["headers"] = {name: text_of(value) for name, value in message.headers() or ()}
    return found | _value(message.value(), short, framing)


def _value(value: bytes | None, short: str, framing: Framing) -> dict[str, Any]:
    if value is None:
        return {"type": "tombstone"}
    if short in STATE_TOPICS or short == "dead-letter":
        return {"type": "bytes", "value": _glimpse(value)}
    try:
        record = record_to_jsonable(value, framing)
    except BadRecord as error:
        return {"type": "unreadable", "reason": error.reason, "error": error.message, "value": _glimpse(value)}
    return {"type": record.pop("event"), "value": record}


def text_of(value: bytes | None) -> Any:
    """Bytes as a text where they are one, otherwise their size and the first of them in hex."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return _glimpse(value)


def _glimpse(value: bytes) -> dict[str, Any]:
    """Bytes of no schema: how many, and the first of them."""
    return {"bytes": len(value), "hex": value[:SHOWN_BYTES].hex()}
