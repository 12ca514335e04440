"""Distances against scipy, and what must hold for any counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftloop.detectors import distances
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

counts = st.lists(st.integers(0, 500), min_size=3, max_size=20)


@st.composite
def two(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    first = draw(counts)
    second = draw(st.lists(st.integers(0, 500), min_size=len(first), max_size=len(first)))
    return first, second


@given(two())
def test_jensen_shannon_is_scipys_squared(pair: tuple[list[int], list[int]]) -> None:
    a, b = pair
    if sum(a) and sum(b):
        assert distances.jensen_shannon(a, b) == pytest.approx(jensenshannon(a, b, base=2) ** 2, abs=1e-9)
    else:
        assert distances.jensen_shannon(a, b) == 0.0


@given(two())
def test_what_holds_for_any_counts(pair: tuple[list[int], list[int]]) -> None:
    a, b = pair
    assert distances.psi(a, b) == pytest.approx(distances.psi(b, a), abs=1e-12)
    assert distances.psi(a, b) >= 0
    assert distances.psi(a, a) == 0
    assert distances.jensen_shannon(a, b) == pytest.approx(distances.jensen_shannon(b, a), abs=1e-12)
    assert 0 <= distances.jensen_shannon(a, b) <= 1
    assert distances.cohens_w(a, b) >= 0
    for found in (distances.mean_shift(a, b), distances.cohens_w(a, b), distances.psi(a, b)):
        assert math.isfinite(found)
    order = np.random.default_rng(len(a)).permutation(len(a))
    shuffled = np.array(a)[order], np.array(b)[order]
    assert distances.psi(*shuffled) == pytest.approx(distances.psi(a, b), abs=1e-9)
    assert distances.jensen_shannon(*shuffled) == pytest.approx(distances.jensen_shannon(a, b), abs=1e-9)


def test_psi_with_half_a_count_by_hand() -> None:
    p, q = np.array([30.5, 70.5, 0.5]) / 101.5, np.array([50.5, 50.5, 0.5]) / 101.5
    assert distances.psi([30, 70, 0], [50, 50, 0]) == pytest.approx(float(((p - q) * np.log(p / q)).sum()))


@pytest.mark.parametrize("name", ["psi", "jensen_shannon"])
def test_what_chance_explains_is_what_chance_does(name: str) -> None:
    """Mean over 300 pairs of samples of one distribution, within 15 %."""
    rng, shares = np.random.default_rng(3), np.full(16, 1 / 16)
    distance, expected = getattr(distances, name), getattr(distances, f"expected_{name}")
    found, told = [], []
    for _ in range(300):
        current, reference = rng.multinomial(400, shares), rng.multinomial(4000, shares)
        found.append(distance(current, reference))
        told.append(expected(current, reference))
    assert np.mean(found) == pytest.approx(np.mean(told), rel=0.15)


@pytest.mark.parametrize("shift", [-0.8, -0.2, 0.0, 0.05, 0.5])
def test_a_shift_of_the_mean_is_measured_in_sd_of_the_reference(shift: float) -> None:
    """Also where the feature is skewed, for it is measured on the normalised feature. Outliers count as one bin."""
    rng = np.random.default_rng(1)
    base, moved = rng.normal(size=100_000), rng.normal(shift, 1, size=50_000)
    moved[:5] = 1e12
    for bend in (lambda x: x, np.exp):
        edges = np.quantile(bend(base), np.arange(1, 16) / 16)

        def histogram(values: np.ndarray, edges: np.ndarray = edges) -> np.ndarray:
            return np.append(np.bincount(np.searchsorted(edges, values, side="right"), minlength=16), 7)

        with np.errstate(over="ignore"):
            found = distances.mean_shift(histogram(bend(moved)), histogram(bend(base)))
        assert found == pytest.approx(shift, abs=0.02 + 0.05 * abs(shift))


def test_missing_rows_do_not_move_the_mean() -> None:
    reference = [100, 200, 100, 10]
    assert distances.mean_shift([10, 20, 10, 500], reference) == pytest.approx(0.0, abs=1e-12)


def test_what_is_empty_has_a_documented_answer() -> None:
    assert distances.mean_shift([0, 0, 9], [5, 5, 0]) == 0.0
    assert distances.cohens_w([0, 0], [5, 5]) == 0.0
    assert distances.expected_psi([0, 0], [5, 5]) == 0.0
    assert distances.expected_jensen_shannon([1, 1], [0, 0]) == 0.0


def test_cohens_w_of_one_distribution_is_mostly_nothing() -> None:
    rng = np.random.default_rng(2)
    found = [distances.cohens_w(rng.multinomial(500, [0.25] * 4), [2500] * 4) for _ in range(200)]
    assert np.mean(found) < 0.05
    assert distances.cohens_w([300, 200, 250, 250], [2500] * 4) == pytest.approx(0.141, abs=0.02)
