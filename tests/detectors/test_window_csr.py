"""Window conformal SR: once in A windows on exchangeable windows, whatever happens inside them. And its power."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from driftloop.detectors.distances import jensen_shannon
from driftloop.detectors.window_csr import Scores, Settings, start, step, uniform_of

THRESHOLD = 60.0
FEATURES = 4
Stream = Callable[[np.random.Generator], np.ndarray]


def gaussian(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=FEATURES)


def one_score_for_all(rng: np.random.Generator) -> np.ndarray:
    """Features that move together: the same evidence four times."""
    return np.full(FEATURES, rng.lognormal(sigma=2))


def many_ties(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 3, FEATURES).astype(float)


def distances_of_dependent_rows(rng: np.random.Generator) -> np.ndarray:
    """Jensen-Shannon of 200 rows that share a daily level (sd .3): rows are anything but independent."""
    rows = rng.normal(size=(FEATURES, 200)) + 0.3 * rng.normal(size=(FEATURES, 1))
    counts = [np.histogram(r, bins=[-9, -1, -0.5, 0, 0.5, 1, 9])[0] for r in rows]
    return np.array([jensen_shannon(c, [1587, 1499, 1915, 1915, 1499, 1587]) for c in counts])


def run_length(rng: np.random.Generator, stream: Stream, windows_most: int) -> int:
    settings = Settings(FEATURES, THRESHOLD)
    state = start(settings)
    for window in range(windows_most):
        state, verdict = step(settings, state, Scores(stream(rng), rng.random(FEATURES)))
        if verdict.alarmed:
            return window + 1
    return windows_most


@pytest.mark.parametrize("stream", [gaussian, one_score_for_all, many_ties, distances_of_dependent_rows])
def test_the_mean_run_length_on_exchangeable_windows_is_at_least_the_threshold(stream: Stream) -> None:
    """100 seeded runs, cut at 6 A (which only lowers the mean): the mean less two standard errors is above A."""
    rng = np.random.default_rng(4)
    lengths = [run_length(rng, stream, int(6 * THRESHOLD)) for _ in range(100)]
    error = np.std(lengths) / math.sqrt(len(lengths))
    assert np.mean(lengths) - 2 * error >= THRESHOLD, (np.mean(lengths), error)


def test_false_alarms_with_restarts_and_uniforms_from_names_stay_within_the_budget() -> None:
    """6,000 windows, restarted after each alarm: at most windows / A, three sigma of Poisson."""
    settings, rng = Settings(FEATURES, THRESHOLD), np.random.default_rng(8)
    state, alarms, windows = start(settings), 0, 6_000
    for window in range(windows):
        uniforms = [uniform_of("model", f"feature {i}", window) for i in range(FEATURES)]
        state, verdict = step(settings, state, Scores(many_ties(rng), uniforms))
        if verdict.alarmed:
            alarms, state = alarms + 1, start(settings)
    allowed = windows / THRESHOLD
    assert 0.1 * allowed <= alarms <= allowed + 3 * math.sqrt(allowed)


@pytest.mark.parametrize(("shift", "windows_most"), [(2.0, 8), (4.0, 4)])
def test_a_shift_in_one_of_four_features_is_found_soon(shift: float, windows_most: int) -> None:
    """Median of 40 runs from the change on, after 80 quiet windows; shift in sd of the score between windows."""
    settings, rng = Settings(FEATURES, THRESHOLD), np.random.default_rng(9)
    delays = []
    for _ in range(40):
        state, found = start(settings), False
        for _ in range(80):
            state, verdict = step(settings, state, Scores(gaussian(rng), rng.random(FEATURES)))
        delay = 0
        while not (found or delay >= 100):
            scores = gaussian(rng) + np.array([shift, 0, 0, 0])
            state, verdict = step(settings, state, Scores(scores, rng.random(FEATURES)))
            found, delay = verdict.alarmed, delay + 1
        delays.append(delay)
    assert np.median(delays) <= windows_most


def test_the_statistic_is_what_the_formula_says_in_plain_floats() -> None:
    settings, rng = Settings(2, 1e9), np.random.default_rng(1)
    state, seen, plain = start(settings), [], np.zeros((2, len(settings.powers)))
    for _ in range(40):
        values, uniforms = rng.integers(0, 5, 2).astype(float), rng.random(2)
        state, verdict = step(settings, state, Scores(values, uniforms))
        seen.append(values)
        for f in range(2):
            column = [v[f] for v in seen]
            larger, equal = sum(v > values[f] for v in column), sum(v == values[f] for v in column)
            p = (larger + uniforms[f] * equal) / len(column)
            for c, power in enumerate(settings.powers):
                plain[f, c] = (plain[f, c] + 1) * power * p ** (power - 1)
        assert verdict.statistic == pytest.approx(plain.mean(), rel=1e-9)
        assert verdict.parts == pytest.approx(np.log(plain.mean(axis=1)).tolist(), rel=1e-9)


def test_only_ranks_count() -> None:
    """Any rising function of the scores gives the same verdicts."""
    settings, rng = Settings(FEATURES, THRESHOLD), np.random.default_rng(2)
    plain, bent = start(settings), start(settings)
    for _ in range(50):
        scores, uniforms = gaussian(rng), rng.random(FEATURES)
        plain, first = step(settings, plain, Scores(scores, uniforms))
        bent, second = step(settings, bent, Scores(np.exp(scores), uniforms))
        assert first == second


def test_a_feature_without_rows_does_not_blind_the_test() -> None:
    settings, rng = Settings(2, THRESHOLD), np.random.default_rng(3)
    state = start(settings)
    for window in range(60):
        gone = math.nan if window % 3 == 0 else rng.normal()
        state, verdict = step(settings, state, Scores((gone, rng.normal()), rng.random(2)))
    assert not verdict.alarmed
    for _ in range(8):
        state, verdict = step(settings, state, Scores((9.0, math.nan), rng.random(2)))
    assert verdict.alarmed


def test_the_memory_is_bounded() -> None:
    settings, rng = Settings(FEATURES, 1e12, windows_most=50), np.random.default_rng(3)
    state = start(settings)
    for _ in range(300):
        state, _ = step(settings, state, Scores(gaussian(rng), rng.random(FEATURES)))
        assert len(state.scores) <= 50
    assert state.steps == 300


def test_uniforms_from_names_are_uniform() -> None:
    found = np.array([uniform_of("model", "feature", float(i)) for i in range(4000)])
    assert found.min() >= 0
    assert found.max() < 1
    assert np.abs(np.sort(found) - (np.arange(4000) + 0.5) / 4000).max() < 1.63 / math.sqrt(4000), "KS at 1 %"


@pytest.mark.parametrize("wrong", [{"features": 0}, {"threshold": 0.0}, {"powers": (1.0,)}, {"windows_most": 1}])
def test_settings_that_cannot_work_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**{"features": 2, "threshold": 10.0, **wrong})
