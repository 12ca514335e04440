"""`driftloop dlq show ID`: one dead letter, with all there is to know about what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from driftloop.console.cat import text_of
from driftloop.console.dlq_ledger import Ledger, Place
from driftloop.console.dlq_letters import DEAD_LETTER, absorbed, place_of, when
from driftloop.console.models import read_catalogue
from driftloop.console.reading import read_one
from driftloop.schemas.batches.dissect import Dissected, dissect, field_of_reason
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.letters import Letter, is_marker, read_letter
from driftloop.schemas.settings import Settings

HEX_BYTES_SHOWN = 512
ROW_BYTES = 16


class Shown(NamedTuple):
    """A letter, and what can be found out about it."""

    place: Place
    letter: Letter
    message: Any
    replayed: bool
    dissected: Dissected


def show_lines(settings: Settings, text: str, as_json: bool) -> Iterator[str]:
    """Lines for a person, or one of JSON. Errors: ConfigError, for a place where there is no dead letter."""
    shown = find(settings, place_of(settings, text))
    if as_json:
        yield json.dumps(_jsonable(shown), ensure_ascii=False, allow_nan=False)
    else:
        yield from _lines(shown)


def find(settings: Settings, place: Place) -> Shown:
    """Read the letter, and try to read the record in it with every schema that is known now."""
    topic = settings.topic(DEAD_LETTER)
    message = read_one(settings, topic, *place)
    if message is None:
        raise ConfigError(f"nothing is at {topic}:{place}", "`driftloop dlq list` prints the ids of those that are")
    if is_marker(message.headers()):
        raise ConfigError(f"{topic}:{place} is a note on what was replayed, no letter", "`driftloop dlq list`")
    try:
        letter = read_letter(message.headers())
    except BadRecord as error:
        hint = "who else writes there? `driftloop cat dead-letter` shows its bytes"
        raise ConfigError(f"{topic}:{place}: {error.message}", hint) from error
    ledger = Ledger()
    for _ in absorbed(settings, ledger, message.timestamp()[1]):
        pass
    framing = read_catalogue(settings).layouts.framing
    return Shown(place, letter, message, ledger.replayed(place), dissect(message.value(), framing))


def _lines(shown: Shown) -> Iterator[str]:
    letter, message = shown.letter, shown.message
    told = "replayed" if shown.replayed else "not replayed"
    if letter.replays:
        told += f"; it has come back dead after replay {letter.replays}"
    yield f"{message.topic()}:{shown.place}  refused {when(message.timestamp()[1])} by the {letter.service}, {told}"
    yield f"record   {letter.topic}[{letter.partition}]@{letter.offset}, produced {when(letter.timestamp_ms)}"
    yield f"reason   {letter.reason}"
    for line in letter.message.split("\n"):
        yield f"         {line.strip()}"
    yield f"key      {_said(message.key())}"
    yield "headers  " + ("none" if not letter.headers else "")
    for name, value in letter.headers:
        yield f"         {name} = {_said(value)}"
    if letter.headers_dropped:
        yield f"         and {letter.headers_dropped} more, too large for a letter"
    yield f"value    {_size(shown)}"
    yield from _hex(message.value() or b"")
    yield from _fields(shown)


def _fields(shown: Shown) -> Iterator[str]:
    found = shown.dissected
    yield f"read as  {found.schema or 'nothing: its schema is not known'}"
    suspect = "" if found.wrong else field_of_reason(shown.letter.reason)
    width = max(map(len, [*found.fields, found.field]), default=0)
    for name, value in found.fields.items():
        mark = f"   <-- {shown.letter.reason}" if name == suspect else ""
        yield f"         {name:<{width}} = {json.dumps(value, ensure_ascii=False)}{mark}"
    if found.wrong and not shown.letter.value_sha256:
        at = f"at byte {found.at}: " if found.at >= 0 else ""
        yield f"         {found.field:<{width}}   <-- {at}{found.wrong}"
    elif found.wrong:
        yield f"         {found.field:<{width}}   the letter ends here, the record went on"
    elif not suspect:
        yield "         it can be read now: `driftloop dlq replay --id " + str(shown.place) + "` puts it back"


def _size(shown: Shown) -> str:
    value = shown.message.value()
    if value is None:
        return "none"
    if shown.letter.value_sha256:
        return f"the first {len(value):,} of {shown.letter.value_size:,} bytes, sha256 {shown.letter.value_sha256}"
    return f"{len(value):,} bytes"


def _hex(value: bytes) -> Iterator[str]:
    for start in range(0, min(len(value), HEX_BYTES_SHOWN), ROW_BYTES):
        row = value[start : start + ROW_BYTES]
        plain = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"         {start:>4}  {row.hex(' '):<{3 * ROW_BYTES}} {plain}"
    if len(value) > HEX_BYTES_SHOWN:
        yield f"         and {len(value) - HEX_BYTES_SHOWN:,} more (--json has them all)"


def _said(value: bytes | None) -> str:
    return "none" if value is None else json.dumps(text_of(value), ensure_ascii=False)


def _jsonable(shown: Shown) -> dict[str, Any]:
    letter, message, found = shown.letter, shown.message, shown.dissected
    value, key = message.value(), message.key()
    return {
        "id": str(shown.place),
        "refused_ms": message.timestamp()[1],
        "replayed": shown.replayed,
        "key": None if key is None else key.hex(),
        "value": None if value is None else value.hex(),
        **letter._asdict(),
        "headers": {name: text_of(value) for name, value in letter.headers},
        "all_headers": [[name, text_of(value)] for name, value in message.headers() or ()],
        "schema": found.schema,
        "fields": found.fields,
        "wrong": found.wrong,
        "wrong_field": found.field or field_of_reason(letter.reason),
        "wrong_at_byte": found.at,
    }
