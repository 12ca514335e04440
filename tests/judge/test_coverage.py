"""95 % intervals hold the truth as often as they say: many windows from known worlds, a seed each.

Each may miss in 5 % of the windows and three standard errors of that share. Intervals that are exact in theory must
also not be lazy: of those, so many misses are expected that none at all is a mistake.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from driftloop.schemas import bins
from driftloop.schemas.events import Estimate
from driftloop.streams.judge.metrics import calibration, confusion, fairness, intervals, metrics, numbers, ranking
from sklearn.metrics import average_precision_score, f1_score, mean_pinball_loss, roc_auc_score

from .drawn import confusion_of, histograms, rows_of

WINDOWS = 300
MISSES_MOST = WINDOWS * (0.05 + 3 * math.sqrt(0.05 * 0.95 / WINDOWS))
EXACT = ("accuracy", "log_loss", "recall", "precision", "f1", "balanced_accuracy", "bias", "mae")
"""Neither widened for what bins hide nor for squares that are not known."""


def missed(draw: Callable[[int], dict[str, Estimate]], truth: dict[str, float]) -> Counter[str]:
    found: Counter[str] = Counter(dict.fromkeys(truth, 0))
    for seed in range(1, WINDOWS + 1):
        told = draw(seed)
        for name, value in truth.items():
            found[name] += not told[name].low <= value <= told[name].high
    return found


def check(found: Counter[str]) -> None:
    assert all(count <= MISSES_MOST for count in found.values()), found
    lazy = [name for name, count in found.items() if name.split(":")[0] in EXACT and count == 0]
    assert not lazy, found


def two_classes(score: np.ndarray, label: np.ndarray) -> dict[str, Estimate]:
    negatives, positives = histograms(score, label)
    loss = bins.log_loss(score, label)
    table = confusion_of(label, (score >= 0.5).astype(np.int64), 2)
    told = {
        "accuracy": confusion.accuracy(table),
        "log_loss": metrics.log_loss(float(loss.sum()), float((loss**2).sum()), len(score)),
        "brier": metrics.brier(float(((score - label) ** 2).sum()), negatives, positives),
        "auc": ranking.auc(negatives, positives),
        "average_precision": ranking.average_precision(negatives, positives),
        "calibration_error": calibration.calibration_error(negatives, positives),
        **confusion.decisions(table),
    }
    return {name: estimate for name, estimate in told.items() if estimate is not None}


@pytest.mark.parametrize(("rows", "sharpness", "centre"), [(300, 1.5, 0.0), (300, 1.5, -1.5), (100, 4.0, 0.3)])
def test_of_two_classes(rows: int, sharpness: float, centre: float) -> None:
    score, label = rows_of(0, 300_000, sharpness, centre)
    said = score >= 0.5
    truth = {
        "accuracy": float((said == label).mean()),
        "log_loss": float(bins.log_loss(score, label).mean()),
        "brier": float(((score - label) ** 2).mean()),
        "auc": roc_auc_score(label, score),
        "average_precision": average_precision_score(label, score),
        "calibration_error": 0.0,
        "precision": float(label[said].mean()),
        "recall": float(said[label == 1].mean()),
        "f1": f1_score(label, said),
        "balanced_accuracy": float((said[label == 1].mean() + 1 - said[label == 0].mean()) / 2),
    }
    check(missed(lambda seed: two_classes(*rows_of(seed, rows, sharpness, centre)), truth))


def test_of_a_model_that_is_too_sure_of_itself() -> None:
    """Scores of twice the log-odds: the calibration error is .1, and the interval holds it."""

    def overconfident(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        score, label = rows_of(seed, n, 1.0)
        return score**2 / (score**2 + (1 - score) ** 2), label

    score, label = overconfident(0, 300_000)
    known = calibration.calibration_error(*histograms(score, label))
    assert known is not None
    true = known.value
    assert 0.08 < true < 0.13

    def told(seed: int) -> dict[str, Estimate]:
        found = calibration.calibration_error(*histograms(*overconfident(seed, 500)))
        assert found is not None
        return {"calibration_error": found}

    check(missed(told, {"calibration_error": true}))


def test_of_many_classes() -> None:
    shares = np.array([0.5, 0.25, 0.15, 0.1])

    def draw(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        label = rng.choice(4, n, p=shares)
        return label, np.where(rng.random(n) < 0.75 - 0.1 * label, label, rng.choice(4, n, p=shares))

    label, said = draw(0, 300_000)
    table = np.bincount(label * 4 + said, minlength=16).reshape(4, 4)
    right, row, column = np.diag(table), table.sum(1), table.sum(0)
    truth = {
        "balanced_accuracy": float((right / row).mean()),
        "recall": float((right / row).mean()),
        "precision": float((right / column).mean()),
        "f1": float((2 * right / (row + column)).mean()),
    }
    check(missed(lambda seed: confusion.decisions(confusion_of(*draw(seed, 200), 4), 4), truth))


def test_of_a_regression() -> None:
    def draw(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        label = rng.normal(0.0, 10.0, n)
        return label, label + 0.5 + rng.gamma(4.0, 1.0, n) - 4.0

    def told(seed: int) -> dict[str, Estimate]:
        label, said = draw(seed, 200)
        error = said - label
        sums = {"error": error.sum(), "absolute_error": abs(error).sum(), "squared_error": (error**2).sum()}
        losses = np.bincount(bins.loss_codes(np.abs(error) / 8.0), minlength=bins.LOSS_BINS)
        return numbers.measure(sums, losses, 8.0, (0.1, 0.9))

    label, said = draw(0, 300_000)
    error = said - label
    truth = {"bias": error.mean(), "mae": abs(error).mean(), "rmse": math.sqrt((error**2).mean())}
    truth |= {f"quantile_loss:{q}": mean_pinball_loss(label, said, alpha=q) for q in (0.1, 0.9)}
    check(missed(told, truth))


def test_of_values_within_a_bound() -> None:
    def told(seed: int) -> dict[str, Estimate]:
        values = np.random.default_rng(seed).choice([-10.0, 2.0, 10.0], 150, p=[0.1, 0.7, 0.2])
        return {"value": intervals.bounded_mean(values.sum(), 150, 10.0, -10.0)}

    check(missed(told, {"value": 2.4}))


@pytest.mark.parametrize("shares", [(0.3, 0.45), (0.4, 0.4), (0.1, 0.3, 0.3, 0.35, 0.5), (0.02, 0.05, 0.05)])
def test_of_gaps_between_segments(shares: tuple[float, ...]) -> None:
    """Where all are equal too: the largest of many differences is above 0 by chance alone."""
    rows = [60 + 40 * i for i in range(len(shares))]

    def told(seed: int) -> dict[str, Estimate]:
        hits = np.random.default_rng(seed).binomial(rows, shares)
        counts = {f"s={i}": (int(h), n) for i, (h, n) in enumerate(zip(hits, rows, strict=True))}
        found = fairness.compare("s", fairness.PARITY, counts)
        assert found is not None
        nothing = Estimate(0.0, 0.0, 1.0, 0)  # no hit anywhere: no ratio is claimed
        return {"difference": found.difference, "ratio": found.ratio or nothing}

    check(missed(told, {"difference": max(shares) - min(shares), "ratio": min(shares) / max(shares)}))
