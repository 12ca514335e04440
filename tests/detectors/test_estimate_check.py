"""Labels against estimates: one that is right stays, one that is off goes soon, and comes back when it agrees."""

from __future__ import annotations

import numpy as np
import pytest
from driftloop.detectors import estimate_check
from driftloop.detectors.estimate_check import Compared, Settings, State, agrees, start, step

SETTINGS = Settings(figures=3, threshold=200.0)
MARGIN = np.full(3, 0.01)


def window(rng: np.random.Generator, off: float, rows: int = 500) -> Compared:
    """Three figures of the same rows err together; accuracy .8."""
    sd = (0.8 * 0.2 / rows) ** 0.5
    return Compared(np.full(3, off + sd * rng.normal()), np.full(3, sd), MARGIN, rows)


def called_off(seed: int, off: float, windows: int = 100) -> int | None:
    """After how many windows."""
    rng, state = np.random.default_rng(seed), start(SETTINGS)
    for n in range(1, windows + 1):
        state, verdict = step(SETTINGS, state, window(rng, off))
        if verdict.alarmed:
            return n
    return None


@pytest.mark.parametrize(("off", "windows"), [(0.02, 26), (-0.04, 5), (0.1, 1)])
def test_an_estimate_that_is_off_is_called_off_the_sooner_the_worse_it_is(off: float, windows: int) -> None:
    found = [called_off(seed, off) or 1_000 for seed in range(60)]
    assert np.median(found) == pytest.approx(windows, abs=1)


def test_a_figure_that_is_not_told_teaches_nothing_and_the_others_what_they_teach_alone() -> None:
    rng = np.random.default_rng(5)
    some, alone = start(SETTINGS), start(Settings(figures=2, threshold=200.0))
    for _ in range(20):
        error, sd, margin, rows = window(rng, 0.03)
        some, _ = step(SETTINGS, some, Compared(np.array([error[0], np.nan, error[2]]), sd, margin, rows))
        alone, _ = step(Settings(2, 200.0), alone, Compared(error[:2], sd[:2], margin[:2], rows))
    untouched = start(SETTINGS)
    for name in ("log_r", "rows", "error", "variance"):
        told, other = getattr(some, name), getattr(alone, name)
        assert np.array_equal(told[[0, 2]], other), name
        assert np.array_equal(told[1], getattr(untouched, name)[1]), name


def test_one_that_is_right_is_not_and_one_within_the_margin_seldom() -> None:
    assert [called_off(seed, 0.0) for seed in range(20)] == [None] * 20
    within = [called_off(seed, 0.01, windows=400) or 400 for seed in range(8)]
    assert np.mean(within) > SETTINGS.threshold, "the bound on the run length; here runs are cut at 400"


@pytest.mark.parametrize(("rows", "windows"), [(500, 18), (2_000, 10)])
def test_the_way_back_is_ten_windows_and_as_many_rows_as_it_takes(rows: int, windows: int) -> None:
    found = []
    for seed in range(30):
        rng, state, n = np.random.default_rng(seed), start(SETTINGS), 0
        while not agrees(state, MARGIN):
            state, _ = step(SETTINGS, state, window(rng, 0.0, rows))
            n += 1
        found.append(n)
    assert np.median(found) == pytest.approx(windows, abs=2)
    assert min(found) >= estimate_check.WINDOWS_LEAST


def test_what_was_not_told_teaches_nothing_and_the_state_comes_back_from_its_bytes() -> None:
    rng, state = np.random.default_rng(1), start(SETTINGS)
    for _ in range(12):
        one = window(rng, 0.0, 100_000)
        state, verdict = step(SETTINGS, state, one._replace(error=np.array([one.error[0], np.nan, np.nan])))
    assert state.rows.tolist() == [1_200_000.0, 0.0, 0.0]
    assert verdict.parts[1:] == (-np.inf, -np.inf)
    assert agrees(state, MARGIN)
    again: State = estimate_check.from_bytes(estimate_check.to_bytes(state))
    assert estimate_check.to_bytes(again) == estimate_check.to_bytes(state)
    assert step(SETTINGS, again, one)[1] == step(SETTINGS, state, one)[1]


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="figures is 0"):
        Settings(0, 10.0)
    with pytest.raises(ValueError, match="threshold is nan"):
        Settings(1, float("nan"))
