"""Distances against scipy, and what must hold for any counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftloop.detectors import distances
from driftloop.detectors.side_by_side import SideBySide, references
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, ks_2samp, wasserstein_distance

counts = st.lists(st.integers(0, 500), min_size=3, max_size=20)


@st.composite
def two(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    first = draw(counts)
    second = draw(st.lists(st.integers(0, 500), min_size=len(first), max_size=len(first)))
    return first, second


@settings(deadline=None)
@given(two())
def test_jensen_shannon_is_scipys_squared(pair: tuple[list[int], list[int]]) -> None:
    a, b = pair
    if sum(a) and sum(b):
        assert distances.jensen_shannon(a, b) == pytest.approx(jensenshannon(a, b, base=2) ** 2, abs=1e-9)
    else:
        assert distances.jensen_shannon(a, b) == 0.0


@settings(deadline=None)
@given(two())
def test_psi_is_scipys_relative_entropy_both_ways(pair: tuple[list[int], list[int]]) -> None:
    p, q = (np.array(side) + distances.HALF for side in pair)
    assert distances.psi(*pair) == pytest.approx(entropy(p, q) + entropy(q, p), abs=1e-9)


@settings(deadline=None)
@given(two())
def test_kolmogorov_smirnov_and_wasserstein_are_scipys_of_the_rows_in_the_bins(
    pair: tuple[list[int], list[int]],
) -> None:
    """The last bin, missing, is in neither."""
    bins = np.arange(len(pair[0]) - 1)
    places = np.sort(np.random.default_rng(len(bins)).normal(size=len(bins)))
    a, b = (np.array(side[:-1]) for side in pair)
    if a.sum() and b.sum():
        rows = np.repeat(bins, a), np.repeat(bins, b)
        assert distances.kolmogorov_smirnov(*pair) == pytest.approx(
            ks_2samp(*rows, method="asymp").statistic, abs=1e-12
        )
        assert distances.wasserstein(*pair, at=places) == pytest.approx(
            wasserstein_distance(places, places, a, b), abs=1e-12
        )
    else:
        assert distances.kolmogorov_smirnov(*pair) == distances.wasserstein(*pair) == 0.0


def test_the_wasserstein_distance_of_a_shift_is_the_shift_in_sd_however_the_feature_is_bent() -> None:
    rng = np.random.default_rng(4)
    base, moved = rng.normal(size=100_000), rng.normal(0.5, 1, size=50_000)
    edges = np.quantile(base, np.arange(1, 16) / 16)
    a, b = (np.append(np.bincount(np.searchsorted(edges, x, side="right"), minlength=16), 7) for x in (moved, base))
    assert distances.wasserstein(a, b) == pytest.approx(abs(distances.mean_shift(a, b)), abs=1e-3)
    assert distances.wasserstein(a, b) == pytest.approx(0.5, abs=0.03)
    with pytest.raises(ValueError, match="one for each of 16 bins is needed"):
        distances.wasserstein(a, b, at=[0.0, 1.0])


@settings(deadline=None)
@given(two())
def test_what_holds_for_any_counts(pair: tuple[list[int], list[int]]) -> None:
    a, b = pair
    assert distances.psi(a, b) == pytest.approx(distances.psi(b, a), abs=1e-12)
    assert distances.psi(a, b) >= 0
    assert distances.psi(a, a) == 0
    assert distances.jensen_shannon(a, b) == pytest.approx(distances.jensen_shannon(b, a), abs=1e-12)
    assert 0 <= distances.jensen_shannon(a, b) <= 1
    assert distances.cohens_w(a, b) >= 0
    assert 0 <= distances.kolmogorov_smirnov(a, b) <= 1
    for find in (distances.mean_shift, distances.cohens_w, distances.psi, distances.wasserstein):
        assert math.isfinite(find(a, b))
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
    for find in (distances.kolmogorov_smirnov, distances.wasserstein):
        assert find([0, 0, 9], [5, 5, 0]) == find([5, 5, 0], [0, 0, 9]) == find([9], [9]) == 0.0
    assert distances.expected_psi([0, 0], [5, 5]) == 0.0
    assert distances.expected_jensen_shannon([1, 1], [0, 0]) == 0.0


def test_cohens_w_of_one_distribution_is_mostly_nothing() -> None:
    rng = np.random.default_rng(2)
    found = [distances.cohens_w(rng.multinomial(500, [0.25] * 4), [2500] * 4) for _ in range(200)]
    assert np.mean(found) < 0.05
    assert distances.cohens_w([300, 200, 250, 250], [2500] * 4) == pytest.approx(0.141, abs=0.02)


@settings(deadline=None)
@given(st.lists(two().filter(lambda pair: sum(pair[0]) > 0), min_size=1, max_size=13))
def test_features_side_by_side_say_what_each_says_alone_to_the_bit(pairs: list[tuple[list[int], list[int]]]) -> None:
    window, known = ([np.array(side) for side in sides] for sides in zip(*pairs, strict=True))
    baselines = [tuple(side.tolist()) for side in known]
    both = list(zip(window, baselines, strict=True))
    found = SideBySide(window, references(tuple(baselines)))
    seen = [(now + before) > 0 for now, before in zip(window, known, strict=True)]
    some = [(now[at], before[at]) for now, before, at in zip(window, known, seen, strict=True)]
    assert found.psi == [distances.psi(now, before) for now, before in some]
    assert found.jensen_shannon == [distances.jensen_shannon(*pair) for pair in both]
    assert found.expected_jensen_shannon == [distances.expected_jensen_shannon(*pair) for pair in both]
    assert found.cohens_w == [distances.cohens_w(*pair) for pair in both]
    assert [found.mean_shift(at) for at in range(len(both))] == [distances.mean_shift(*pair) for pair in both]
