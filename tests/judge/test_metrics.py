"""Metrics from sums and histograms against scikit-learn on the rows themselves."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from driftloop.schemas import bins
from driftloop.streams.judge.metrics import calibration, confusion, intervals, metrics, numbers, ranking
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_pinball_loss,
    precision_score,
    recall_score,
    roc_auc_score,
    root_mean_squared_error,
)

from .drawn import confusion_of, histograms, rows_of


@pytest.mark.parametrize("sharpness", [0.2, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("n", [30, 500, 5000])
def test_scores_of_two_classes_equal_scikit_learn(sharpness: float, n: int) -> None:
    score, label = rows_of(n, n, sharpness)
    loss = bins.log_loss(score, label)
    found = metrics.log_loss(float(loss.sum()), float((loss**2).sum()), n)
    assert found is not None
    clipped = np.clip(score, bins.LOG_LOSS_CLIP, 1 - bins.LOG_LOSS_CLIP)
    assert found.value == pytest.approx(log_loss(label, clipped, labels=[0, 1]), abs=1e-12)
    half = 1.96 * loss.std(ddof=1) / math.sqrt(n)
    assert (found.high - found.value) == pytest.approx(half, rel=1e-3)

    negatives, positives = histograms(score, label)
    brier = metrics.brier(float(((score - label) ** 2).sum()), negatives, positives)
    assert brier is not None
    assert brier.value == pytest.approx(brier_score_loss(label, score), abs=1e-12)
    spread = ((score - label) ** 2).std()
    assert spread <= (brier.high - brier.value) * math.sqrt(n) / 1.96 * 1.0001 <= spread + 0.076

    auc, precision = ranking.auc(negatives, positives), ranking.average_precision(negatives, positives)
    assert auc is not None and precision is not None
    truth = roc_auc_score(label, score)
    ties = float(positives @ negatives) / (positives.sum() * negatives.sum()) / 2
    assert abs(auc.value - truth) <= ties + 1e-12, "the stated binning error"
    assert auc.low <= truth <= auc.high
    exact = average_precision_score(label, score)
    assert precision.low <= exact <= precision.high
    assert n < 500 or precision.value == pytest.approx(exact, abs=0.02)

    error = calibration.calibration_error(negatives, positives)
    assert error is not None
    group = calibration.groups(negatives + positives)[bins.score_codes(score)]
    exact = sum(abs((score - label)[group == g].sum()) for g in range(calibration.GROUPS)) / n
    hidden = float((negatives + positives) @ calibration.HIDDEN) / n
    assert abs(error.value - exact) <= hidden <= 0.0313, "the stated binning error"
    assert abs(error.value - exact) < 0.005 or n < 500, "in truth a sixth of it"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(2, 6), st.floats(0.0, 1.0))
def test_decisions_equal_scikit_learn(seed: int, n: int, classes: int, right: float) -> None:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    said = np.where(rng.random(n) < right, label, rng.integers(0, classes, n))
    table = confusion_of(label, said, classes)
    spoilt = table.copy()
    spoilt.reshape(classes + 1, classes + 1)[-1] += 3  # labels that are no class
    spoilt.reshape(classes + 1, classes + 1)[:, -1] += 5  # decisions that are none
    found = confusion.decisions(spoilt, classes)
    assert found == confusion.decisions(table, classes), "rows without a class are left out"
    accuracy = confusion.accuracy(table, classes)
    assert accuracy is not None and accuracy.value == pytest.approx(accuracy_score(label, said))
    average = "macro" if classes > 2 else "binary"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {
            "balanced_accuracy": balanced_accuracy_score(label, said),
            "precision": precision_score(label, said, average=average),
            "recall": recall_score(label, said, average=average),
            "f1": f1_score(label, said, average=average),
        }
    assert classes == 2 or set(found) == set(expected)
    for name, estimate in found.items():
        assert estimate.value == pytest.approx(expected[name], abs=1e-12), name
        assert 0.0 <= estimate.low <= estimate.value <= estimate.high <= 1.0, name
        assert estimate.high > estimate.low, "no number of rows makes a share certain"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.floats(0.01, 0.99), st.floats(-3, 3))
def test_numbers_equal_scikit_learn(seed: int, n: int, quantile: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    label = rng.normal(100.0, 12.0, n)
    said = label + shift + rng.standard_t(3, n)
    error = said - label
    sums = {
        "error": error.sum(),
        "absolute_error": np.abs(error).sum(),
        "squared_error": (error**2).sum(),
    }
    losses = np.bincount(bins.loss_codes(np.abs(error) / 16.0), minlength=bins.LOSS_BINS)
    found = numbers.measure(sums, losses, 16.0, (quantile,))
    expected = {
        "bias": np.mean(error),
        "mae": mean_absolute_error(label, said),
        "rmse": root_mean_squared_error(label, said),
        f"quantile_loss:{quantile:g}": mean_pinball_loss(label, said, alpha=quantile),
    }
    assert set(found) == set(expected)
    for name, estimate in found.items():
        assert estimate.value == pytest.approx(expected[name], rel=1e-9, abs=1e-9), name
        assert estimate.low <= estimate.value <= estimate.high
    pinball = np.where(error < 0, -quantile * error, (1 - quantile) * error)
    if n > 1:
        estimate = found[f"quantile_loss:{quantile:g}"]
        assert estimate.high - estimate.value >= 1.9599 * pinball.std(ddof=1) / math.sqrt(n) * (1 - 1e-9)


def test_an_error_beyond_every_bin_widens_the_interval_of_the_rmse() -> None:
    sums = {"error": 500.0, "absolute_error": 500.0, "squared_error": 250_000.0}
    losses = np.zeros(bins.LOSS_BINS, np.int64)
    losses[0], losses[-1] = 99, 1
    found = numbers.measure(sums, losses, 1.0, ())["rmse"]
    assert found.value == 50.0
    assert found.high > 80.0


def test_what_cannot_be_told_is_none() -> None:
    zeros, some = np.zeros(64, np.int64), np.arange(64)
    for ranked in (ranking.auc, ranking.average_precision):
        assert ranked(zeros, some) is None
        assert ranked(some, zeros) is None
    assert calibration.calibration_error(zeros, zeros) is None
    assert confusion.accuracy(np.zeros(9, np.int64)) is None
    assert confusion.accuracy(np.array([0, 0, 5, 0, 0, 5, 9, 9, 9])) is None, "no known class on either side"
    assert confusion.decisions(np.zeros(9, np.int64)) == {}
    assert set(confusion.decisions(np.array([7, 0, 0, 0, 0, 0, 0, 0, 0]))) == {"balanced_accuracy"}
    assert metrics.log_loss(0.0, 0.0, 0) is None
    assert metrics.brier(0.0, zeros, zeros) is None
    assert numbers.measure({"error": 0.0, "absolute_error": 0.0, "squared_error": 0.0}, zeros, 1.0, (0.5,)) == {}


def test_a_single_row_has_the_widest_interval() -> None:
    found = metrics.log_loss(0.7, 0.49, 1)
    assert found is not None
    assert (found.value, found.low, found.high) == (0.7, 0.0, bins.LOSS_MOST)
    alone = confusion.accuracy(np.array([1, 0, 0, 0, 0, 0, 0, 0, 0]))
    assert alone is not None
    assert alone.low < 0.21


def test_scores_that_separate_perfectly_are_not_known_perfectly() -> None:
    negatives, positives = np.zeros(64, np.int64), np.zeros(64, np.int64)
    negatives[3], positives[60] = 20, 20
    for ranked in (ranking.auc, ranking.average_precision):
        found = ranked(negatives, positives)
        assert found is not None
        assert (found.value, found.high) == (pytest.approx(1.0), pytest.approx(1.0))
        assert 0.8 < found.low < 0.9


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)), min_size=1, max_size=4),
    st.sampled_from([4.0, 1.96]),
)
def test_a_handful_of_shares_is_told_as_many_are_to_the_bit(drawn: list[tuple[int, int]], z: float) -> None:
    hits, rows = ([pair[0] for pair in drawn], [sum(pair) for pair in drawn])
    many = intervals.shares(np.array(hits), np.array(rows), z)
    few = [intervals.share(*one, z) for one in zip(hits, rows, strict=True)]
    assert few == list(zip(*(side.tolist() for side in many[:3]), strict=True))
    assert intervals.mean_of_few(few, 9) == intervals.mean_of_shares(many, 9)
