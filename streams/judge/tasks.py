"""What the judge reads of label panes, by task, and what it makes of it: histograms, sums, metrics.

binary       accuracy, auc, brier, log_loss
multiclass   accuracy, brier (sum over classes, 0 to 2), log_loss
regression   bias, mae, rmse, in the unit of the label; nothing while the specification has no scale
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from driftloop.schemas.bins import LOSS_BINS, LOSS_EDGES, LOSS_MOST, SCORE_BINS
from driftloop.schemas.events import Estimate
from driftloop.schemas.specification import MonitorSpecification
from driftloop.streams.judge import metrics
from numpy.typing import NDArray

Counts = NDArray[np.int64]
CLASSED = ("log_loss", "log_loss_squared", "brier")
NUMBERED = ("loss", "loss_squared", "error", "absolute_error", "squared_error")


class Loss(NamedTuple):
    """What the sequential test is about: name of its sum, of the feature in an alarm, its unit, and in words."""

    total: str
    feature: str
    unit: str
    words: str


def loss_of(specification: MonitorSpecification) -> Loss:
    if specification.task == "regression":
        return Loss("loss", "absolute_error", "scales", "absolute error, in scales,")
    return Loss("log_loss", "log_loss", "nats", "log loss")


def score_bins(specification: MonitorSpecification) -> int:
    """Bins of the score histogram of feature panes; 0: there is none yet."""
    if specification.task != "regression":
        return SCORE_BINS
    scales = specification.scales
    edges = None if scales is None else scales.prediction_edges
    return 0 if edges is None else len(edges) + 1


def label_histograms(specification: MonitorSpecification) -> dict[str, int]:
    """Bins of the histograms of label panes that are read."""
    if specification.task == "regression":
        known = specification.scales is not None and specification.scales.is_known
        return {"loss": LOSS_BINS} if known else {}
    found = {"confusion": (len(specification.classes) + 1) ** 2}
    if specification.task == "binary":
        found |= {"score_by_label:0": SCORE_BINS, "score_by_label:1": SCORE_BINS}
    return found | {"loss": LOSS_BINS}


def label_sums(specification: MonitorSpecification) -> tuple[str, ...]:
    """Sums of label panes that are read."""
    return NUMBERED if specification.task == "regression" else CLASSED


def performance(
    specification: MonitorSpecification, labels: Mapping[str, Counts], sums: Mapping[str, float]
) -> dict[str, Estimate]:
    """Every metric that can be told, names sorted. ``labels``: histograms by name."""
    if specification.task == "regression":
        found = _numbers(specification, labels, sums)
    else:
        found = _classes(specification, labels, sums)
    return {name: found[name] for name in sorted(found) if found[name] is not None}  # type: ignore[misc]


def _classes(
    specification: MonitorSpecification, labels: Mapping[str, Counts], sums: Mapping[str, float]
) -> dict[str, Estimate | None]:
    rows = int(labels["loss"].sum())
    found: dict[str, Estimate | None] = {
        "accuracy": metrics.accuracy(labels["confusion"], len(specification.classes)),
        "log_loss": metrics.log_loss(sums["log_loss"], sums["log_loss_squared"], rows),
    }
    if specification.task == "binary":
        negatives, positives = labels["score_by_label:0"], labels["score_by_label:1"]
        found["auc"] = metrics.auc(negatives, positives)
        found["brier"] = metrics.brier(sums["brier"], negatives, positives)
    elif rows:
        found["brier"] = bounded_mean(sums["brier"], rows, 2.0)
    return found


def _numbers(
    specification: MonitorSpecification, labels: Mapping[str, Counts], sums: Mapping[str, float]
) -> dict[str, Estimate | None]:
    rows = int(labels["loss"].sum()) if "loss" in labels else 0
    if not rows or specification.scales is None or specification.scales.scale is None:
        return {}
    square = sums["squared_error"] / rows
    found = {
        "bias": mean(sums["error"], sums["squared_error"], rows),
        "mae": mean(sums["absolute_error"], sums["squared_error"], rows),
    }
    fourth = float(labels["loss"] @ np.append(LOSS_EDGES, LOSS_MOST) ** 4) * specification.scales.scale**4
    half = metrics.Z * math.sqrt(max(0.0, fourth / rows - square * square) / rows)
    low, high = max(0.0, square - half), square + half
    found["rmse"] = Estimate(math.sqrt(square), math.sqrt(low), math.sqrt(high), rows)
    return dict(found)


def mean(total: float, total_squared: float, n: int) -> Estimate:
    """Mean with a normal interval, from sum and sum of squares; n > 0.

    >>> found = mean(10.0, 30.0, 5)
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (2.0, 0.614, 3.386)
    """
    value = total / n
    variance = max(0.0, (total_squared - n * value * value) / (n - 1)) if n > 1 else total_squared
    half = metrics.Z * math.sqrt(variance / n)
    return Estimate(value, value - half, value + half, n)


def bounded_mean(total: float, n: int, most: float) -> Estimate:
    """Mean of numbers within [0, most], n > 0, no squares known: variance <= m (most - m) (Bhatia & Davis, 2000)."""
    value = total / n
    half = metrics.Z * math.sqrt(max(0.0, value * (most - value)) / n)
    return Estimate(value, max(0.0, value - half), min(most, value + half), n)
