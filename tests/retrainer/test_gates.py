"""The gate against scipy and scikit-learn, and what it lets pass."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftloop.retrainer import gates
from scipy import stats
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

DAY = 86_400.0


def rows(days=14, per_day=200, harm=0.0, seed=0):
    """Labels from a known chance; the champion says it with noise, the candidate too, its odds shrunk by ``harm``."""
    rng = np.random.default_rng(seed)
    n = days * per_day
    event_time = 1_700_006_400 + np.sort(rng.random(n)) * days * DAY
    odds = rng.normal(size=n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    champion = 1 / (1 + np.exp(-(odds + rng.normal(0, 0.3, n))))
    candidate = 1 / (1 + np.exp(-(odds * (1 - harm) + rng.normal(0, 0.3, n))))
    return labels, event_time, champion, candidate


def test_the_interval_is_scipys_t_interval_of_the_daily_means() -> None:
    labels, event_time, champion, candidate = rows(harm=0.3)
    verdict = gates.judge("no_harm", labels, event_time, champion, candidate)

    def loss(score):
        return -np.where(labels == 1, np.log(score), np.log(1 - score))

    day = (event_time[-1] - event_time) // DAY
    theirs = [loss(champion)[day == d].mean() for d in np.unique(day)]
    ours = [loss(candidate)[day == d].mean() for d in np.unique(day)]
    expected = stats.ttest_rel(ours, theirs)
    low, high = expected.confidence_interval(0.95)
    assert verdict.figures["difference"] == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert (verdict.figures["difference_low"], verdict.figures["difference_high"]) == pytest.approx((low, high))
    assert verdict.accepted == (expected.pvalue > 0.05 or expected.statistic < 0)
    assert verdict.figures["candidate_log_loss"] == pytest.approx(sklearn_log_loss(labels, candidate))
    assert verdict.figures["champion_log_loss"] == pytest.approx(sklearn_log_loss(labels, champion))
    assert verdict.figures["candidate_brier"] == pytest.approx(brier_score_loss(labels, candidate))
    assert (verdict.figures["held_out_rows"], verdict.figures["held_out_days"]) == (len(labels), len(ours))


@pytest.mark.parametrize(
    ("harm", "no_harm", "gain", "said"),
    [
        (1.0, False, False, "significantly worse"),
        (0.0, True, False, "not significantly different"),
        (-1.0, True, True, "significantly better"),
    ],
)
def test_no_harm_rejects_only_the_worse_and_gain_takes_only_the_better(harm, no_harm, gain, said) -> None:
    labels, event_time, champion, candidate = rows(harm=abs(harm))
    if harm < 0:
        champion, candidate = candidate, champion
    for gate, accepted in (("no_harm", no_harm), ("gain", gain)):
        verdict = gates.judge(gate, labels, event_time, champion, candidate)
        assert verdict.accepted == accepted
        assert said in verdict.reason


def test_many_rows_of_few_days_prove_nothing() -> None:
    """A bad day is one day, however many flights it had: an interval over rows would reject here."""
    labels, event_time, champion, candidate = rows(days=3, per_day=2000)
    worse = np.where(event_time > event_time[-1] - DAY, 0.5, candidate)
    verdict = gates.judge("no_harm", labels, event_time, champion, worse)
    assert verdict.figures["difference"] > 0
    assert verdict.accepted
    by_row = gates.log_loss(worse, labels) - gates.log_loss(champion, labels)
    assert by_row.mean() > 3 * by_row.std() / math.sqrt(len(by_row))


@pytest.mark.parametrize("days", [0, 1])
def test_without_two_days_there_is_no_verdict(days) -> None:
    labels, event_time, champion, candidate = rows()
    some = event_time > event_time[-1] - DAY if days else np.zeros(len(labels), bool)
    taken = (labels[some], event_time[some], champion[some], candidate[some])
    for gate, accepted in (("no_harm", True), ("gain", False)):
        verdict = gates.judge(gate, *taken)
        assert verdict.accepted == accepted
        assert verdict.reason.startswith(f"only {days} held-out days")
        assert "difference_low" not in verdict.figures


def test_equal_models_are_rejected_about_as_often_as_the_level_says() -> None:
    """Two-sided 95 %: a harmless candidate is turned away in one of forty runs."""
    runs = 400
    rejected = sum(not gates.judge("no_harm", *rows(days=10, per_day=40, seed=s)).accepted for s in range(runs))
    assert rejected <= stats.binom.ppf(0.999, runs, 0.025)


def test_a_certain_error_costs_what_the_windows_say() -> None:
    labels, event_time = np.array([1, 0], np.int8), np.array([0.0, DAY])
    verdict = gates.judge("no_harm", labels, event_time, np.array([0.5, 0.5]), np.array([0.0, 1.0]))
    assert verdict.figures["candidate_log_loss"] == pytest.approx(-math.log(1e-15), rel=1e-3)


def test_the_first_model_passes_and_its_loss_is_told() -> None:
    labels, _, _, candidate = rows()
    verdict = gates.first_model(labels, candidate)
    assert (verdict.accepted, verdict.reason) == (True, "first model")
    assert verdict.figures["candidate_log_loss"] == pytest.approx(sklearn_log_loss(labels, candidate))
