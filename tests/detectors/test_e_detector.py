"""The e-detector's bound, counted: at the baseline it may alarm once in A panes, no more. And its power."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from driftloop.detectors import e_detector
from driftloop.detectors.e_detector import Losses, Settings, start, step, suspected
from scipy.special import digamma

THRESHOLD = 100.0
EVENTS = 40
ERRORS = np.array([0.0, 1.0])
"""Bins of a loss that is 0 or 1."""
GRID = np.append(0.0, np.geomspace(1e-3, 34.5, 511))
"""Lower edges of fine bins of a log loss."""
CALIBRATED_LOSS = float(digamma(2 * 1.2 + 1) - digamma(1.2 + 1))
"""Mean log loss of a calibrated model whose scores are Beta(1.2, 1.2): the mean entropy."""

Stream = Callable[[np.random.Generator, int], np.ndarray]


def settings_of(mean: float, least: np.ndarray = ERRORS, threshold: float = THRESHOLD) -> Settings:
    return Settings(mean, threshold, tuple(least.tolist()))


def pane(time: int, losses: np.ndarray, least: np.ndarray = ERRORS) -> Losses:
    codes = np.searchsorted(least, losses, side="right") - 1
    return Losses(float(time), np.bincount(codes, minlength=len(least)), float(losses.sum()))


def errors(rng: np.random.Generator, _: int) -> np.ndarray:
    return rng.binomial(1, 0.2, EVENTS).astype(float)


def log_losses(rng: np.random.Generator, _: int) -> np.ndarray:
    score = rng.beta(1.2, 1.2, EVENTS)
    return -np.log(np.where(rng.random(EVENTS) < score, score, 1 - score))


def good_spells(rng: np.random.Generator, time: int) -> np.ndarray:
    """Dependent panes: every other week of them is far better than the baseline, never worse."""
    return rng.binomial(1, 0.2 if time // 7 % 2 else 0.02, EVENTS).astype(float)


def runs_of_errors(rng: np.random.Generator, _: int) -> np.ndarray:
    """Dependent events: an error makes the next one less likely (.05), a success leaves it at the baseline."""
    found, last = np.zeros(EVENTS), 0.0
    for i, u in enumerate(rng.random(EVENTS)):
        found[i] = last = float(u < (0.05 if last else 0.2))
    return found


def run_length(settings: Settings, stream: Callable[[int], np.ndarray], panes_most: int) -> int:
    state, least = start(settings), np.asarray(settings.least)
    for time in range(panes_most):
        state, verdict = step(settings, state, pane(time, stream(time), least))
        if verdict.alarmed:
            return time + 1
    return panes_most


@pytest.mark.parametrize(
    ("stream", "mean", "least"),
    [
        (errors, 0.2, ERRORS),
        (log_losses, CALIBRATED_LOSS, GRID),
        (good_spells, 0.2, ERRORS),
        (runs_of_errors, 0.2, ERRORS),
    ],
)
def test_the_mean_run_length_at_the_baseline_is_at_least_the_threshold(
    stream: Stream, mean: float, least: np.ndarray
) -> None:
    """100 seeded runs, cut at 3 A (which only lowers the mean): the mean less two standard errors is above A."""
    settings, rng = settings_of(mean, least), np.random.default_rng(7)
    lengths = [run_length(settings, lambda t: stream(rng, t), int(3 * THRESHOLD)) for _ in range(100)]
    error = np.std(lengths) / math.sqrt(len(lengths))
    assert np.mean(lengths) - 2 * error >= THRESHOLD, (np.mean(lengths), error)


def test_false_alarms_with_restarts_stay_within_the_budget() -> None:
    """20,000 panes at the baseline, restarted after each alarm: at most panes / A alarms, three sigma of Poisson."""
    settings, rng = settings_of(0.2), np.random.default_rng(3)
    state, alarms, panes = start(settings), 0, 20_000
    for time in range(panes):
        state, verdict = step(settings, state, pane(time, errors(rng, time)))
        if verdict.alarmed:
            alarms, state = alarms + 1, start(settings)
    allowed = panes / THRESHOLD
    assert alarms <= allowed + 3 * math.sqrt(allowed)
    assert alarms >= 0.1 * allowed, "not so far below that all power is given away"


def test_a_tempered_test_keeps_its_budget_where_days_differ_and_the_plain_one_does_not() -> None:
    """8,000 daily panes of 200 rows whose error rate is drawn anew each day around the baseline: .2 +- .06 (sd).

    The design effect of such days is 1 + 199 * .06**2 / .16 = 5.5. No theorem covers this stream (a bad day is worse
    than the baseline given the past); it is the everyday case that tempering is for.
    """
    alarms = {}
    for temper in (1.0, 1 / 5.5):
        settings = Settings(0.2, THRESHOLD, (0.0, 1.0), temper=temper)
        rng, state, alarms[temper] = np.random.default_rng(2), start(settings), 0
        for time in range(8_000):
            wrong = rng.binomial(200, min(1.0, max(0.0, rng.normal(0.2, 0.06))))
            state, verdict = step(settings, state, Losses(float(time), (200 - wrong, wrong), float(wrong)))
            if verdict.alarmed:
                alarms[temper], state = alarms[temper] + 1, start(settings)
    allowed = 8_000 / THRESHOLD
    assert alarms[1 / 5.5] <= allowed + 3 * math.sqrt(allowed)
    assert alarms[1.0] > 5 * allowed, "this is what it is for"


@pytest.mark.parametrize(("p", "panes_most"), [(0.25, 15), (0.3, 7), (0.4, 3)])
def test_a_rise_is_found_soon(p: float, panes_most: int) -> None:
    """Median of 60 runs from the change on, after 50 quiet panes."""
    settings, rng = settings_of(0.2), np.random.default_rng(11)
    delays = []
    for _ in range(60):
        state = start(settings)
        for time in range(50):
            state, verdict = step(settings, state, pane(time, errors(rng, time)))
            state = start(settings) if verdict.alarmed else state
        delay = 0
        while not verdict.alarmed and delay < 500:
            state, verdict = step(settings, state, pane(50 + delay, rng.binomial(1, p, EVENTS).astype(float)))
            delay += 1
        delays.append(delay)
    assert np.median(delays) <= panes_most


def test_the_statistic_is_what_the_formula_says_in_plain_floats() -> None:
    rng, settings = np.random.default_rng(5), settings_of(0.4, GRID)
    state, plain = start(settings), np.zeros(len(settings.bets))
    for time in range(30):
        losses = rng.exponential(0.3, 6)
        state, verdict = step(settings, state, pane(time, losses, GRID))
        floors = GRID[np.searchsorted(GRID, losses, side="right") - 1]
        for b, bet in enumerate(settings.bets):
            e = math.prod(1 + bet * (x / 0.4 - 1) for x in floors)
            plain[b] = (plain[b] + 1) * e
        assert verdict.statistic == pytest.approx(plain.mean(), rel=1e-9)


def test_an_event_counts_at_the_edge_that_wins_less() -> None:
    """Coarser bins never raise the statistic, so the bound stays a bound."""
    rng = np.random.default_rng(6)
    coarse = GRID[::32]
    fine_settings, coarse_settings = settings_of(0.5, GRID), settings_of(0.5, coarse)
    fine_state, coarse_state = start(fine_settings), start(coarse_settings)
    for time in range(200):
        losses = rng.exponential(0.5, 20)
        fine_state, fine = step(fine_settings, fine_state, pane(time, losses, GRID))
        coarse_state, rough = step(coarse_settings, coarse_state, pane(time, losses, coarse))
        assert rough.statistic <= fine.statistic * (1 + 1e-12)


def test_the_change_is_dated_and_measured() -> None:
    settings, rng = settings_of(0.2, threshold=1e4), np.random.default_rng(2)
    state = start(settings)
    for time in range(100):
        p = 0.2 if time < 60 else 0.5
        state, verdict = step(settings, state, pane(time, rng.binomial(1, p, EVENTS).astype(float)))
        if verdict.alarmed:
            break
    change = suspected(state)
    assert 57 <= change.since <= 61
    assert change.events == (time - change.since + 1) * EVENTS
    assert change.mean == pytest.approx(0.5, abs=0.12)
    assert suspected(start(settings)).events == 0


def test_a_thousand_certain_errors_in_one_pane_do_not_overflow() -> None:
    settings = settings_of(0.5, GRID)
    state = start(settings)
    for time in range(200):
        state, verdict = step(settings, state, pane(time, np.full(1000, 34.5), GRID))
    assert math.isfinite(verdict.statistic)
    for time in range(2000):
        state, verdict = step(settings, state, pane(time, np.zeros(1000), GRID))
    assert np.isfinite(state.log_r).all()


@pytest.mark.parametrize(
    "wrong",
    [{"mean": 0.0}, {"mean": float("nan")}, {"threshold": 0.5}, {"least": ()}, {"bets": (1.0,)}, {"temper": 0.0}],
)
def test_settings_that_cannot_work_are_refused_by_name(wrong: dict[str, object]) -> None:
    known = {"mean": 0.2, "threshold": 10.0, "least": (0.0, 1.0)}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        e_detector.Settings(**{**known, **wrong})
