"""Chi-square SR on independent rows: once in A windows, with rare bins, few rows and one or many features. Power."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftloop.detectors.chi2_sr import Settings, p_values, start, step
from scipy.stats import chi2, hypergeom

THRESHOLD = 60.0
SIXTEEN = [*(np.full(16, 0.99 / 16)), 0.01, 0.0]
"""Quantile bins, a few others, nothing missing."""
LONG_TAIL = np.array([0.5 ** (i + 1) for i in range(19)] + [0.5**19])
"""A categorical feature, most of whose bins are rare."""


def references(rng: np.random.Generator, shares: np.ndarray, features: int, rows: int) -> tuple:
    return tuple(tuple(rng.multinomial(rows, shares).tolist()) for _ in range(features))


@pytest.mark.parametrize(
    ("shares", "features", "rows", "n"),
    [(SIXTEEN, 1, 20_000, 256), (SIXTEEN, 4, 5_000, 512), (LONG_TAIL, 3, 20_000, 256), (SIXTEEN, 3, 20_000, 30)],
)
def test_the_mean_run_length_on_independent_rows_is_at_least_the_threshold(
    shares: list[float], features: int, rows: int, n: int
) -> None:
    """40 seeded runs with a fresh reference each, cut at 4 A: the mean less two standard errors is above A."""
    rng, lengths = np.random.default_rng(6), []
    for _ in range(40):
        settings = Settings(references(rng, shares, features, rows), THRESHOLD)
        state, window, alarmed = start(settings), 0, False
        while not alarmed and window < 4 * THRESHOLD:
            state, verdict = step(settings, state, rng.multinomial(n, shares, size=features))
            alarmed, window = verdict.alarmed, window + 1
        lengths.append(window)
    error = np.std(lengths) / math.sqrt(len(lengths))
    assert np.mean(lengths) - 2 * error >= THRESHOLD, (np.mean(lengths), error)


@pytest.mark.parametrize(
    ("changed", "windows_most"),
    [
        ("a fifth of an sd", 15),
        ("half an sd", 3),
        ("2 % missing where there were none", 4),
    ],
)
def test_a_change_in_one_of_five_features_is_found_soon(changed: str, windows_most: int) -> None:
    """Median of 20 runs of windows of 256 rows; A = 10,000 windows."""
    rng, delays = np.random.default_rng(5), []
    edges = np.quantile(rng.normal(size=200_000), np.arange(1, 16) / 16)

    def rows(shift: float, missing: float) -> np.ndarray:
        counts = np.bincount(np.searchsorted(edges, rng.normal(shift, 1, 256)), minlength=17)
        counts[16] += (gone := rng.binomial(256, missing))
        counts[8] = max(0, counts[8] - gone)
        return counts

    settings = Settings(((1250,) * 16 + (0,),) * 5, 10_000.0)
    shift, missing = {"a": (0.2, 0.0), "h": (0.5, 0.0), "2": (0.0, 0.02)}[changed[0]]
    for _ in range(20):
        state = start(settings)
        for _ in range(10):
            state, verdict = step(settings, state, [rows(0, 0) for _ in range(5)])
        assert not verdict.alarmed
        delay = 0
        while not verdict.alarmed and delay < 100:
            state, verdict = step(settings, state, [rows(shift, missing), *(rows(0, 0) for _ in range(4))])
            delay += 1
        assert int(np.argmax(verdict.parts)) == 0, "the evidence names the feature"
        delays.append(delay)
    assert np.median(delays) <= windows_most


def test_p_values_are_scipys() -> None:
    reference, current = np.array([1000.0, 1000, 2000, 3, 1]), np.array([60.0, 40, 100, 2, 1])
    common, rare = p_values(current, reference)
    assert common is not None
    assert rare is not None
    expected = 200 * np.array([0.25, 0.25, 0.5])
    x = ((current[:3] - expected) ** 2 / expected).sum() / (1 + 200 / 4000)
    assert common == pytest.approx(chi2.sf(x, 2), rel=1e-12)
    n, rows = 203, 4004
    assert rare == pytest.approx(hypergeom.sf(2, n + rows, 7, n), rel=1e-6)


def test_no_rare_bins_and_nothing_but_rare_bins() -> None:
    assert p_values(np.array([50.0, 50]), np.array([500.0, 500]))[1] is None
    assert p_values(np.array([1.0, 0]), np.array([500.0, 0]))[0] is None
    assert p_values(np.array([0.0, 0]), np.array([5.0, 5])) == (None, 1.0)


@pytest.mark.parametrize("wrong", [{"reference": ()}, {"reference": ((0, 0),)}, {"threshold": 0.0}, {"powers": ()}])
def test_settings_that_cannot_work_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**{"reference": ((1, 2),), "threshold": 10.0, **wrong})
