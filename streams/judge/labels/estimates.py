"""What the metrics of a window will be, told before its labels are there (detectors/binned_cbpe.py), and how well.

    binary       accuracy, auc, balanced_accuracy, brier, f1, log_loss, precision, recall
    multiclass   accuracy: from the largest score (a pane holds no other)

``learn`` is the reference's half, ``told`` the window's. The interval holds what labels of all rows would say in 95 %
of the windows, while P(label | score) is what it was in the reference: sampling of the labels, and the reference's
own error. Figures that stand on decisions are left out where these no longer follow the scores as they did there.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from driftloop.detectors import binned_cbpe
from driftloop.detectors.binned_cbpe import Calibration, Figure
from driftloop.schemas.baseline.calibration import CalibrationBaseline
from driftloop.schemas.bins import LOSS_MOST, score_codes, score_middles
from driftloop.schemas.events import Estimate
from driftloop.schemas.losses import as_kept
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.metrics.intervals import Counts, Floats, Z
from numpy.typing import NDArray

BUILD = "driftloop reference build"
DECIDED = ("accuracy", "balanced_accuracy", "f1", "precision", "recall")
MOVED_MOST = 0.02
"""Share of rows decided otherwise than their scores let expect; beyond it, and three standard errors, a threshold has
moved. A threshold within a bin of the score moves the share by less, as rows shift within the bin."""
DIGITS = 9


class Trust(NamedTuple):
    """``reason``: why nothing is told, a sentence; empty: all is well."""

    calibration: Calibration | None
    reason: str


NOT_WATCHED = Trust(None, "")
"""Of windows that are not the champion's."""


def learn(
    specification: MonitorSpecification,
    *,
    score: NDArray[np.float64],
    labels: NDArray[np.number],
    predicted: NDArray[np.integer],
    version: NDArray[Any],
) -> CalibrationBaseline | None:
    """From the reference's rows, those of the version with most labels. None: a regression has no such thing."""
    if specification.task == "regression":
        return None
    labelled = (labels >= 0) & (labels < len(specification.classes))
    names, counts = np.unique(version[labelled].astype(str), return_counts=True)
    if not len(names):
        return CalibrationBaseline("", reason="the reference has no labelled rows", hint=f"{BUILD}, once there are")
    whose = str(names[np.argmax(counts)])
    own = labelled & (version == whose)
    binary = specification.task == "binary"
    if not binary:
        own &= (predicted >= 0) & (predicted < len(specification.classes))
    seen = score[own] if binary else as_kept(score[own]).max(axis=1, initial=0.0).astype(np.float64)
    label = labels[own].astype(np.int64) if binary else (labels[own] == predicted[own]).astype(np.int64)
    decision = predicted[own].astype(np.int64) if binary else np.ones(len(label), np.int64)
    try:
        found = binned_cbpe.learn(seen, label, decision, score_codes(seen), score_middles())
    except ValueError as error:
        return CalibrationBaseline(whose, reason=f"of the reference {error}", hint=f"{BUILD} from a longer range")
    found = found if binary else found._replace(loss=np.empty(0), squared=np.empty(0))
    numbers: dict[str, Any] = {name: _rounded(values) for name, values in found._asdict().items() if name != "rows"}
    return CalibrationBaseline(whose, rows=tuple(found.rows.astype(int).tolist()), **numbers)


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.{DIGITS}g}") for value in values.tolist())


@lru_cache(maxsize=64)
def calibration_of(known: CalibrationBaseline) -> Calibration:
    """The detector's, made once a reference."""
    parts = (known.rows, known.score, known.hits, known.chosen, known.caught, known.loss, known.squared)
    return Calibration(*(np.asarray(part, np.float64) for part in parts))


def figures(
    specification: MonitorSpecification,
    calibration: Calibration,
    counts: Counts | Floats,
    names: Collection[str] = binned_cbpe.FIGURES,
) -> dict[str, Figure]:
    """Every figure of ``names`` that the task has, of rows by bin of the score."""
    of_task = names if specification.task == "binary" else [name for name in names if name == "accuracy"]
    return binned_cbpe.estimate(calibration, counts, of_task)


def told(
    specification: MonitorSpecification, trust: Trust, counts: Counts, decisions: Counts
) -> tuple[dict[str, Estimate], str]:
    """(estimates by name, why there are none or what is left out). ``counts``: of all rows, by bin of the score."""
    rows = int(counts.sum())
    if trust.reason or trust.calibration is None or not rows:
        return {}, trust.reason
    found = figures(specification, trust.calibration, counts)
    left_out = moved(specification, trust.calibration, counts, decisions)
    names = [name for name in sorted(found) if not (left_out and name in DECIDED)]
    return {name: _interval(name, found[name], rows) for name in names}, left_out


def moved(specification: MonitorSpecification, known: Calibration, counts: Counts, decisions: Counts) -> str:
    """Why decisions say nothing of these scores; empty: they follow them as in the reference."""
    if specification.task != "binary" or not len(known.chosen):
        return ""
    rows, decided = float(counts.sum()), int(decisions[:2].sum())
    if not decided:
        return "no accuracy is estimated: predictions carry no decision"
    expected, found = float(counts @ known.chosen) / rows, int(decisions[1]) / decided
    chance = math.sqrt(float(counts @ (known.chosen * (1 - known.chosen)))) / rows
    if abs(found - expected) <= MOVED_MOST + 3 * chance:
        return ""
    return (
        f"no accuracy is estimated: {found:.1%} are decided for {specification.classes[1]}, {expected:.1%} are to be "
        "expected of these scores; has the threshold moved? build the reference again"
    )


def _interval(name: str, figure: Figure, rows: int) -> Estimate:
    half = Z * math.sqrt(figure.labels + figure.calibration)
    most = LOSS_MOST if name == "log_loss" else 1.0
    return Estimate(figure.value, max(0.0, figure.value - half), min(most, figure.value + half), rows)
