"""Events to bytes and back, whoever framed them; and whatever else the bytes may hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from driftloop.schemas.codec import EVENTS, canonical_json, decode, encode, header_bytes, schema_of
from driftloop.schemas.errors import BadRecord, Unavailable
from driftloop.schemas.events import GroundTruth, Label, Progress, TimeMarker
from driftloop.schemas.wire import CONFLUENT, SINGLE_OBJECT, Framing, Schema, parse, write_body
from hypothesis import example as given_example
from hypothesis import given
from hypothesis import strategies as st

from .examples import any_event, example


class Registry:
    """A schema registry in a dict."""

    def __init__(self) -> None:
        self.schemas: list[Mapping[str, Any]] = []

    def register(self, schema: Schema) -> int:
        self.schemas.append(schema.definition)
        return len(self.schemas) - 1 + 100_001

    def find(self, number: int) -> Mapping[str, Any] | None:
        index = number - 100_001
        return self.schemas[index] if 0 <= index < len(self.schemas) else None


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_an_event_comes_back_as_it_was(kind: type, data: st.DataObject) -> None:
    event = data.draw(any_event(kind))
    assert decode(encode(event)) == event


@pytest.mark.parametrize("label", [None, True, False, 1, 0, -(2**63), 1.0, -0.5, "", "late"])
def test_a_label_keeps_its_type(label: Label) -> None:
    found = decode(encode(GroundTruth(0.0, "m", label)))
    assert isinstance(found, GroundTruth)
    assert (found.label, type(found.label)) == (label, type(label))


def test_watermarks_of_nothing_seen_are_minus_infinity() -> None:
    progress = Progress(0, 4, -math.inf, -math.inf, 0, 0, True)
    assert decode(encode(progress)) == progress


def test_single_object_framing_is_the_specified_one() -> None:
    # The Avro specification: C3 01, then the CRC-64-AVRO fingerprint in little-endian order.
    # Its own example: the fingerprint of "null" is 7195948357588979594, that is 63dd24e7cc258f8a.
    from fastavro.schema import fingerprint, to_parsing_canonical_form

    assert fingerprint(to_parsing_canonical_form("null"), "CRC-64-AVRO") == "8a8f25cce724dd63"
    data = encode(TimeMarker(0.0, "a"))
    assert data == SINGLE_OBJECT + schema_of(TimeMarker).fingerprint + bytes(8) + b"\x02a"
    assert header_bytes(TimeMarker) == data[:10]


def test_confluent_framing_names_the_id_and_both_framings_are_read() -> None:
    registry = Registry()
    framing = Framing(schema_of_id=registry.find, id_of_schema=registry.register)
    event = example(GroundTruth)
    data = encode(event, framing)
    assert data[:5] == CONFLUENT + (100_001).to_bytes(4, "big")
    assert data[5:] == encode(event)[10:]
    assert decode(data, framing) == event
    assert decode(encode(event), framing) == event
    encode(event, framing)
    assert len(registry.schemas) == 1, "a schema is registered once"


def test_without_a_registry_confluent_framing_is_an_unknown_schema() -> None:
    with pytest.raises(BadRecord, match="DRIFTLOOP_SCHEMA_REGISTRY_URL") as caught:
        decode(CONFLUENT + bytes(4))
    assert caught.value.reason == "unknown-schema"


def test_a_registry_that_does_not_answer_is_not_the_records_fault() -> None:
    def down(_: int) -> None:
        raise Unavailable("the registry does not answer")

    with pytest.raises(Unavailable):
        decode(CONFLUENT + bytes(4), Framing(schema_of_id=down))


def with_fields(kind: type, *more: dict[str, Any]) -> Schema:
    definition = schema_of(kind).definition
    return parse(definition | {"fields": [*definition["fields"], *more]})


def test_an_event_of_a_newer_release_is_read_as_far_as_it_is_known() -> None:
    newer = with_fields(TimeMarker, {"name": "host", "type": "string", "default": ""})
    body = write_body(newer, {"event_time": 5.0, "producer": "app", "host": "h1"})
    framing = Framing(schema_of_fingerprint={newer.fingerprint: newer.definition}.get)
    assert decode(SINGLE_OBJECT + newer.fingerprint + body, framing) == TimeMarker(5.0, "app")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"{}", "unknown-framing"),
        (b"\xc3\x02" + bytes(20), "unknown-framing"),
        (b"\xc3\x01abc", "truncated"),
        (b"\x00\x00", "truncated"),
        (SINGLE_OBJECT + bytes(8) + b"abc", "unknown-schema"),
        (encode(TimeMarker(0.0, "app"))[:-1], "truncated"),
        (encode(TimeMarker(0.0, "app"))[:12], "truncated"),
        (encode(TimeMarker(0.0, "app")) + b"\x00", "trailing-bytes"),
        (encode(TimeMarker(0.0, "a"))[:-1] + b"\xff", "not-utf8"),
        (encode(GroundTruth(0.0, "m", None))[:-2] + b"\x20\x00", "wrong-type"),
    ],
)
def test_what_is_no_event_is_told_by_its_reason(data: bytes | None, reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        decode(data)
    assert caught.value.reason == reason


DAMAGED = [encode(example(kind)) for kind in EVENTS]


@given(st.sampled_from(DAMAGED), st.data())
def test_damage_ends_in_an_event_or_in_a_bad_record(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(10, len(data) - 1))
    junk = draw.draw(st.binary(max_size=12) | st.just(b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"))
    damaged = data[:at] + junk + data[at + draw.draw(st.integers(0, 12)) :]
    try:
        decode(damaged)
    except BadRecord as fault:
        assert fault.reason in {"truncated", "trailing-bytes", "not-utf8", "wrong-type"}


@given(st.binary(max_size=40))
@given_example(b"\xc3\x01")
def test_noise_is_a_bad_record(data: bytes) -> None:
    with pytest.raises(BadRecord):
        decode(data)


@pytest.mark.parametrize(
    "definition",
    [
        {"type": "array", "items": "string"},
        {"type": "record", "name": "A", "fields": [{"name": "x", "type": {"type": "array", "items": "null"}}]},
        {"type": "record", "name": "A", "fields": [{"name": "x", "type": ["null", "A"]}]},
        {"type": "record", "name": "A", "fields": [{"name": "x", "type": "no-such-type"}]},
        {"type": "record", "name": "A"},
        {"type": "record", "name": "A", "fields": [
            {"name": "e", "type": {"type": "record", "name": "E", "fields": []}},
            {"name": "x", "type": {"type": "array", "items": "E"}},
        ]},
    ],
    ids=["no record", "an array of nothing", "recursion", "unknown type", "no fields", "an array of empty records"],
)  # fmt: skip
def test_a_foreign_schema_that_could_blow_up_is_refused(definition: dict[str, Any]) -> None:
    with pytest.raises(BadRecord) as caught:
        parse(definition)
    assert caught.value.reason == "bad-schema"


def test_canonical_json_is_one_text_a_value() -> None:
    assert canonical_json({"b": (1, 2.0), "a": None}) == '{"a":null,"b":[1,2.0]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(math.nan)
