"""What the judge reads of panes, by task, and which metrics come of it: histograms, sums, counts.

binary       accuracy, auc, average_precision, balanced_accuracy, brier, calibration_error, f1, log_loss, precision,
             recall, selection_rate (share of all predictions that decide for classes[1])
multiclass   accuracy, balanced_accuracy, brier (sum over classes, 0 to 2), calibration_error (of the largest score),
             f1, log_loss, precision, recall (plain means over the classes)
regression   bias, mae, rmse, quantile_loss:<t>, in the unit of the label; nothing while there is no scale
all          value, where the specification says that outcomes have one
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from driftloop.schemas.bins import LOSS_BINS, SCORE_BINS
from driftloop.schemas.events import Estimate
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.metrics import calibration, confusion, metrics, numbers, ranking
from driftloop.streams.judge.metrics.intervals import Counts, bounded_mean, wilson
from driftloop.streams.judge.metrics.on_demand import Metric, OnDemand, one
from driftloop.streams.judge.metrics.value import VALUE, VALUED, mean_value

CLASSED = ("log_loss", "log_loss_squared", "brier")
NUMBERED = ("loss", "loss_squared", "error", "absolute_error", "squared_error")
QUANTILES = (0.1, 0.9)
"""Whose losses are told where the specification names none; that at .5 is half the MAE."""


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


def decision_codes(specification: MonitorSpecification) -> int:
    """Bins of the histogram of decisions in feature panes, the last "no class"; 0: nothing is decided."""
    return 0 if specification.task == "regression" else len(specification.classes) + 1


def label_histograms(specification: MonitorSpecification, segment: bool = False) -> dict[str, int]:
    """Bins of the histograms of label panes that are read; of those of a ``segment``, only what metrics need."""
    if specification.task == "regression":
        scales = specification.scales
        if scales is None or not scales.is_known:
            return {}
        edges = {} if segment else {"score": scales.prediction_edges, "label": scales.label_edges}
        return {"loss": LOSS_BINS} | {name: len(own) + 1 for name, own in edges.items() if own is not None}
    by = "label" if specification.task == "binary" else "right"
    found = {"confusion": (len(specification.classes) + 1) ** 2}
    found |= {f"score_by_{by}:0": SCORE_BINS, f"score_by_{by}:1": SCORE_BINS}
    return found if segment else found | {"loss": LOSS_BINS}


def label_sums(specification: MonitorSpecification) -> tuple[str, ...]:
    """Sums of label panes that are read."""
    own = NUMBERED if specification.task == "regression" else CLASSED
    return own if specification.value_most is None else (*own, VALUE)


def counts_read(specification: MonitorSpecification) -> tuple[str, ...]:
    """Counts of panes that are read beside predictions and labelled; each kind of pane has its own names."""
    broken = [f"broken:{f.name}" for f in specification.features if f.kind == "embedding"]
    return ("pairs", "clipped", VALUED, "value_clipped", *broken)


class Measured(NamedTuple):
    """What metrics are made of. ``labels``: histograms by name; ``decisions``: of all predictions, by code."""

    labels: Mapping[str, Counts]
    sums: Mapping[str, float]
    counts: Mapping[str, int]
    decisions: Counts


def performance(specification: MonitorSpecification, found: Measured) -> OnDemand:
    """Every metric that can be told, names sorted; each is worked out when it is read."""
    return OnDemand(lambda: _of_task(specification, found))


def _of_task(specification: MonitorSpecification, found: Measured) -> list[Metric]:
    of_task = _numbers(specification, found) if specification.task == "regression" else _classes(specification, found)
    valued = found.counts.get(VALUED, 0)
    return [*of_task, one("value", lambda: mean_value(specification, found.sums, valued))]


def _classes(specification: MonitorSpecification, found: Measured) -> list[Metric]:
    matrix, sums, classes = found.labels["confusion"], found.sums, len(specification.classes)
    is_binary, rows = specification.task == "binary", confusion.labelled(matrix, classes)
    by = "label" if is_binary else "right"
    no, yes = found.labels[f"score_by_{by}:0"], found.labels[f"score_by_{by}:1"]
    return [
        one("accuracy", lambda: confusion.accuracy(matrix, classes)),
        Metric(confusion.DECISIONS, lambda: confusion.decisions(matrix, classes)),
        one("calibration_error", lambda: calibration.calibration_error(no, yes)),
        one("log_loss", lambda: metrics.log_loss(sums["log_loss"], sums["log_loss_squared"], rows)),
        *(_of_two(found, no, yes) if is_binary else _of_many(found, rows)),
    ]


def _of_two(found: Measured, no: Counts, yes: Counts) -> list[Metric]:
    return [
        one("auc", lambda: ranking.auc(no, yes)),
        one("average_precision", lambda: ranking.average_precision(no, yes)),
        one("brier", lambda: metrics.brier(found.sums["brier"], no, yes)),
        one("selection_rate", lambda: selection_rate(found.decisions)),
    ]


def _of_many(found: Measured, rows: int) -> list[Metric]:
    return [one("brier", lambda: bounded_mean(found.sums["brier"], rows, 2.0) if rows else None)]


def selection_rate(decisions: Counts) -> Estimate | None:
    """Share of the decisions of a binary model that are for classes[1], labelled or not; Wilson."""
    decided = int(decisions[:2].sum())
    return wilson(int(decisions[1]), decided) if decided else None


def _numbers(specification: MonitorSpecification, found: Measured) -> list[Metric]:
    scales, losses = specification.scales, found.labels.get("loss")
    if losses is None or scales is None or scales.scale is None:
        return []
    scale, quantiles = scales.scale, specification.quantiles or QUANTILES
    return [Metric(numbers.names(quantiles), lambda: numbers.measure(found.sums, losses, scale, quantiles))]
