"""Records of short texts: what is read without fastavro is what fastavro reads, and what it refuses is left to it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from driftloop.schemas.batches.texts import read_texts, texts_of
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.wire import parse, read_body, write_body

FIELDS: list[dict[str, Any]] = [
    {"name": "model", "type": "string"},
    {"name": "predicted", "type": ["null", "string"], "default": None},
    {"name": "city", "type": ["null", "string"], "default": None},
]
SCHEMA = parse({"type": "record", "name": "Tail", "fields": FIELDS})
TEXTS = texts_of(FIELDS)


def test_texts_are_those_that_were_written() -> None:
    assert TEXTS is not None
    for predicted in (None, "", "on time", "Zürich", "x" * 63):
        record = {"model": "flights", "predicted": predicted, "city": "EWR"}
        assert read_texts(TEXTS, write_body(SCHEMA, record)) == record
    assert read_texts(TEXTS, write_body(SCHEMA, {"model": "x" * 64, "predicted": None, "city": None})) is None


def test_broken_bytes_are_read_as_fastavro_does_or_left_to_it() -> None:
    assert TEXTS is not None
    rng, read = random.Random(3), 0
    whole = write_body(SCHEMA, {"model": "flights", "predicted": "late", "city": "Zürich"})
    for _ in range(2_000):
        data = bytearray(rng.choice([whole, whole, whole + b"\x00", whole[: rng.randrange(len(whole))]]))
        for _ in range(rng.randrange(3)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        found = read_texts(TEXTS, bytes(data))
        if found is not None:
            assert read_body(SCHEMA, bytes(data), 0) == found
            read += 1
    assert read > 200


def test_other_fields_are_left_to_fastavro() -> None:
    assert texts_of([{"name": "n", "type": "long"}]) is None
    assert texts_of([{"name": "n", "type": ["string", "null"]}]) is None
    with pytest.raises(BadRecord, match="UTF-8"):
        read_body(SCHEMA, b"\x02\xff\x00\x00", 0)
    assert TEXTS is not None
    assert read_texts(TEXTS, b"\x02\xff\x00\x00") is None
