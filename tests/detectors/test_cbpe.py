"""Performance without labels: NannyML's published run, scikit-learn's figures, and where it must fail and say so."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from driftloop.detectors import cbpe
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

CHUNK = 5_000


class Rows(NamedTuple):
    score: np.ndarray
    decision: np.ndarray
    label: np.ndarray


def drawn(seed: int, n: int, shift: float = 0.0, concept: float = 0.0) -> Rows:
    """A model that is too sure of itself by half; ``shift`` moves the inputs, ``concept`` the labels behind them."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(shift, 1.5, n)
    label = (rng.random(n) < 1 / (1 + np.exp(-(logit + concept)))).astype(int)
    score = 1 / (1 + np.exp(-1.5 * logit))
    return Rows(np.round(score, 3), (score >= 0.5).astype(int), label)


def test_calibration_is_scikit_learns() -> None:
    rows = drawn(1, 5_000)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(rows.score, rows.label)
    at = np.linspace(-0.1, 1.1, 500)
    assert cbpe.calibrate(rows.score, rows.label)(at) == pytest.approx(theirs.predict(at), abs=1e-12)


def test_realised_figures_are_scikit_learns() -> None:
    score, decision, label = drawn(2, 3_000)
    found = cbpe.realised(score, decision, label)
    assert found.auc == pytest.approx(roc_auc_score(label, score), abs=1e-12)
    assert found.accuracy == pytest.approx(accuracy_score(label, decision), abs=1e-12)
    assert found.precision == pytest.approx(precision_score(label, decision), abs=1e-12)
    assert found.recall == pytest.approx(recall_score(label, decision), abs=1e-12)
    assert found.f1 == pytest.approx(f1_score(label, decision), abs=1e-12)


def test_counts_of_bins_say_what_the_rows_say() -> None:
    reference, rows = drawn(3, 20_000), drawn(4, 5_000)
    known = cbpe.calibrate(reference.score, reference.label)
    bins, at = np.unique(rows.score, return_inverse=True)
    counts = np.bincount(at).astype(float)
    assert cbpe.estimate(bins, (bins >= 0.5).astype(int), known, counts) == pytest.approx(
        cbpe.estimate(rows.score, (rows.score >= 0.5).astype(int), known)
    )


def test_under_a_shift_of_the_inputs_the_estimate_follows_and_under_concept_drift_it_does_not() -> None:
    reference = drawn(5, 40_000)
    known = cbpe.calibrate(reference.score, reference.label)
    for shift in (-1.5, 0.0, 1.0):
        rows = drawn(6, 40_000, shift)
        estimated, found = cbpe.estimate(rows.score, rows.decision, known), cbpe.realised(*rows)
        assert estimated.accuracy == pytest.approx(found.accuracy, abs=0.01)
        assert estimated.auc == pytest.approx(found.auc, abs=0.015)
    rows = drawn(7, 40_000, concept=-1.5)
    estimated, found = cbpe.estimate(rows.score, rows.decision, known), cbpe.realised(*rows)
    assert estimated.accuracy - found.accuracy > 0.05  # the page says so, and the check must notice


def test_what_cannot_be_told_is_not_told() -> None:
    known = cbpe.calibrate(np.array([0.1, 0.9]), np.array([0, 1]))
    nothing = cbpe.estimate(np.array([np.nan, np.inf]), np.array([0, 1]), known)
    assert nothing.rows == 0
    assert np.isnan([*nothing[1:]]).all()
    for labels in ([0, 0], [1, 1]):
        with pytest.raises(ValueError, match="both classes are needed"):
            cbpe.calibrate(np.array([0.1, 0.9]), np.array(labels))


def test_a_calibration_comes_back_from_its_bytes() -> None:
    rows = drawn(9, 1_000)
    known = cbpe.calibrate(rows.score, rows.label)
    again = cbpe.from_bytes(cbpe.to_bytes(known))
    assert [a.tolist() for a in again] == [a.tolist() for a in known]
    with pytest.raises(ValueError, match="version 9"):
        cbpe.from_bytes(b"\x09" + cbpe.to_bytes(known)[1:])


@cache
def census(folder: Path, part: str) -> Rows:
    """The rows of one part; those to be analysed have their labels in a file of their own, by id."""
    from pyarrow import parquet

    def columns(name: str, *wanted: str) -> list[np.ndarray]:
        found = parquet.read_table(folder / f"employment_MA_{name}.parquet", columns=list(wanted))
        return [found[name].to_numpy() for name in wanted]

    ids, score, decision = columns(part, "id", "predicted_probability", "prediction")
    if part == "reference":
        (label,) = columns(part, "employed")
    else:
        known, employed = columns(f"{part}_target", "id", "employed")
        order = np.argsort(known)
        label = employed[order][np.searchsorted(known[order], ids)]
    return Rows(score.astype(float), decision.astype(int), label.astype(int))


def test_nannymls_published_run_on_the_us_census(public_data: Path) -> None:
    """Their quick start: 41 full chunks, mean error of the AUC .00403, of the accuracy .00512, two alerts, the first
    in chunk 27. The last 3,892 of the 208,892 rows are a chunk of their own; it is estimated, and in no mean."""
    reference, analysis = census(public_data, "reference"), census(public_data, "analysis")
    known = cbpe.calibrate(reference.score, reference.label)
    starts = range(0, len(analysis.score), CHUNK)
    chunks = [Rows(*(column[start : start + CHUNK] for column in analysis)) for start in starts]
    assert [len(chunk.score) for chunk in chunks[40:]] == [5_000, 3_892]
    estimated = [cbpe.estimate(chunk.score, chunk.decision, known) for chunk in chunks]
    found = [cbpe.realised(*chunk) for chunk in chunks]
    full = range(41)
    assert round(float(np.mean([abs(estimated[i].auc - found[i].auc) for i in full])), 5) == 0.00403
    assert round(float(np.mean([abs(estimated[i].accuracy - found[i].accuracy) for i in full])), 5) == 0.00512
    of_reference = [
        cbpe.realised(*(column[start : start + CHUNK] for column in reference)).auc
        for start in range(0, len(reference.score), CHUNK)
    ]
    constant = cbpe.realised(*reference).auc
    assert round(float(np.mean([abs(constant - found[i].auc) for i in full])), 5) == 0.00696
    low = np.mean(of_reference) - 3 * np.std(of_reference)
    high = np.mean(of_reference) + 3 * np.std(of_reference)
    alerts = [i for i in full if not low <= estimated[i].auc <= high]
    assert len(alerts) == 2
    assert alerts[0] == 27
