"""The wire never changes behind anyone's back: files, fields, compatibility in both directions, bytes."""

from __future__ import annotations

import hashlib
import itertools
import json
import typing
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union

import driftloop.schemas
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse as avro_parse
from driftloop.schemas import events
from driftloop.schemas.batches.prediction import layout
from driftloop.schemas.codec import EVENTS, decode, encode, schema_of
from driftloop.schemas.jsonable import to_jsonable
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.schemas.pane_bytes import writes
from driftloop.schemas.records import defaults_of, is_record, names_of
from driftloop.schemas.released import listed, released

from .examples import example

SCHEMAS = Path(next(iter(driftloop.schemas.__path__)))
GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())
VERSIONS = released()


def test_a_released_schema_never_changes() -> None:
    listed = dict(reversed(line.split()) for line in (SCHEMAS / "released.sha256").read_text().splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in SCHEMAS.glob("*.avsc")}
    assert found == listed, (
        "a released .avsc is immutable: put the change into <Event>.<n+1>.avsc; a new file goes into "
        "released.sha256 (cd schemas && sha256sum *.avsc > released.sha256)"
    )


def test_the_fingerprint_of_every_released_schema_is_listed() -> None:
    computed = {f"{name}.{n}": schema for name, versions in VERSIONS.items() for n, schema in enumerate(versions, 1)}
    lines = "".join(f"{schema.fingerprint.hex()}  {name}.avsc\n" for name, schema in sorted(computed.items()))
    assert (SCHEMAS / "released.fingerprints").read_text() == lines, f"released.fingerprints should hold\n{lines}"
    assert {f"{one.event}.{one.number}": one.schema() for one in listed()} == computed


def test_the_highest_schema_of_an_event_is_the_one_it_is_written_with() -> None:
    assert {kind.__name__: schema_of(kind) for kind in EVENTS} == {name: one[-1] for name, one in VERSIONS.items()}
    assert writes(schema_of(events.Pane)), "a Pane has other fields than pane_bytes.py writes"


def test_there_is_a_schema_for_every_event_and_no_other() -> None:
    assert set(VERSIONS) == {kind.__name__ for kind in EVENTS}


PLAIN = {str: "string", float: "double", int: "long", bool: "boolean"}


def avro_type(kind: Any) -> Any:
    """The Avro type of a type of events.py, records by their name alone."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind == events.Label:
        return ["null", "string", "double", "long", "boolean"]
    if origin in (Union, UnionType):
        return ["null", *[avro_type(a) for a in arguments if a is not type(None)]]
    if origin is tuple:
        return {"type": "array", "items": avro_type(arguments[0])}
    if origin in (dict, Mapping):
        return {"type": "map", "values": avro_type(arguments[1])}
    return kind.__name__ if is_record(kind) else PLAIN[kind]


def records(schema: Any) -> dict[str, Any]:
    """Every record defined in a schema, by name."""
    if isinstance(schema, list):
        return {name: record for branch in schema for name, record in records(branch).items()}
    if not isinstance(schema, dict):
        return {}
    inner = [records(schema.get(key)) for key in ("items", "values")] + [
        records(f["type"]) for f in schema.get("fields", [])
    ]
    found = {name: record for more in inner for name, record in more.items()}
    return found | ({schema["name"]: schema} if schema["type"] == "record" else {})


def without_definitions(schema: Any) -> Any:
    if isinstance(schema, list):
        return [without_definitions(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "record":
        return schema["name"]
    return {key: without_definitions(value) for key, value in schema.items()}


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_events_py_and_the_schema_agree_field_by_field(kind: type) -> None:
    for name, record in records(VERSIONS[kind.__name__][-1].definition).items():
        ours = getattr(events, name)
        hints, defaults = typing.get_type_hints(ours), defaults_of(ours)
        expected = []
        for field in names_of(ours):
            told = {"default": [] if defaults[field] == () else defaults[field]} if field in defaults else {}
            expected.append({"name": field, "type": avro_type(hints[field])} | told)
        found = [{k: without_definitions(v) for k, v in f.items() if k != "doc"} for f in record["fields"]]
        assert found == expected, f"{name} in events.py and in its schema"


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_every_field_says_what_it_means(kind: type) -> None:
    for name, record in records(VERSIONS[kind.__name__][-1].definition).items():
        for field in [record, *record["fields"]]:
            assert len(field.get("doc", "")) >= 4, f"{name}.{field['name']} has no doc"
            if field["name"].endswith(("_time", "_at", "_watermark", "as_of", "_since", "_start", "_seconds")):
                assert "second" in field["doc"], f"{name}.{field['name']}: the doc must name the unit"


def compatible(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    checker = ReaderWriterCompatibilityChecker()
    found = checker.get_compatibility(avro_parse(json.dumps(reader)), avro_parse(json.dumps(writer)))
    return bool(found.compatibility == SchemaCompatibilityType.compatible)


@pytest.mark.parametrize("name", VERSIONS)
def test_every_release_reads_every_other(name: str) -> None:
    for one, other in itertools.product(VERSIONS[name], repeat=2):
        assert compatible(one.definition, other.definition)


def test_the_checker_sees_a_field_without_a_default() -> None:
    old = VERSIONS["TimeMarker"][-1].definition
    with_default = old | {"fields": [*old["fields"], {"name": "host", "type": "string", "default": ""}]}
    without = old | {"fields": [*old["fields"], {"name": "host", "type": "string"}]}
    assert compatible(old, with_default)
    assert compatible(with_default, old)
    assert not compatible(without, old)


def test_a_model_may_gain_and_lose_features() -> None:
    def schema(*features: Feature) -> dict[str, Any]:
        return layout(MonitorSpecification("loans", "binary", ("no", "yes"), features, 60.0)).schema

    amount, age = (Feature(name, f"f_{name}", "numeric") for name in ("amount", "age"))
    grade = Feature("grade", "f_grade", "categorical")
    every = [schema(amount), schema(age), schema(amount, age, grade), schema(grade)]
    assert all(compatible(one, other) for one, other in itertools.product(every, repeat=2))


def test_golden_bytes_are_read_as_on_the_day_they_were_written() -> None:
    assert {name.split(".")[0] for name in GOLDEN} == set(VERSIONS)
    for name, golden in GOLDEN.items():
        found = to_jsonable(decode(bytes.fromhex(golden["bytes"])))
        assert {key: found[key] for key in golden["event"]} == golden["event"], name


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_golden_bytes_are_written_again(kind: type) -> None:
    name = f"{kind.__name__}.{len(VERSIONS[kind.__name__])}"
    assert name in GOLDEN, "python tests/schemas/golden_make.py adds it"
    assert encode(example(kind)).hex() == GOLDEN[name]["bytes"]
