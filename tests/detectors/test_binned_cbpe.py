"""The estimate from a histogram: the rows' own on the reference, near it elsewhere, and an interval that holds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from driftloop.detectors import binned_cbpe, cbpe
from driftloop.detectors.binned_cbpe import Calibration, Figure
from driftloop.schemas import bins
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from .test_cbpe import CHUNK, Rows, census, drawn

NAMES = ("accuracy", "auc", "balanced_accuracy", "brier", "f1", "log_loss", "precision", "recall")


def learned(rows: Rows) -> Calibration:
    return binned_cbpe.learn(
        rows.score, rows.label, rows.decision, bins.score_codes(rows.score), bins.score_middles()
    )


def histogram(score: np.ndarray) -> np.ndarray:
    return np.bincount(bins.score_codes(score), minlength=bins.SCORE_BINS)


def by_row(rows: Rows, curve: cbpe.Calibration) -> dict[str, float]:
    """What cbpe.py says of the rows, and log loss and Brier score as the same probabilities expect them."""
    found, p = cbpe.estimate(rows.score, rows.decision, curve)._asdict(), curve(rows.score)
    if_one, if_none = (bins.log_loss(rows.score, np.full(len(p), label)) for label in (1, 0))
    found["log_loss"] = float((p * if_one + (1 - p) * if_none).mean())
    found["brier"] = float((p * (1 - rows.score) ** 2 + (1 - p) * rows.score**2).mean())
    return {name: found[name] for name in NAMES if name in found}


def realised(rows: Rows) -> dict[str, float]:
    score, decision, label = rows
    return {
        "accuracy": accuracy_score(label, decision),
        "auc": roc_auc_score(label, score),
        "balanced_accuracy": balanced_accuracy_score(label, decision),
        "brier": float(((score - label) ** 2).mean()),
        "f1": f1_score(label, decision),
        "log_loss": float(bins.log_loss(score, label).mean()),
        "precision": precision_score(label, decision),
        "recall": recall_score(label, decision),
    }


def test_on_the_rows_it_was_learned_from_it_is_the_rows_own_estimate() -> None:
    rows = drawn(1, 5_000)
    found = binned_cbpe.estimate(learned(rows), histogram(rows.score))
    for name, value in by_row(rows, cbpe.calibrate(rows.score, rows.label)).items():
        assert found[name].value == pytest.approx(value, abs=1e-3 if name == "auc" else 1e-12), name


def test_on_other_rows_bins_cost_less_than_two_thousandths_and_a_tenth_of_the_sampling_error() -> None:
    costs: dict[str, list[float]] = {}
    for seed in range(20):
        reference = drawn(seed, 20_000)
        known, curve = learned(reference), cbpe.calibrate(reference.score, reference.label)
        for shift in (0.0, 0.5, -1.0):
            rows = drawn(1_000 + seed, 2_000, shift)
            found = binned_cbpe.estimate(known, histogram(rows.score))
            for name, value in by_row(rows, curve).items():
                costs.setdefault(name, []).append(abs(found[name].value - value))
    assert max(max(costs[name]) for name in ("accuracy", "auc", "log_loss", "brier")) < 0.002
    assert max(max(found) for found in costs.values()) < 0.003
    assert max(np.median(found) for found in costs.values()) < 0.0005


def test_panes_may_be_added_up_in_any_order() -> None:
    known, rows = learned(drawn(1, 5_000)), drawn(2, 999)
    parts = [histogram(rows.score[k::3]) for k in range(3)]
    whole = binned_cbpe.estimate(known, histogram(rows.score))
    assert binned_cbpe.estimate(known, parts[2] + parts[0] + parts[1]) == whole


def test_the_interval_holds_what_labels_say_in_19_of_20_windows() -> None:
    """Over references too: each window has one of its own, of 3,000 rows, so that its error is in it."""
    windows = 100
    missed = dict.fromkeys(NAMES, 0)
    for seed in range(windows):
        rows = drawn(5_000 + seed, 1_000, shift=(0.0, 0.7)[seed % 2])
        found = binned_cbpe.estimate(learned(drawn(9_000 + seed, 3_000)), histogram(rows.score))
        for name, value in realised(rows).items():
            half = 1.96 * math.sqrt(found[name].labels + found[name].calibration)
            missed[name] += not abs(found[name].value - value) <= half
    most = windows * (0.05 + 3 * math.sqrt(0.05 * 0.95 / windows))
    assert all(count <= most for count in missed.values()), missed
    assert sum(missed.values()) > 0, "nor is it lazy"


def test_bins_that_the_reference_never_saw_are_read_off_the_curve_and_decided_as_their_neighbours() -> None:
    rng = np.random.default_rng(3)
    score = rng.uniform(0.2, 0.6, 4_000)
    rows = Rows(score, (score >= 0.5).astype(int), (rng.random(4_000) < score).astype(int))
    known, beyond = learned(rows), np.zeros(bins.SCORE_BINS, int)
    beyond[-1] = 100  # scores above .9995
    found = binned_cbpe.estimate(known, beyond)
    curve = cbpe.calibrate(rows.score, rows.label)
    assert found["accuracy"].value == found["precision"].value == pytest.approx(float(curve(np.array([1.0]))[0]))
    assert found["accuracy"].calibration > 0.2, "nothing is known there"


def test_what_cannot_be_told_is_not_there() -> None:
    rows = drawn(4, 1_000)
    undecided = binned_cbpe.learn(
        rows.score, rows.label, np.full(1_000, 2), bins.score_codes(rows.score), bins.score_middles()
    )
    assert sorted(binned_cbpe.estimate(undecided, histogram(rows.score))) == ["auc", "brier", "log_loss"]
    assert binned_cbpe.estimate(undecided, np.zeros(bins.SCORE_BINS)) == {}
    with pytest.raises(ValueError, match="both classes are needed"):
        learned(rows._replace(label=np.zeros(1_000, int)))
    assert all(isinstance(f, Figure) for f in binned_cbpe.estimate(learned(rows), histogram(rows.score)).values())


def test_on_the_us_census_bins_change_nothing_that_matters(public_data: Path) -> None:
    """NannyML's 41 full chunks: .00403 and .00512 by rows (test_cbpe.py)."""
    reference, analysis = census(public_data, "reference"), census(public_data, "analysis")
    known, off = learned(reference), {"auc": [], "accuracy": []}
    for start in range(0, 41 * CHUNK, CHUNK):
        rows = Rows(*(column[start : start + CHUNK] for column in analysis))
        found, labels = binned_cbpe.estimate(known, histogram(rows.score)), cbpe.realised(*rows)
        off["auc"].append(abs(found["auc"].value - labels.auc))
        off["accuracy"].append(abs(found["accuracy"].value - labels.accuracy))
    assert float(np.mean(off["auc"])) == pytest.approx(0.00403, abs=0.0003)
    assert float(np.mean(off["accuracy"])) == pytest.approx(0.00512, abs=0.0003)
