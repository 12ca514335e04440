"""Scores and labels of the three tasks: in the monitor file, on the wire, and refused where they cannot be true."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse as avro_parse
from driftloop.schemas.batches.columns import read_predictions, read_truths
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.codec import encode
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.events import GroundTruth
from driftloop.schemas.monitor.specification import MonitorSpecification, compile_monitor
from driftloop.schemas.outcome import label_code, label_number, power_of_two_above, score_fields
from driftloop.schemas.wire import read_body

BINARY = (Path(__file__).parents[1] / "data" / "small.toml").read_text()
OBSERVED = BINARY.split("[retrain]")[0]
CLASSES = 'classes = ["repaid", "default"]'
MANY = OBSERVED.replace('"binary"', '"multiclass"')
NUMBER = OBSERVED.replace('"binary"', '"regression"').replace(CLASSES, "")
ANIMALS = compile_monitor(MANY.replace(CLASSES, 'classes = ["cat", "big dog", "bird"]'), "a.toml")
HOUSES = compile_monitor(NUMBER + "[label]\nscale = 50\n[value]\nmost = 10", "h.toml")
T0 = 1.4e9
FEATURES = {"amount": 1.5, "income": 2, "age": None, "grade": "A"}


def test_a_binary_model_is_written_as_before_there_were_other_tasks() -> None:
    """Bytes, fingerprint and hash of the first release."""
    spec = compile_monitor(BINARY, "b.toml")
    how = layout(spec)
    assert (how.fingerprint.hex(), spec.spec) == ("ae4e63ea10beefc3", "cb193031469fc9ec")
    assert encode_prediction(how, T0, 0.25, FEATURES, "v1", "challenger", "default").hex() == (
        "c301ae4e63ea10beefc30000008093dcd441000000000000d03f000000000000f83f0000000000000040000000000000f87f"
        "0a6c6f616e73047631146368616c6c656e676572020e64656661756c74020241"
    )
    assert not {"scales", "value_most"} & set(json.loads(spec.to_json()))


def test_what_the_file_says_of_a_task() -> None:
    assert (ANIMALS.task, ANIMALS.classes) == ("multiclass", ("cat", "big dog", "bird"))
    assert HOUSES.scales is not None
    assert (HOUSES.classes, HOUSES.scales.scale, HOUSES.scales.centre, HOUSES.value_most) == ((), 64.0, 0.0, 10.0)
    for spec in (ANIMALS, HOUSES):
        assert MonitorSpecification.from_json(spec.to_json()) == spec
    other = HOUSES.with_bins({}, {}, None)
    assert other == HOUSES and other.bins_hash == HOUSES.bins_hash


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ('classes = ["a"]', "names 1 classes, not 2 to 32"),
        (f"classes = {[f'c{k}' for k in range(33)]}", "names 33 classes, not 2 to 32"),
        ('classes = ["a", ""]', "empty or longer"),
    ],
)
def test_classes_that_cannot_be(changed: str, said: str) -> None:
    text = MANY.replace(CLASSES, changed)
    with pytest.raises(ConfigError, match=said):
        compile_monitor(text, "a.toml")


def test_a_centre_needs_a_scale_and_a_trainer_needs_a_binary_model() -> None:
    text = NUMBER
    with pytest.raises(ConfigError, match="needs a scale"):
        compile_monitor(text + "[label]\ncentre = 5.0", "h.toml")
    with pytest.raises(ConfigError, match="trainers know binary models alone: a regression model is observed"):
        compile_monitor(text + '[retrain]\nmode = "propose"\ntrainer = "a:b"', "h.toml")


def test_a_regression_names_the_quantiles_whose_losses_it_is_told() -> None:
    found = compile_monitor(NUMBER + "[label]\nquantiles = [0.5, 0.95]", "h.toml")
    assert found.quantiles == (0.5, 0.95)
    assert type(found).from_json(found.to_json()) == found
    assert '"quantiles"' not in HOUSES.to_json(), "who names none keeps the name of the specification"
    for told in ("[1.0]", "[0.1, 0.1]", "0.5", "[true]", "[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,0.95]"):
        with pytest.raises(ConfigError, match=r"label\.quantiles") as error:
            compile_monitor(NUMBER + f"[label]\nquantiles = {told}", "h.toml")
        assert "quantiles = [0.1, 0.9]" in error.value.hint


def test_every_class_has_a_field_of_its_own_that_any_avro_client_takes() -> None:
    names = score_fields("multiclass", ("cat", "big dog", "big-dog", "7", "été"))
    assert len(set(names)) == 5
    assert all(name.replace("_", "").isascii() and name.replace("_", "a").isalnum() for name in names)
    data = encode_prediction(layout(ANIMALS), T0, (0.2, 0.5, 0.3), FEATURES, "v1")
    found = read_body(layout(ANIMALS).record, data, 10)
    assert [found[name] for name in ANIMALS.score_fields] == [0.2, 0.5, 0.3]
    row = np.frombuffer(data[10 : 10 + layout(ANIMALS).prefix_bytes], layout(ANIMALS).dtype)[0]
    assert (row["event_time"], row["score_cat"], row["f_amount"]) == (T0, 0.2, 1.5)


def test_classes_may_come_and_go_and_every_schema_reads_every_other() -> None:
    checker = ReaderWriterCompatibilityChecker()
    schemas = [
        avro_parse(json.dumps(layout(spec).schema)) for spec in (ANIMALS, wider("bird", "fish"), wider("fish"))
    ]
    for reader, writer in itertools.product(schemas, repeat=2):
        assert checker.get_compatibility(reader, writer).compatibility == SchemaCompatibilityType.compatible


def wider(*more: str) -> MonitorSpecification:
    return replace(ANIMALS, classes=("cat", "big dog", *more))


@pytest.mark.parametrize("fast", [True, False])
def test_scores_are_read_by_class_and_a_class_that_the_writer_did_not_know_has_none(fast: bool) -> None:
    newer = wider("fish", "bird")
    old, new = layout(ANIMALS), layout(newer)
    layouts = Layouts({"loans": newer}, {old.fingerprint: old.record.definition})
    values: list[bytes | None] = [
        encode_prediction(old, T0, (0.2, 0.5, 0.3), FEATURES, "v1"),
        encode_prediction(new, T0, (0.1, 0.2, 0.3, 0.4), FEATURES, "v1"),
        encode_prediction(old, T0, (0.0, 1.0, 0.0), FEATURES, "v1"),
    ]
    [columns] = read_predictions(values, layouts, fast=fast).columns
    assert columns.score.tolist() == [[0.2, 0.5, 0.0, 0.3], [0.1, 0.2, 0.3, 0.4], [0.0, 1.0, 0.0, 0.0]]
    lost = read_predictions(values, Layouts({"loans": wider()}, layouts._schemas), fast=fast)
    assert [(r.row, r.reason) for r in lost.rejected] == [(i, "score-not-a-probability") for i in (0, 1)]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("scores", [(0.5, 0.5, 0.1), (1.5, -0.5, 0.0), (math.nan, 0.5, 0.5), (math.inf, 0.0, 0.0)])
def test_scores_that_are_no_probabilities_are_refused_on_both_sides(scores: Any, fast: bool) -> None:
    how = layout(ANIMALS)
    with pytest.raises(BadRecord, match=r"cat, big dog, bird.*together 1") as caught:
        encode_prediction(how, T0, scores, FEATURES, "v1")
    assert caught.value.reason == "score-not-a-probability"
    good = encode_prediction(how, T0, (1.0, 0.0, 0.0), FEATURES, "v1")
    fixed = how.pack(T0, *scores, 0.0, 0.0, 0.0)
    bad = good[:10] + fixed + good[10 + len(fixed) :]
    found = read_predictions([good, bad], Layouts({"loans": ANIMALS}), fast=fast)
    assert [(r.row, r.reason) for r in found.rejected] == [(1, "score-not-a-probability")]


@pytest.mark.parametrize("scores", [(0.5, 0.5), 0.5, "abc", ("a", "b", "c"), None])
def test_scores_of_a_wrong_kind_are_a_wrong_type(scores: Any) -> None:
    with pytest.raises(BadRecord) as caught:
        encode_prediction(layout(ANIMALS), T0, scores, FEATURES, "v1")
    assert caught.value.reason == "wrong-type"


@pytest.mark.parametrize("fast", [True, False])
def test_a_regression_takes_any_finite_number(fast: bool) -> None:
    how = layout(HOUSES)
    values: list[bytes | None] = [encode_prediction(how, T0, x, FEATURES, "v1") for x in (-1e300, 0.0, 250.5)]
    with pytest.raises(BadRecord, match="score is nan"):
        encode_prediction(how, T0, math.nan, FEATURES, "v1")
    good = values[0] or b""
    fixed = how.pack(T0, math.inf, 0.0, 0.0, 0.0)
    found = read_predictions(
        [*values, good[:10] + fixed + good[10 + len(fixed) :]], Layouts({"loans": HOUSES}), fast=fast
    )
    assert found.columns[0].score.tolist() == [-1e300, 0.0, 250.5]
    assert [(r.row, r.reason) for r in found.rejected] == [(3, "score-not-a-number")]


@pytest.mark.parametrize("fast", [True, False])
def test_labels_of_a_regression_are_numbers(fast: bool) -> None:
    labels = [3, 2.5, "2.5", None, True, math.inf, -4]
    values: list[bytes | None] = [encode(GroundTruth(T0, "loans", label, 1.0)) for label in labels]
    [columns] = read_truths(values, Layouts({"loans": HOUSES}), fast=fast).columns
    assert columns.code.tolist() == [0, 0, -1, -1, -1, -1, 0]
    assert columns.numbers().tolist() == [3.0, 2.5, 0.0, 0.0, 0.0, 0.0, -4.0]


def test_a_label_names_a_class_by_text_or_index() -> None:
    names = ("a", "b", "c")
    assert [label_code(x, names) for x in ("b", 2, 2.0, 3, -1, True, 0.5, math.nan, None)] == [1, 2, 2, *[-1] * 6]
    assert [label_code(x, ("1", "2", "3")) for x in (1, 2.0, "3", 0)] == [0, 1, 2, -1]
    assert math.isnan(label_number(10**400))
    assert [power_of_two_above(x) for x in (1.0, 1.1, 1e-5)] == [1.0, 2.0, 2.0**-16]
