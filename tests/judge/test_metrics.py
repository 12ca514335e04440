"""Metrics from sums and histograms against scikit-learn on the rows themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftloop.schemas import bins
from driftloop.streams.judge import metrics
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score


def rows_of(seed: int, n: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = 1 / (1 + np.exp(-sharpness * rng.normal(size=n)))
    return score, (rng.random(n) < score).astype(np.int64)


def histograms(score: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    codes = bins.score_codes(score)
    negatives, positives = (np.bincount(codes[label == y], minlength=64) for y in (0, 1))
    return negatives, positives


@pytest.mark.parametrize("sharpness", [0.2, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("n", [30, 500, 5000])
def test_every_metric_equals_scikit_learn(sharpness: float, n: int) -> None:
    score, label = rows_of(n, n, sharpness)
    loss = bins.log_loss(score, label)
    found = metrics.log_loss(float(loss.sum()), float((loss**2).sum()), n)
    assert found is not None
    clipped = np.clip(score, bins.LOG_LOSS_CLIP, 1 - bins.LOG_LOSS_CLIP)
    assert found.value == pytest.approx(log_loss(label, clipped, labels=[0, 1]), abs=1e-12)
    half = 1.96 * loss.std(ddof=1) / math.sqrt(n)
    assert (found.high - found.value) == pytest.approx(half, rel=1e-3)

    confusion = np.bincount(label * 3 + (score >= 0.5), minlength=9)
    accuracy = metrics.accuracy(confusion)
    assert accuracy is not None
    assert accuracy.value == pytest.approx(accuracy_score(label, score >= 0.5), abs=1e-15)

    negatives, positives = histograms(score, label)
    brier = metrics.brier(float(((score - label) ** 2).sum()), negatives, positives)
    assert brier is not None
    assert brier.value == pytest.approx(brier_score_loss(label, score), abs=1e-12)
    spread = ((score - label) ** 2).std()
    assert spread <= (brier.high - brier.value) * math.sqrt(n) / 1.96 * 1.0001 <= spread + 0.076

    auc = metrics.auc(negatives, positives)
    assert auc is not None
    truth = roc_auc_score(label, score)
    ties = float(positives @ negatives) / (positives.sum() * negatives.sum()) / 2
    assert abs(auc.value - truth) <= ties + 1e-12, "the stated binning error"
    assert auc.low <= truth <= auc.high


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """400 windows of 300 rows: 95 % intervals miss at most 5 % + three standard errors (1.1 %) of the time."""
    truth_score, truth_label = rows_of(0, 400_000, 1.5)
    truth = {
        "log_loss": float(bins.log_loss(truth_score, truth_label).mean()),
        "auc": roc_auc_score(truth_label, truth_score),
        "brier": float(((truth_score - truth_label) ** 2).mean()),
        "accuracy": float(((truth_score >= 0.5) == truth_label).mean()),
    }
    missed = dict.fromkeys(truth, 0)
    for seed in range(1, 401):
        score, label = rows_of(seed, 300, 1.5)
        loss = bins.log_loss(score, label)
        negatives, positives = histograms(score, label)
        found = {
            "log_loss": metrics.log_loss(float(loss.sum()), float((loss**2).sum()), 300),
            "auc": metrics.auc(negatives, positives),
            "brier": metrics.brier(float(((score - label) ** 2).sum()), negatives, positives),
            "accuracy": metrics.accuracy(np.bincount(label * 3 + (score >= 0.5), minlength=9)),
        }
        for name, estimate in found.items():
            assert estimate is not None
            missed[name] += not estimate.low <= truth[name] <= estimate.high
    assert all(count <= 400 * (0.05 + 3 * 0.011) for count in missed.values()), missed


def test_what_cannot_be_told_is_none() -> None:
    zeros, some = np.zeros(64, np.int64), np.arange(64)
    assert metrics.auc(zeros, some) is None
    assert metrics.auc(some, zeros) is None
    assert metrics.accuracy(np.zeros(9, np.int64)) is None
    assert metrics.accuracy(np.array([0, 0, 5, 0, 0, 5, 9, 9, 9])) is None, "no known class on either side"
    assert metrics.log_loss(0.0, 0.0, 0) is None
    assert metrics.brier(0.0, zeros, zeros) is None


def test_a_single_row_has_the_widest_interval() -> None:
    found = metrics.log_loss(0.7, 0.49, 1)
    assert found is not None
    assert (found.value, found.low, found.high) == (0.7, 0.0, bins.LOSS_MOST)
    alone = metrics.accuracy(np.array([1, 0, 0, 0, 0, 0, 0, 0, 0]))
    assert alone is not None
    assert alone.low < 0.21
