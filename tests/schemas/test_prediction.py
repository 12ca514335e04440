"""A prediction written by us is read by any Avro client, and one that could not be read is refused at once."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftloop.schemas.batches.prediction import encode_prediction, layout, record_name
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.monitor.specification import compile_monitor
from driftloop.schemas.wire import CONFLUENT, SINGLE_OBJECT, Framing, read_body

SPEC = compile_monitor((Path(__file__).parents[1] / "data" / "small.toml").read_text(), "small.toml")
LAYOUT = layout(SPEC)
FEATURES = {"amount": 1.5, "income": 2, "age": None, "grade": "A"}


def encoded(**changes: Any) -> bytes:
    given: dict[str, Any] = {"event_time": 1.4e9, "score": 0.25, "features": FEATURES, "version": "v1"}
    return encode_prediction(LAYOUT, **given | changes)


def test_the_fixed_part_comes_first_and_numpy_reads_it() -> None:
    data = encoded()
    assert data[:10] == SINGLE_OBJECT + LAYOUT.fingerprint
    row = np.frombuffer(data[10 : 10 + LAYOUT.prefix_bytes], LAYOUT.dtype)[0]
    assert (row["event_time"], row["score"], row["f_amount"], row["f_income"]) == (1.4e9, 0.25, 1.5, 2.0)
    assert math.isnan(row["f_age"])


def test_a_plain_avro_reader_reads_the_whole() -> None:
    record = read_body(LAYOUT.record, encoded(role="challenger", predicted="default"), 10)
    assert record["f_grade"] == "A"
    assert (record["model"], record["model_version"], record["role"]) == ("loans", "v1", "challenger")
    assert record["predicted"] == "default"


def test_the_schema_depends_on_names_and_kinds_alone() -> None:
    binned = SPEC.with_bins({"age": [1, 2]}, {"grade": ["A"]})
    assert layout(binned).fingerprint == LAYOUT.fingerprint
    fewer = replace(SPEC, features=SPEC.features[1:])
    assert layout(fewer).fingerprint != LAYOUT.fingerprint
    assert all(field["doc"] for field in LAYOUT.schema["fields"])


def test_models_whose_names_look_alike_have_schemas_of_their_own() -> None:
    names = {record_name(model) for model in ("loans.eu", "loans-eu", "loans_eu", "1", "_1")}
    assert len(names) == 5
    assert all(layout(replace(SPEC, model=model)).fingerprint for model in ("loans.eu", "1"))


def test_what_is_left_out_is_missing() -> None:
    record = read_body(LAYOUT.record, encoded(features={"amount": np.float32(0.5)}), 10)
    assert record["f_amount"] == 0.5
    assert math.isnan(record["f_income"])
    assert record["f_grade"] is None


def test_numbers_may_be_numpys() -> None:
    assert encoded(score=np.float64(0.25), features=FEATURES | {"income": np.int64(2)}) == encoded()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"event_time": math.nan}, "event-time-not-a-number"),
        ({"event_time": "now"}, "wrong-type"),
        ({"score": math.nan}, "score-not-a-probability"),
        ({"score": 1.0001}, "score-not-a-probability"),
        ({"score": None}, "wrong-type"),
        ({"role": "hero"}, "unknown-role"),
        ({"version": ""}, "wrong-type"),
        ({"version": 3}, "wrong-type"),
        ({"predicted": 1}, "wrong-type"),
        ({"features": FEATURES | {"amout": 1.0}}, "unknown-feature"),
        ({"features": {"amout": 1.0, "income": 1.0, "age": 1.0, "grade": "A"}}, "unknown-feature"),
        ({"features": {"amount": 1.0, "income": 1.0, "age": 1.0, "grad": "A"}}, "unknown-feature"),
        ({"features": FEATURES | {"income": "much"}}, "wrong-type"),
        ({"features": FEATURES | {"income": 10**400}}, "wrong-type"),
        ({"features": FEATURES | {"grade": 1}}, "wrong-type"),
        ({"features": FEATURES | {"grade": ["A"]}}, "wrong-type"),
    ],
)
def test_what_the_observer_would_refuse_is_refused_here(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        encoded(**changes)
    assert caught.value.reason == reason


def test_without_a_version_the_hint_names_both_places_for_it() -> None:
    with pytest.raises(BadRecord) as caught:
        encoded(version="")
    assert "in the call" in caught.value.hint and "Producer(model, version=" in caught.value.hint


def test_a_registry_changes_the_framing_and_nothing_else() -> None:
    framing = Framing(id_of_schema=lambda _: 9)
    assert encoded(framing=framing) == CONFLUENT + b"\x00\x00\x00\x09" + encoded()[10:]


def test_the_memo_of_tails_is_bounded() -> None:
    own = layout(SPEC)
    for i in range(10_000):
        encode_prediction(own, 1.4e9, 0.5, FEATURES, f"v{i}")
    assert len(own._tails) <= 4_096
