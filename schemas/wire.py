"""Avro bodies and the two framings that say which schema wrote them. This and containers.py alone call fastavro.

    Avro single-object   C3 01 | CRC-64-AVRO of the schema, 8 bytes little-endian | body
    Confluent            00    | id at the registry, int32 big-endian             | body

Whatever the bytes hold, reading them ends in a value or in a BadRecord: it never crashes, and never allocates more
than the record's own length asks for.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from driftloop.schemas.errors import BadRecord
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException, UnknownType, fingerprint, to_parsing_canonical_form

SINGLE_OBJECT = b"\xc3\x01"
CONFLUENT = b"\x00"
SINGLE_OBJECT_BYTES = 10
CONFLUENT_BYTES = 5
SCHEMAS_KEPT_MOST = 2_048

_UNREADABLE = (
    IndexError,  # a union branch or an enum symbol that does not exist
    ValueError,
    TypeError,
    OverflowError,
    struct.error,
    SchemaResolutionError,  # the reader cannot be served from what was written
)


@dataclass(frozen=True, slots=True)
class Schema:
    """A parsed Avro record schema. ``definition``: the plain JSON behind it. ``fingerprint``: 8 bytes, as sent."""

    name: str
    fingerprint: bytes
    definition: dict[str, Any] = field(repr=False)
    parsed: Any = field(repr=False, compare=False)


def parse(definition: Mapping[str, Any]) -> Schema:
    """Check and prepare a record schema. Errors: BadRecord ``bad-schema``, also for one that is not safe to read."""
    try:
        text = json.dumps(definition)
    except (TypeError, ValueError, RecursionError) as error:
        raise _no_schema(error) from None
    return _parsed(text)


def parse_checked(definition: dict[str, Any], fingerprint: bytes) -> Schema:
    """Prepare what ``parse`` has accepted before, and given this fingerprint."""
    parsed: Any = parse_schema(json.loads(json.dumps(definition)))  # it keeps and changes what it is given
    return Schema(parsed["name"], fingerprint, definition, parsed)


def _no_schema(error: Exception) -> BadRecord:
    return BadRecord(
        "bad-schema", f"this is no Avro schema: {error!r}", "`driftloop cat schemas` shows those that are read"
    )


@lru_cache(SCHEMAS_KEPT_MOST)
def _parsed(text: str) -> Schema:
    """Fingerprints are computed byte by byte in Python: a hundred models took .3 s, whenever one of them changed."""
    definition = json.loads(text)
    try:
        parsed = parse_schema(json.loads(text))
        canonical = to_parsing_canonical_form(parsed)
        if not isinstance(parsed, dict) or not isinstance(definition.get("fields"), list):
            raise BadRecord("bad-schema", "the schema is no record with fields", "a value is an Avro record")
        _refuse_unbounded(json.loads(canonical), {}, ())
    except (SchemaParseException, UnknownType, *_UNREADABLE, KeyError, AttributeError, RecursionError) as error:
        raise _no_schema(error) from None
    # fastavro returns the bytes of this fingerprint in the order in which they are sent.
    return Schema(parsed["name"], bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO")), definition, parsed)


def _refuse_unbounded(schema: Any, named: dict[str, Any], above: tuple[str, ...]) -> bool:
    """Whether a value takes a byte at least. Refuses what few bytes could blow up: recursion, arrays of nothing."""
    if isinstance(schema, str) and schema in above:
        raise BadRecord("bad-schema", f"{schema} contains itself", "driftloop reads no recursive schema")
    schema = named.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(schema, str):
        return schema != "null"
    if isinstance(schema, list):
        for branch in schema:
            _refuse_unbounded(branch, named, above)
        return True
    kind = schema["type"]
    if kind in ("array", "map"):
        if not _refuse_unbounded(schema.get("items", "string"), named, above):
            raise BadRecord("bad-schema", "an array of nothing", "such items take no bytes: a count would be enough")
        _refuse_unbounded(schema.get("values", "string"), named, above)
        return True
    if kind in ("fixed", "enum"):
        named[schema["name"]] = schema
        return kind == "enum" or int(schema["size"]) > 0
    if kind in ("record", "error"):
        named[schema["name"]] = schema
        takes_bytes = [_refuse_unbounded(f["type"], named, (*above, schema["name"])) for f in schema["fields"]]
        return any(takes_bytes)
    return _refuse_unbounded(kind, named, above) if not isinstance(kind, str) else kind != "null"


def write_body(schema: Schema, record: Mapping[str, Any]) -> bytes:
    """The bare Avro body. Errors: whatever fastavro raises, for what we write is our own affair."""
    out = io.BytesIO()
    schemaless_writer(out, schema.parsed, record)
    return out.getvalue()


def read_body(writer: Schema, data: bytes, start: int, reader: Schema | None = None) -> dict[str, Any]:
    """Read the body that begins at ``start``, all of it. ``reader``: resolve to this schema (slower).

    Errors: BadRecord ``truncated``, ``not-utf8``, ``wrong-type``, ``trailing-bytes``.
    """
    record, end = read_start(writer, data, start, reader)
    if (left := len(data) - end) > 0:
        raise BadRecord("trailing-bytes", f"{left} bytes behind the end of a {writer.name}")
    return record


def read_start(writer: Schema, data: bytes, start: int, reader: Schema | None = None) -> tuple[dict[str, Any], int]:
    """(record, where it ends), whatever follows. Errors: as ``read_body``, but ``trailing-bytes``."""
    source = io.BytesIO(data)
    source.seek(start)
    try:
        record: dict[str, Any] = schemaless_reader(source, writer.parsed, reader.parsed if reader else None)
    except EOFError:
        raise BadRecord("truncated", f"{len(data)} bytes are not all of a {writer.name}") from None
    except UnicodeDecodeError:
        raise BadRecord("not-utf8", f"a string of this {writer.name} is not UTF-8") from None
    except _UNREADABLE as error:
        raise BadRecord("wrong-type", f"this is no {writer.name}: {error}") from None
    return record, source.tell()


class Framing:
    """How a record names its schema: writes one framing, reads both.

    ``schema_of_id``: a registry's schema by id, None where it has none; without it Confluent framing is not read.
    ``id_of_schema``: given, records are written in the Confluent framing.
    ``schema_of_fingerprint``: a schema not built in, as the schemas topic holds it; None where it is not known.
    What these raise (Unavailable) passes through. Resolved schemas are kept: there are as many as were registered.
    """

    def __init__(
        self,
        schema_of_id: Callable[[int], Mapping[str, Any] | None] | None = None,
        id_of_schema: Callable[[Schema], int] | None = None,
        schema_of_fingerprint: Callable[[bytes], Mapping[str, Any] | None] | None = None,
    ) -> None:
        self._schema_of_id = schema_of_id
        self._id_of_schema = id_of_schema
        self._schema_of_fingerprint = schema_of_fingerprint
        self._written: dict[bytes, bytes] = {}
        self._known: dict[bytes, Schema] = {}

    @property
    def has_registry(self) -> bool:
        """Reading a record may ask a registry."""
        return self._schema_of_id is not None

    def header(self, schema: Schema) -> bytes:
        """The bytes in front of a body written with ``schema``."""
        if self._id_of_schema is None:
            return SINGLE_OBJECT + schema.fingerprint
        if schema.fingerprint not in self._written:
            self._written[schema.fingerprint] = CONFLUENT + struct.pack(">i", self._id_of_schema(schema))
        return self._written[schema.fingerprint]

    def schema(self, header: bytes) -> Schema:
        """The writer's schema. Errors: BadRecord ``unknown-schema``, ``unknown-framing``, ``bad-schema``."""
        if header not in self._known:
            self._known[header] = self._resolve(header)
        return self._known[header]

    def _resolve(self, header: bytes) -> Schema:
        single = header.startswith(SINGLE_OBJECT)
        key = header[2:].hex() if single else str(struct.unpack(">i", header[1:])[0])
        found = None
        if single and self._schema_of_fingerprint is not None:
            found = self._schema_of_fingerprint(header[2:])
        if not single:
            if self._schema_of_id is None:
                raise BadRecord(
                    "unknown-schema",
                    f"schema id {key} of a schema registry, and none is set",
                    "set DRIFTLOOP_SCHEMA_REGISTRY_URL for every service",
                )
            found = self._schema_of_id(int(key))
        if found is None and not single:
            raise BadRecord("unknown-schema", f"the schema registry has no schema {key}", "who has written it?")
        if found is None:
            raise BadRecord(
                "unknown-schema", f"nobody has registered schema {key}", "`driftloop cat schemas` lists them"
            )
        return parse(found)


def header_of(data: bytes | None) -> bytes:
    """The framing at the front of a value. Errors: BadRecord ``empty``, ``truncated``, ``unknown-framing``."""
    if not data:
        raise BadRecord("empty", "the record has no value", "driftloop's topics hold no empty records")
    if data.startswith(SINGLE_OBJECT):
        header = data[:SINGLE_OBJECT_BYTES]
        complete = len(header) == SINGLE_OBJECT_BYTES
    elif data.startswith(CONFLUENT):
        header = data[:CONFLUENT_BYTES]
        complete = len(header) == CONFLUENT_BYTES
    else:
        hint = "single-object Avro begins with C3 01, Confluent framing with 00"
        raise BadRecord("unknown-framing", f"the value begins with {data[:4].hex(' ')}", hint)
    if not complete:
        raise BadRecord("truncated", f"{len(data)} bytes end within the framing")
    return header
