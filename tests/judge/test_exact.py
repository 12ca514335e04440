"""Exact sums against those of fractions."""

from __future__ import annotations

from fractions import Fraction

from driftloop.streams.judge.exact import exact, rounded
from hypothesis import given, settings
from hypothesis import strategies as st

finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)


@settings(deadline=None)
@given(st.lists(finite | st.sampled_from([5e-324, -5e-324, 2.0**-1022, 0.1, 1e-300]), max_size=20))
def test_a_sum_is_the_double_nearest_to_that_of_fractions(values: list[float]) -> None:
    assert rounded(sum(map(exact, values))) == float(sum(map(Fraction, values)))


@given(finite)
def test_a_double_comes_back(value: float) -> None:
    assert rounded(exact(value)) == value
    assert exact(value) - exact(value) == 0
