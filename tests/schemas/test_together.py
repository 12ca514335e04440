"""[multivariate]: numeric features as one vector, from the monitor file to the reference's sums."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftloop.console.monitor import keep_bins
from driftloop.schemas.baseline.projection import Projection, named
from driftloop.schemas.baseline.reference import Baselines, build_reference
from driftloop.schemas.batches.prediction import layout
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.monitor.specification import MonitorSpecification, compile_monitor
from driftloop.schemas.monitor.together import NAME, Together

FILE = """model = "loans"
classes = ["no", "yes"]
[features]
amount = "numeric"
age = "numeric"
grade = "categorical"
income = "numeric"
[multivariate]
{}
[time]
horizon = "1 d"
"""


def compiled(said: str = "") -> MonitorSpecification:
    return compile_monitor(FILE.format(said), "loans.toml")


def rows(count: int = 2_000, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    amount = np.exp(rng.normal(size=count) * 2)
    found: dict[str, Any] = {"amount": amount, "age": rng.normal(40, 10, count), "income": amount * 1e6}
    return found | {"grade": np.full(count, "A", object)}


def built(spec: MonitorSpecification, columns: dict[str, Any]) -> tuple[MonitorSpecification, Baselines]:
    count = len(columns["age"])
    times = 1.6e9 + np.arange(float(count))
    return build_reference(spec, columns, np.full(count, -1), score=np.full(count, 0.5), event_time=times)


def test_the_table_alone_means_all_numeric_features() -> None:
    assert compiled().together == Together(("amount", "age", "income"))
    assert compiled('features = ["income", "age"]').together == Together(("income", "age"))
    without = compile_monitor(FILE.format("").replace("[multivariate]\n", ""), "loans.toml")
    assert without.together is None
    assert "together" not in without.to_json(), "a monitor that says nothing of it keeps its name"


def test_apps_send_nothing_more() -> None:
    spec = compiled()
    assert layout(spec).fingerprint == layout(replace(spec, together=None)).fingerprint


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('features = ["amount", "size"]', "loans.toml:9: multivariate.features names 'size', which is no feature"),
        ('features = ["amount", "grade"]', "loans.toml:9: multivariate.features names 'grade', which is categorical"),
        ('features = ["amount"]', "loans.toml:9: multivariate.features are 1 numeric features, not 2 to 256"),
        ('features = "amount"', "loans.toml:9: multivariate.features is 'amount', not a list"),
        ("feature = 1", "loans.toml:9: multivariate.feature is not known here"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_an_example(said: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compiled(said)
    assert reason in str(caught.value)
    assert "features" in str(caught.value)


def test_a_component_is_the_rank_of_its_value() -> None:
    """Skewed, in whatever unit, with an outlier: mean 0, variance 1, bounded; monotone features have the same."""
    spec, _ = built(compiled(), rows())
    columns = rows(seed=1)
    columns["amount"][0] = 1e300
    vectors = spec.vectors_together(columns)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors.mean(axis=0), 0.0, atol=0.1)
    np.testing.assert_allclose(vectors.std(axis=0), 1.0, atol=0.1)
    assert np.abs(vectors).max() <= np.float32(math.sqrt(3.0))
    np.testing.assert_allclose(vectors[1:, 0], vectors[1:, 2], atol=0.1)


def test_what_is_missing_or_endless_or_constant_stands_where_it_tells_nothing() -> None:
    columns = rows()
    columns["age"][:] = 7.0
    spec, baselines = built(compiled(), columns)
    amount = np.array([math.nan, math.inf, -math.inf])
    some = {"amount": amount, "age": np.full(3, 7.0), "income": np.full(3, math.nan)}
    most = np.float32(math.sqrt(3.0))
    found = spec.vectors_together(some)
    np.testing.assert_array_equal(found[:, 0], [0, most, -most])
    assert len(np.unique(found[:, 1])) == 1
    np.testing.assert_array_equal(found[:, 2], [0, 0, 0])
    assert np.isfinite(list(baselines.sums.values())).all()


def test_a_row_s_vector_does_not_depend_on_its_batch() -> None:
    spec, _ = built(compiled(), rows())
    columns = rows(257, seed=2)
    numeric = np.column_stack([columns[f.name] for f in spec.numeric])
    whole = spec.whole_vectors(np.empty(0, np.float32), numeric)
    for cut in (1, 16, 100):
        parts = [spec.whole_vectors(np.empty((len(p), 0), np.float32), p) for p in (numeric[:cut], numeric[cut:])]
        assert np.array_equal(np.concatenate(parts), whole)


def test_a_reference_finds_the_basis_and_holds_the_sums_of_its_rows() -> None:
    columns = rows()
    spec, baselines = built(compiled(), columns)
    assert spec.together is not None
    assert spec.together.basis is not None
    assert spec.vectors[-1].name == NAME
    projection = Projection(3, spec.together.basis)
    sums = projection.all_sums(projection.project(spec.vectors_together(columns)))
    assert dict(baselines.sums) == named(NAME, sums)
    assert sum(baselines.features[NAME]) == 2_000
    assert MonitorSpecification.from_json(spec.to_json()) == spec
    assert Baselines.from_json(baselines.to_json()) == baselines


def test_a_file_applied_again_keeps_what_was_learned_as_long_as_its_members_keep_their_bins() -> None:
    live, _ = built(compiled(), rows())
    assert keep_bins(compiled(), live).spec == live.spec
    others = keep_bins(compiled('features = ["income", "age"]'), live)
    assert others.together == Together(("income", "age"))
    told = FILE.format("").replace('age = "numeric"', 'age = { kind = "numeric", edges = [20, 40, 60] }')
    moved = keep_bins(compile_monitor(told, "loans.toml"), live)
    assert moved.together == Together(("amount", "age", "income"))
    assert moved.bins_hash != live.bins_hash, "no baseline of the one is compared with panes of the other"
