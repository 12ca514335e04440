"""The lookup table gives what a search would give, for any edges and any values."""

from __future__ import annotations

import math

import numpy as np
from driftloop.schemas.coder import Coder, codes_of_many
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification, feature_bins, numeric_codes
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

finite = st.floats(allow_nan=False, allow_infinity=False)
ordinary = st.floats(-100, 100)
edge_lists = st.one_of(
    st.lists(ordinary, unique=True, max_size=20),
    st.lists(finite, unique=True, max_size=20),
    st.lists(st.integers(-5, 5).map(float), unique=True, max_size=11),
    st.just([-1.7e308, 1.7e308]),
    st.just([0.0, 5e-324]),
    st.just([1.0, math.nextafter(1.0, 2.0), 1e6]),
    st.lists(ordinary, unique=True, min_size=2, max_size=15).map(lambda edges: [-1e5, *edges, 1e6]),
    st.just([-1.7e308, -1e308, 1e308, 1.7e308]),
).map(lambda edges: sorted({e + 0.0 for e in edges}))


@st.composite
def features(draw: st.DrawFn) -> tuple[list[list[float]], NDArray[np.float64]]:
    """Edges of some features and a matrix of values: on the edges, beside them, anywhere, infinite, missing."""
    edges = draw(st.lists(edge_lists, min_size=1, max_size=4))
    rows = draw(st.integers(0, 12))
    columns = []
    for own in edges:
        near = [x for e in own for x in (e, math.nextafter(e, -math.inf), math.nextafter(e, math.inf))]
        value = st.one_of(finite, st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, *near]))
        columns.append(draw(st.lists(value, min_size=rows, max_size=rows)))
    return edges, np.array(columns, dtype=np.float64).reshape(len(edges), rows).T


def searched(edges: list[list[float]], matrix: NDArray[np.float64]) -> NDArray[np.int64]:
    columns = [
        np.where(np.isnan(x), len(own) + 1, np.searchsorted(np.asarray(own), x, side="right"))
        for own, x in zip(edges, matrix.T, strict=True)
    ]
    return np.array(columns, dtype=np.int64).reshape(len(edges), len(matrix)).T


@given(features())
def test_codes_equal_searchsorted(drawn: tuple[list[list[float]], NDArray[np.float64]]) -> None:
    edges, matrix = drawn
    with np.errstate(all="raise"):  # not a warning either
        found = Coder(edges).codes(matrix)
    assert found.tolist() == searched(edges, matrix).tolist()


@given(st.lists(st.tuples(st.lists(edge_lists, min_size=2, max_size=2), st.integers(0, 5)), min_size=1, max_size=4))
def test_many_coders_at_once_give_what_each_gives_alone(drawn: list[tuple[list[list[float]], int]]) -> None:
    coders, lengths = [Coder(edges) for edges, _ in drawn], [rows for _, rows in drawn]
    random = np.random.default_rng(len(drawn))
    parts = [random.choice([math.nan, math.inf, -math.inf, *edges[0], *edges[1], 0.5], (n, 2)) for edges, n in drawn]
    found = codes_of_many(coders, np.array(lengths), np.concatenate(parts))
    assert found.tolist() == [
        row for one, part in zip(coders, parts, strict=True) for row in one.codes(part).tolist()
    ]


def test_many_rows_of_many_shapes() -> None:
    random = np.random.default_rng(3)
    columns = [
        random.normal(size=3_000),
        random.integers(0, 9, 3_000),
        random.lognormal(0, 3, 3_000),
        np.full(3_000, 7.0),
    ]
    matrix = np.column_stack([*columns, random.normal(size=3_000)])
    matrix[random.random(matrix.shape) < 0.05] = np.nan
    edges = [np.unique(np.nanquantile(column, np.arange(1, 16) / 16)).tolist() for column in matrix.T[:4]] + [[]]
    assert (Coder(edges).codes(matrix) == searched(edges, matrix)).all()
    assert (Coder(edges).codes(matrix[::-2, ::-1][:, ::-1]) == searched(edges, matrix)[::-2]).all(), "any strides"


def test_a_specification_codes_its_numeric_columns_alone() -> None:
    amount = Feature("amount", "f_amount", "numeric", edges=(1.0, 2.0))
    grade = Feature("grade", "f_grade", "categorical", categories=("a", "b", "c"))
    spec = MonitorSpecification("loans", "binary", ("no", "yes"), (grade, amount), 60.0)
    codes = numeric_codes(np.array([[0.5], [1.0], [1.5], [2.0], [math.inf], [-math.inf], [math.nan]]), spec)
    assert codes.ravel().tolist() == [0, 1, 1, 2, 2, 0, 3]
    assert (feature_bins(amount), feature_bins(grade)) == (4, 5)
    assert feature_bins(Feature("age", "f_age", "numeric")) == 0, "not known yet"


def test_no_numeric_feature_is_no_column() -> None:
    assert Coder([]).codes(np.empty((5, 0))).shape == (5, 0)


def test_the_ends_of_a_range_far_out_do_not_slow_a_feature_down() -> None:
    """Cells over all of it would be so wide that the quantiles share one: 25 ns a value in place of 7."""
    values = np.random.default_rng(5).lognormal(0.0, 2.0, 10_000)
    edges = [0.0, *np.quantile(values, np.arange(1, 16) / 16).tolist(), 1e4]
    coder = Coder([edges])
    assert coder._searched == []
    beside = np.concatenate([values, [-1.0, 0.0, -5e-324, 1e4, math.nextafter(1e4, 0.0), 1e300]])[:, None]
    assert coder.codes(beside).tolist() == searched([edges], beside).tolist()
