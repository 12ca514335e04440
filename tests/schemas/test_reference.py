"""A reference is what its rows say: bins that they fill evenly, counts on them, means with an honest bound."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftloop.schemas.baseline.reference import (
    Baselines,
    build_reference,
    numeric_edges,
    top_categories,
    upper_bound,
)
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.events import OffsetRange
from driftloop.schemas.monitor.specification import compile_monitor
from scipy import stats

SMALL = compile_monitor((Path(__file__).parents[1] / "data" / "small.toml").read_text(), "small.toml")
ROWS = 2_000


def rows(seed: int = 0, n: int = ROWS) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    score = random.random(n)
    age = np.where(random.random(n) < 0.1, np.nan, random.integers(18, 80, n))
    grade = random.choice(np.array(["A", "B", None], dtype=object), n)
    return {
        "columns": {"amount": random.lognormal(8, 1, n), "income": random.normal(size=n), "age": age, "grade": grade},
        "labels": np.where(random.random(n) < 0.2, -1, random.random(n) < score).astype(np.int8),
        "score": score,
        "event_time": 1.4e9 + 600.0 * np.arange(n),
        "predicted": np.where(random.random(n) < 0.1, 2, score > 0.5).astype(np.int8),
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": [None, 1]},
        {"score": ["1"]},
        {"score_by_label": [[0.5]]},
        {"features": {"age": [{}]}},
        {"to_time": "x"},
    ],
)
def test_counts_that_are_no_numbers_are_a_bad_record_and_not_the_end_of_the_judge(wrong: dict[str, Any]) -> None:
    told = json.loads(build_reference(SMALL, **rows())[1].to_json()) | wrong
    with pytest.raises(BadRecord, match="these are no baselines"):
        Baselines.from_json(json.dumps(told))


def test_counts_are_those_of_the_rows() -> None:
    given = rows()
    spec, found = build_reference(SMALL, **given, offsets=[OffsetRange("predictions", 0, 0, ROWS - 1)])
    assert spec.has_bins
    assert found.bins_fit(spec)
    assert not found.bins_fit(SMALL)
    assert found.rows == ROWS
    assert (found.from_time, found.to_time) == (1.4e9, 1.4e9 + 600.0 * (ROWS - 1))
    for feature in spec.features:
        assert sum(found.features[feature.name]) == ROWS
        assert len(found.features[feature.name]) == feature.bins
    below, *filled, beyond, _ = found.features["amount"]
    assert (below, max(filled) - min(filled) <= 1, beyond) == (0, True, 0), "16 bins, evenly filled, and a range"
    assert found.features["age"][-1] == np.isnan(given["columns"]["age"]).sum()
    assert found.features["grade"][-1] == sum(g is None for g in given["columns"]["grade"])
    assert found.features["grade"][-2] == 0, "nothing is unseen in its own reference"


def test_scores_losses_and_errors_are_those_of_the_labelled_rows() -> None:
    given = rows()
    labels, score, predicted = given["labels"], given["score"], given["predicted"]
    _, found = build_reference(SMALL, **given)
    known = labels >= 0
    loss = -np.log(np.where(labels == 1, score, 1 - score)[known])
    told = known & (predicted < 2)
    assert found.labelled == known.sum()
    assert sum(found.score) == ROWS
    assert [sum(counts) for counts in found.score_by_label] == [(labels == 0).sum(), (labels == 1).sum()]
    assert sum(found.loss) == known.sum()
    assert found.loss_mean == pytest.approx(loss.mean())
    assert found.loss_upper > found.loss_mean
    assert found.error_rate == pytest.approx((predicted != labels)[told].mean())
    assert found.class_shares == pytest.approx(((labels == 0).sum() / known.sum(), (labels == 1).sum() / known.sum()))


def test_baselines_come_back_and_have_a_name() -> None:
    _, found = build_reference(SMALL, **rows(), offsets=[OffsetRange("predictions", 0, 0, 9)])
    again = Baselines.from_json(found.to_json())
    assert again == found
    assert again.reference == found.reference
    assert build_reference(SMALL, **rows(seed=1))[1].reference != found.reference
    with pytest.raises(BadRecord):
        Baselines.from_json('{"model": "loans"}')


def test_bins_that_are_there_stay_so_panes_remain_comparable() -> None:
    first, _ = build_reference(SMALL, **rows())
    second, found = build_reference(first, **rows(seed=1))
    assert second.spec == first.spec
    assert found.bins_fit(first)


def test_without_labels_there_is_no_loss_and_without_rows_no_reference() -> None:
    given = rows() | {"labels": np.full(ROWS, -1), "predicted": None}
    _, found = build_reference(SMALL, **given)
    assert (found.loss_mean, found.loss_upper, found.error_rate, found.class_shares) == (None, None, None, None)
    assert Baselines.from_json(found.to_json()) == found
    with pytest.raises(ConfigError, match="there are none"):
        build_reference(SMALL, **rows(n=0))


def test_edges_of_unusual_columns() -> None:
    assert numeric_edges(np.array([np.nan, np.inf])) == ()
    assert numeric_edges(np.array([7.0, 7.0, np.nan])) == (7.0, math.nextafter(7.0, math.inf))
    assert numeric_edges(np.array([0.0, 1.0, 1.0, 3.0])) == (0.5, 2.0)
    assert numeric_edges(np.array([-1.7e308, 1.7e308])) == (0.0,)
    assert numeric_edges(np.array([1.0, math.nextafter(1.0, 2.0)])) == (math.nextafter(1.0, 2.0),)
    assert all(map(math.isfinite, numeric_edges(np.linspace(-1, 1, 99) * 1.7e308)))
    skewed = numeric_edges(np.concatenate((np.zeros(900), np.arange(100.0))))
    assert list(skewed) == sorted(set(skewed))
    assert len(numeric_edges(np.random.default_rng(0).normal(size=5_000))) == 15


def test_the_most_frequent_categories_are_kept_in_a_stated_order() -> None:
    assert top_categories(np.array(["b", "a", "c", "c", None], dtype=object)) == ("c", "a", "b")
    many = np.array([f"k{i:03}" for i in range(100)] + ["k099"], dtype=object)
    assert top_categories(many)[:2] == ("k099", "k000")
    assert len(top_categories(many)) == 64


def test_the_bound_of_equal_days_is_students() -> None:
    random = np.random.default_rng(5)
    values, day = random.random(1_000), np.repeat(np.arange(10.0), 100)
    mean, bound = upper_bound(values, day)
    daily = values.reshape(10, 100).mean(axis=1)
    expected = stats.t.ppf(0.9, 9) * daily.std(ddof=1) / math.sqrt(10)
    assert (mean, bound) == pytest.approx((values.mean(), values.mean() + expected))


def test_the_bound_holds_where_days_differ_and_rows_alone_would_not() -> None:
    random = np.random.default_rng(6)
    held = independent = 0
    for _ in range(400):
        level = random.normal(0.5, 0.1, 30)
        values = np.repeat(level, 50) + random.normal(0, 0.1, 1_500)
        _, bound = upper_bound(values, np.repeat(np.arange(30.0), 50))
        held += bound >= 0.5
        independent += values.mean() + 1.2816 * values.std() / math.sqrt(1_500) >= 0.5
    assert 0.86 <= held / 400 <= 0.94
    assert independent / 400 < 0.65
