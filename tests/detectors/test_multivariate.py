"""Random-Fourier MMD and whitened covariance: against sums over all pairs and numpy, and the figures of the notes."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from driftloop.detectors import rff_mmd, whitened_covariance
from driftloop.detectors.ranked import Window
from driftloop.detectors.window_csr import State

WIDTH, ROWS, QUIET, WINDOWS_MOST, SEEDS = 10, 256, 100, 40, range(6)
W = rff_mmd.frequencies(np.random.default_rng(0).standard_normal((WIDTH, 64)), bandwidth=20**0.5)
MAKE = {rff_mmd: lambda rows: rff_mmd.fourier(rows, W), whitened_covariance: whitened_covariance.moments}


def test_the_distance_is_that_of_the_kernel_over_all_pairs() -> None:
    """Gretton's biased statistic with the Gaussian kernel itself; 20,000 frequencies are right to 1 %."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(300, 3)), rng.normal(0.8, 1.3, size=(200, 3))

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        squares = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2)
        return float(np.exp(-squares / (2 * 2.0**2)).mean())

    exact = kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)
    w = rff_mmd.frequencies(rng.standard_normal((3, 20_000)), bandwidth=2.0)
    settings = rff_mmd.Settings(rff_mmd.fourier(x, w), 10.0)
    chance = (1 / 300 + 1 / 200) * (1 - kernel(x, x))
    assert rff_mmd.score(settings, rff_mmd.fourier(y, w)) + chance == pytest.approx(exact, rel=0.01)


def test_the_covariance_is_numpys_and_moves_of_the_mean_are_none() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 4))
    found = whitened_covariance.moments(rows)
    assert whitened_covariance.covariance(found) == pytest.approx(np.cov(rows.T, bias=True))
    settings = whitened_covariance.Settings(found, 10.0)
    moved = whitened_covariance.score(settings, whitened_covariance.moments(rows + 5.0))
    assert moved == pytest.approx(whitened_covariance.score(settings, found))


@pytest.mark.parametrize("detector", [rff_mmd, whitened_covariance])
def test_two_samples_of_one_distribution_score_nothing_on_average(detector: Any) -> None:
    """Within four standard errors of zero, whatever the number of rows: what chance explains is taken off."""
    rng = np.random.default_rng(3)
    settings = detector.Settings(MAKE[detector](rng.normal(size=(1_000, WIDTH))), 10.0)
    for rows in (30, 300):
        scores = []
        for _ in range(100):
            settings = detector.Settings(MAKE[detector](rng.normal(size=(1_000, WIDTH))), 10.0)
            scores.append(detector.score(settings, MAKE[detector](rng.normal(size=(rows, WIDTH)))))
        slack = 0.02 if detector is whitened_covariance else 0.0  # a sample's variance is that of n - 1 rows
        assert abs(np.mean(scores)) < 4 * np.std(scores) / 10 + slack


@pytest.mark.parametrize("detector", [rff_mmd, whitened_covariance])
def test_sums_of_two_windows_are_those_of_both(detector: Any) -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(100, WIDTH))
    first, second, both = (MAKE[detector](part) for part in (rows[:40], rows[40:], rows))
    for one, other, whole in zip(first, second, both, strict=True):
        assert one + other == pytest.approx(whole)


def drawn(rng: np.random.Generator, kind: str) -> np.ndarray:
    x = rng.normal(size=(ROWS, WIDTH))
    match kind:
        case "mean_one":
            x[:, 0] += 0.3
        case "mean_all":
            x += 0.08
        case "sd_one":
            x[:, 0] *= 1.4
        case "correlation":
            x[:, 1] = 0.6 * x[:, 0] + 0.8 * x[:, 1]
    return x


@cache
def after_quiet(detector: Any, seed: int) -> tuple[Any, State]:
    """Settings and state behind 100 quiet windows, as in the notes; A = 1,000 windows."""
    rng = np.random.default_rng(seed)
    settings = detector.Settings(MAKE[detector](rng.normal(size=(20_000, WIDTH))), 1_000.0)
    state = detector.start(settings)
    for _ in range(QUIET):
        state, _ = detector.step(settings, state, Window(MAKE[detector](drawn(rng, "")), rng.random()))
    return settings, state


def delay(detector: Any, kind: str, seed: int) -> int:
    """Windows from the change to the alarm."""
    settings, state = after_quiet(detector, seed)
    rng = np.random.default_rng(1_000 + seed)
    for windows in range(1, WINDOWS_MOST + 1):
        state, verdict = detector.step(settings, state, Window(MAKE[detector](drawn(rng, kind)), rng.random()))
        if verdict.alarmed:
            return windows
    return WINDOWS_MOST


@pytest.mark.parametrize(
    ("detector", "kind", "noted"),
    [
        (rff_mmd, "mean_one", 4.0),
        (rff_mmd, "mean_all", 5.5),
        (whitened_covariance, "sd_one", 3.5),
        (whitened_covariance, "correlation", 3.0),
        (whitened_covariance, "mean_one", 80.0),
        (whitened_covariance, "mean_all", 80.0),
    ],
)
def test_each_finds_what_it_is_for_as_soon_as_the_notes_say(detector: Any, kind: str, noted: float) -> None:
    """notes/detectors.md, section 3, 10 numbers in windows of 256: medians, here of six, within two windows."""
    found = float(np.median([delay(detector, kind, seed) for seed in SEEDS]))
    if noted > WINDOWS_MOST:
        assert found == WINDOWS_MOST, "not found"
    else:
        assert abs(found - noted) <= 2
