"""Models whose predictions are laid out alike are read in one pass, and nobody can tell by the columns."""

from __future__ import annotations

import pytest
from driftloop.schemas.batches.columns import read_predictions
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.batches.prediction import PredictionLayout, encode_prediction, layout
from driftloop.schemas.wire import SINGLE_OBJECT, write_body
from hypothesis import given
from hypothesis import strategies as st

from .test_columns import (
    NOW_MS,
    T0,
    damaged,
    decisions,
    markers,
    monitor,
    numbers,
    roles,
    scores,
    seen,
    texts,
    times,
    versions,
)

MODELS = {
    spec.model: spec
    for spec in (
        monitor("loans", "amount age", "grade region"),
        monitor("rents", "area rooms", "town kind"),
        monitor("rents-eu", "area rooms", "town kind"),
        monitor("wide", "area rooms doors", "town kind"),
        monitor("plain", "area rooms", "town"),
    )
}
LAYOUTS = {name: layout(spec) for name, spec in MODELS.items()}
OLDER = layout(monitor("rents", "size rooms", "kind town"))
"""What apps wrote before: the same bytes, in which a double and two texts mean something else."""


def fresh() -> Layouts:
    return Layouts(MODELS, {OLDER.fingerprint: OLDER.schema})


@st.composite
def predictions(draw: st.DrawFn) -> bytes:
    written = draw(st.sampled_from([*LAYOUTS.values(), OLDER]))
    kinds = {"numeric": numbers, "categorical": texts}
    features = {f.name: draw(kinds[f.kind]) for f in written.spec.features}
    return encode_prediction(
        written, draw(times), draw(scores), features, draw(versions), draw(roles), draw(decisions)
    )


@st.composite
def misnamed(draw: st.DrawFn) -> bytes:
    """The schema of one model, the name of another in the record: to be refused, also where both are alike."""
    return SINGLE_OBJECT + LAYOUTS["rents"].fingerprint + draw(predictions())[10:]


def same(values: list[bytes | None], layouts: Layouts) -> None:
    keys = [b"k"] * len(values)
    fast, slow = (
        read_predictions(values, of, keys, [NOW_MS] * len(values), is_fast)
        for of, is_fast in ((layouts, True), (fresh(), False))
    )
    assert [(c.model, seen(c)) for c in fast.columns] == [(c.model, seen(c)) for c in slow.columns]
    assert fast.markers == slow.markers
    assert [r[:2] for r in fast.rejected] == [r[:2] for r in slow.rejected]


anything = st.one_of(predictions(), predictions(), predictions(), misnamed(), damaged(predictions()), markers)


@given(st.lists(st.lists(anything, max_size=25), max_size=3))
def test_batches_of_many_models_are_read_as_if_record_by_record(batches: list[list[bytes | None]]) -> None:
    layouts = fresh()
    for values in batches:
        same(values, layouts)


def written(one: PredictionLayout, town: str, score: float = 0.5) -> bytes:
    names = [f.name for f in one.spec.categorical]
    return encode_prediction(one, T0, score, dict.fromkeys(names, town), "v1")


def test_models_that_are_alike_share_a_memo_and_others_do_not() -> None:
    shapes = {name: fresh().reader(SINGLE_OBJECT + one.fingerprint).shape for name, one in LAYOUTS.items()}
    assert shapes["loans"] == shapes["rents"] == shapes["rents-eu"] is not None
    assert len({*shapes.values(), fresh().reader(SINGLE_OBJECT + OLDER.fingerprint).shape}) == 4


def test_a_model_in_the_name_of_another_is_refused_before_and_after_that_one_was_read() -> None:
    body = written(LAYOUTS["loans"], "a")[10:]
    wrong = SINGLE_OBJECT + LAYOUTS["rents"].fingerprint + body
    right = [written(LAYOUTS["loans"], "a"), written(LAYOUTS["rents"], "a")]
    layouts = fresh()
    for values in ([wrong, *right], [*right, wrong], [wrong, *right]):
        found = read_predictions(values, layouts)
        assert [r.reason for r in found.rejected] == ["unknown-model"]
        assert [c.model for c in found.columns] == ["loans", "rents"]


def test_a_score_that_is_none_among_many_models_is_refused_alone() -> None:
    rents = LAYOUTS["rents"]
    body = {"event_time": T0, "score": 2.0, "f_area": 1.0, "f_rooms": 1.0, "model": "rents", "model_version": "v1"}
    bad = SINGLE_OBJECT + rents.fingerprint + write_body(rents.record, body | {"role": "champion"})
    values: list[bytes | None] = [written(LAYOUTS["loans"], "a"), bad, written(rents, "b"), bad]
    found = read_predictions(values, fresh())
    assert [r[:2] for r in found.rejected] == [(1, "score-not-a-probability"), (3, "score-not-a-probability")]
    assert [c.rows.tolist() for c in found.columns] == [[0], [2]]


def test_the_shared_memo_goes_when_a_table_that_it_points_into_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftloop.schemas.batches.tails.TAILS_KEPT_MOST", 50)
    layouts = fresh()
    for start in range(0, 600, 20):
        towns = [f"t{i}" for i in range(start, start + 20)] + ["t0", "t599"]
        values: list[bytes | None] = [written(LAYOUTS[m], town) for town in towns for m in ("loans", "rents")]
        same(values, layouts)
        assert len(layouts.tails("rents")) <= 50 + 22
