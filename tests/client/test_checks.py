"""What the SDK refuses in the call."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from driftloop.client.checks import check_label, check_predicted, key_of, scores_of, wrong_names, wrong_time
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification

SPEC = MonitorSpecification(
    model="flights",
    task="binary",
    classes=("on time", "late"),
    features=(Feature("hour", "f_hour", "numeric"), Feature("carrier", "f_carrier", "categorical")),
    horizon_seconds=86_400.0,
)
NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("event_time", "reason"),
    [
        (math.nan, "event-time-not-a-number"),
        ("yesterday", "event-time-not-a-number"),
        (None, "event-time-not-a-number"),
        (-math.inf, "event-time-before-2000"),
        (86_400.0, "event-time-before-2000"),
        (NOW + 601, "event-time-in-the-future"),
        (NOW * 1000, "event-time-in-the-future"),
        (math.inf, "event-time-in-the-future"),
    ],
)
def test_an_absurd_event_time_is_called_what_the_observer_would_call_it(event_time: object, reason: str) -> None:
    error = wrong_time(event_time, NOW)
    assert error.reason == reason
    assert repr(event_time) in error.message
    assert error.hint


def test_a_wrong_name_is_told_with_the_right_ones() -> None:
    error = wrong_names(SPEC, {"hour": 1, "carier": "AA"})
    assert error is not None
    assert (error.reason, error.message) == ("unknown-feature", "'carier' is no feature of flights")
    assert "hour, carrier" in error.hint


def test_a_feature_left_out_is_not_taken_for_a_missing_value() -> None:
    error = wrong_names(SPEC, {"hour": 1})
    assert error is not None
    assert (error.reason, error.message) == ("missing-feature", "the prediction of flights lacks 'carrier'")
    assert "pass None" in error.hint
    assert wrong_names(SPEC, {"hour": None, "carrier": None}) is None


@pytest.mark.parametrize("label", ["late", "on time", 0, 1, 1.0, True])
def test_a_label_that_names_a_class_passes(label: object) -> None:
    check_label(SPEC, label)  # type: ignore[arg-type]


@pytest.mark.parametrize("label", ["Late", "1", "", 2, -1, 0.5, math.nan, None])
def test_a_label_that_names_none_is_refused_with_the_classes(label: object) -> None:
    with pytest.raises(BadRecord, match=r"is no class of flights\n.*'on time', 'late'") as info:
        check_label(SPEC, label)  # type: ignore[arg-type]
    assert info.value.reason == "unknown-label"


@pytest.mark.parametrize("predicted", ["Late", 1, True, ""])
def test_a_decision_is_the_text_of_a_class(predicted: object) -> None:
    check_predicted(SPEC, "late")
    with pytest.raises(BadRecord, match="or None where no decision was taken"):
        check_predicted(SPEC, predicted)


@pytest.mark.parametrize("identity", ["", "x" * 513, "é" * 257, 7, None, b"bytes"])
def test_a_prediction_id_is_a_short_text(identity: object) -> None:
    assert key_of("é" * 256) == ("é" * 256).encode()
    with pytest.raises(BadRecord, match="is not a text of 1 to 512 bytes"):
        key_of(identity)  # type: ignore[arg-type]


ANIMALS = replace(SPEC, task="multiclass", classes=("cat", "dog", "bird"))
HOUSES = replace(SPEC, task="regression", classes=())


def test_each_task_says_its_scores_in_its_own_way() -> None:
    assert scores_of(SPEC, 0.3, None) == 0.3
    assert scores_of(HOUSES, 250.0, None) == 250.0
    assert scores_of(ANIMALS, None, {"dog": 0.7, "cat": 0.1, "bird": 0.2}) == [0.1, 0.7, 0.2]


@pytest.mark.parametrize(
    ("spec", "score", "scores", "reason", "said"),
    [
        (SPEC, None, {"late": 0.3}, "wrong-type", "score=0.31, the probability of the second class"),
        (SPEC, None, None, "wrong-type", "flights is a binary model: it has one score"),
        (HOUSES, 1.0, {"a": 1.0}, "wrong-type", "score=12.5, the number it predicts"),
        (ANIMALS, 0.3, None, "wrong-type", "scores={'cat': 0.7, 'dog': ...}, every class, together 1"),
        (ANIMALS, None, [0.3, 0.3, 0.4], "wrong-type", "not probabilities by class"),
        (ANIMALS, None, {"cat": 0.5, "dog": 0.5}, "missing-score", "lacks the score of 'bird'"),
        (ANIMALS, None, {"cat": 0.5, "dog": 0.5, "bird": None}, "missing-score", "lacks the score of 'bird'"),
        (ANIMALS, None, {"cat": 0.5, "dog": 0.5, "brd": 0.0}, "unknown-label", "'brd' is no class of flights"),
    ],
)
def test_scores_said_in_another_way_are_refused_with_the_right_one(
    spec: Any, score: Any, scores: Any, reason: str, said: str
) -> None:
    with pytest.raises(BadRecord) as info:
        scores_of(spec, score, scores)
    assert info.value.reason == reason
    assert said in str(info.value)


def test_a_regression_takes_numbers_and_decides_on_no_class() -> None:
    check_label(HOUSES, 250)
    with pytest.raises(BadRecord, match=r"'250' is no label of flights\n.*a finite number"):
        check_label(HOUSES, "250")
    with pytest.raises(BadRecord, match="leave predicted out"):
        check_predicted(HOUSES, "late")
