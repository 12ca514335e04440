"""Embeddings: what an app may send, what arrives, and what is told when it cannot be right."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse as avro_parse
from driftloop.schemas.batches.columns import PredictionColumns, read_predictions
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification, compile_monitor
from driftloop.schemas.wire import SINGLE_OBJECT, parse, read_body, write_body

T0 = 1_600_000_000.0
SMALL = (Path(__file__).parents[1] / "data" / "small.toml").read_text()


def spec_of(*features: Feature) -> MonitorSpecification:
    return MonitorSpecification("loans", "binary", ("no", "yes"), features, 60.0)


def embedding(name: str, width: int) -> Feature:
    return Feature(name, f"f_{name}_{width}", "embedding", width=width)


AGE, TEXT, PICTURE = Feature("age", "f_age", "numeric"), embedding("text", 4), embedding("picture", 3)
SPEC = spec_of(TEXT, AGE, PICTURE)


def encoded(text: Any, picture: Any = None) -> bytes:
    return encode_prediction(layout(SPEC), T0, 0.5, {"text": text, "age": 1.0, "picture": picture}, "v1")


def columns_of(values: list[bytes | None], schemas: Any = None, fast: bool = True) -> PredictionColumns:
    found = read_predictions(values, Layouts({"loans": SPEC}, schemas), fast=fast)
    assert not found.rejected
    return found.columns[0]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    "sent",
    [
        [1, -2.5, 3e38, 0.1],
        (1.0, 2.0, 3.0, 4.0),
        np.array([1.0, 2.0, 3.0, 4.0]),
        np.array([1.0, 2.0, 3.0, 4.0], ">f4"),
        np.arange(8.0, dtype=np.float32)[::2],
        np.arange(4),
    ],
)
def test_what_is_sent_arrives_as_float32(sent: Any, fast: bool) -> None:
    columns = columns_of([encoded(sent), encoded(None, [1, 2, 3])], fast=fast)
    assert columns.vectors.dtype == np.float32
    assert columns.vectors[0, :4].tolist() == np.array([float(x) for x in sent], np.float32).tolist()
    assert np.isnan(columns.vectors[0, 4:]).all(), "None: missing"
    assert np.isnan(columns.vectors[1, :4]).all()
    assert columns.vectors[1, 4:].tolist() == [1, 2, 3]
    assert columns.numeric.tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize(
    ("sent", "reason", "said"),
    [
        ([1.0, 2.0, 3.0], "wrong-width", "text has shape (3,), not (4,)"),
        (np.ones((2, 2)), "wrong-width", "text has shape (2, 2), not (4,)"),
        (np.ones((1, 4)), "wrong-width", "text has shape (1, 4), not (4,)"),
        ([], "wrong-width", "not (4,)"),
        (3.0, "wrong-width", "text has shape (), not (4,)"),
        ([1.0, math.nan, 3.0, 4.0], "vector-not-finite", "text[1] is"),
        ([1.0, 2.0, 3.0, 1e39], "vector-not-finite", "text[3] is"),
        ([1.0, 2.0, math.inf, 4.0], "vector-not-finite", "text[2] is"),
        ("abcd", "wrong-type", "text is a str"),
        (["a", "b", "c", "d"], "wrong-type", "text is a list"),
        ([1.0, [2.0], 3.0, 4.0], "wrong-type", "text is a list"),
        ([True, False, True, False], "wrong-type", "bool"),
        ([None] * 4, "wrong-type", "text is a list"),
    ],
)
def test_what_cannot_be_right_is_refused_in_the_call(sent: Any, reason: str, said: str) -> None:
    with pytest.raises(BadRecord) as caught:
        encoded(sent)
    assert (caught.value.reason, said in caught.value.message) == (reason, True), caught.value.message
    assert "4 float32" in str(caught.value.hint)


def test_any_avro_client_can_write_one_and_a_list_or_null_is_understood_too() -> None:
    schema = layout(SPEC).schema
    fields = {f["name"]: f for f in schema["fields"]}
    asked = {
        "f_text_4": {"type": {"type": "array", "items": "float"}, "default": []},
        "f_picture_3": {"type": ["null", fields["f_picture_3"]["type"]], "default": None},
    }
    writer = parse(schema | {"fields": [f | asked.get(name, {}) for name, f in fields.items()]})
    record = {
        "event_time": T0,
        "score": 0.5,
        "f_age": 1.0,
        "model": "loans",
        "model_version": "v1",
        "predicted": None,
    }
    vector = np.array([1, 2, 3], "<f4").tobytes()
    values: list[bytes | None] = [
        SINGLE_OBJECT + writer.fingerprint + write_body(writer, record | {"f_text_4": text, "f_picture_3": picture})
        for text, picture in (([1.0, 2.0, 3.0, 4.0], vector), ([], None), ([1.0], vector))
    ]
    found = read_predictions(values, Layouts({"loans": SPEC}, {writer.fingerprint: writer.definition}))
    assert [(r.row, r.reason) for r in found.rejected] == [(2, "wrong-width")]
    assert found.columns[0].vectors[0].tolist() == [1, 2, 3, 4, 1, 2, 3]
    assert np.isnan(found.columns[0].vectors[1]).all()


def test_a_model_may_gain_lose_and_widen_embeddings() -> None:
    every = [layout(spec_of(*f)) for f in ((AGE,), (TEXT, AGE), (AGE, PICTURE), (embedding("text", 9), AGE))]
    checker = ReaderWriterCompatibilityChecker()
    for one, other in itertools.product(every, repeat=2):
        found = checker.get_compatibility(*(avro_parse(json.dumps(s.schema)) for s in (one, other)))
        assert found.compatibility == SchemaCompatibilityType.compatible
    old = encode_prediction(every[0], T0, 0.5, {"age": 2.0}, "v1")
    wider = encode_prediction(every[3], T0, 0.5, {"age": 2.0, "text": range(9)}, "v1")
    schemas = {s.fingerprint: s.schema for s in every}
    for fast in (True, False):
        columns = columns_of([encoded([1, 2, 3, 4], [5, 6, 7]), old, wider], schemas, fast)
        assert columns.vectors[0].tolist() == [1, 2, 3, 4, 5, 6, 7]
        assert np.isnan(columns.vectors[1:]).all(), "another width is another field"
        assert columns.numeric[1:].tolist() == [[2.0], [2.0]]
    default = read_body(every[0].record, old, 10, layout(SPEC).record)["f_text_4"]
    assert np.isnan(np.frombuffer(default.encode("latin-1"), "<f4")).all(), "for other readers too: missing, not zero"


def test_the_dtype_of_a_layout_describes_its_bytes() -> None:
    data = encoded([1, 2, 3, 4], [5, 6, 7])
    found = layout(SPEC)
    row = np.frombuffer(data[10 : 10 + found.prefix_bytes], found.dtype)[0]
    assert (row["f_age"], row["f_text_4"].tolist(), row["f_picture_3"].tolist()) == (1.0, [1, 2, 3, 4], [5, 6, 7])


def test_a_record_that_ends_within_a_vector_is_truncated_and_its_neighbours_are_read() -> None:
    whole = encoded([1, 2, 3, 4], [5, 6, 7])
    for fast in (True, False):
        found = read_predictions([whole, whole[:50], whole], Layouts({"loans": SPEC}), fast=fast)
        assert [(r.row, r.reason) for r in found.rejected] == [(1, "truncated")]
        assert found.columns[0].vectors.tolist() == [[1, 2, 3, 4, 5, 6, 7]] * 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('text = "embedding"', "features.text is an embedding without a width"),
        ('text = { kind = "embedding" }', "features.text.width is missing"),
        ('text = { kind = "embedding", width = 1 }', "not a whole number from 2 to 4096"),
        ('text = { kind = "embedding", width = 5000 }', "not a whole number from 2 to 4096"),
        ('text = { kind = "embedding", width = 8, edges = [1] }', "features.text.edges is not known"),
        ("\n".join(f'e{i} = {{ kind = "embedding", width = 8 }}' for i in range(9)), "more than 8 embeddings"),
    ],
)
def test_a_mistake_in_the_monitor_file_is_told(line: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_monitor(SMALL.replace("[features]", "[features]\n" + line), "loans.toml")
    assert said in caught.value.message


def test_a_monitor_file_with_an_embedding_comes_back_from_its_json() -> None:
    text = SMALL.replace("[features]", '[features]\ntext = { kind = "embedding", width = 384 }')
    spec = compile_monitor(text, "loans.toml")
    assert spec.embeddings == (embedding("text", 384),)
    assert MonitorSpecification.from_json(spec.to_json()) == spec
    assert "width" not in compile_monitor(SMALL, "loans.toml").to_json(), "and others keep the name they had"
