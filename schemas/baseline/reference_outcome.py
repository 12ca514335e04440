"""What the reference rows look like in score, label and loss, by task; and the scales of a regression."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from driftloop.schemas.baseline.quantiles import numeric_edges
from driftloop.schemas.bins import SCORE_BINS, log_loss, score_codes
from driftloop.schemas.losses import as_kept, happened, standard, surprise
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.outcome import Scales, power_of_two_above
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = tuple[int, ...]


class Outcome(NamedTuple):
    """``labelled`` bool[n]. Of the labelled rows: ``loss`` and ``wrong`` (f8, 0 or 1; of those in ``decided``).

    ``score``: counts on the bins of the score histogram; ``score_by_label`` the same of labelled rows, by code, of a
    regression by bin of the label. ``class_shares``: None without labels, and of a regression. ``losses_given``: sums
    of the loss by bin of the score, and by label, of other tasks than binary. ``residuals``: mean and sd of a
    regression's predicted less label.
    """

    labelled: NDArray[np.bool_]
    loss: Floats
    wrong: Floats
    decided: NDArray[np.bool_]
    score: Counts
    score_by_label: tuple[Counts, ...]
    class_shares: tuple[float, ...] | None
    losses_given: tuple[tuple[float, ...], ...] = ()
    residuals: tuple[float, ...] = ()


def outcome(
    spec: MonitorSpecification, labels: NDArray[np.number], score: Floats, predicted: NDArray[np.integer] | None
) -> Outcome:
    """Of n rows: ``labels`` codes of classes, or a regression's numbers (NaN: not known)."""
    if spec.task == "regression":
        return _numbers(spec, labels.astype(np.float64), score)
    labelled = (labels >= 0) & (labels < len(spec.classes))
    label, scores = labels[labelled].astype(np.int64), score[labelled]
    by_label, losses = tuple[Counts, ...](), tuple[tuple[float, ...], ...]()
    if spec.task == "binary":
        loss, seen = log_loss(scores, label), score
        by_label = tuple(_counts(score_codes(scores[label == code]), SCORE_BINS) for code in (0, 1))
    else:
        loss, seen = surprise(happened(as_kept(scores), label)), as_kept(score).max(axis=1, initial=0.0)
        by_label, losses = _jointly(score_codes(seen[labelled]), label, loss, (SCORE_BINS, len(spec.classes)))
    said = np.full(len(label), -1) if predicted is None else predicted[labelled].astype(np.int64)
    decided = (said >= 0) & (said < len(spec.classes))
    wrong = (said[decided] != label[decided]).astype(np.float64)
    shares = np.bincount(label, minlength=len(spec.classes)) / max(1, len(label))
    told = tuple(shares.tolist()) if len(label) else None
    return Outcome(labelled, loss, wrong, decided, _counts(score_codes(seen), SCORE_BINS), by_label, told, losses)


def _numbers(spec: MonitorSpecification, labels: Floats, score: Floats) -> Outcome:
    scales = spec.scales
    assert scales is not None
    labelled = np.isfinite(labels) if scales.is_known else np.zeros(len(labels), bool)
    edges = np.asarray(scales.prediction_edges or ())
    codes = np.searchsorted(edges, score, side="right")
    counts = _counts(codes, len(edges) + 1)
    if not labelled.any() or scales.scale is None:
        return Outcome(labelled, np.empty(0), np.empty(0), np.zeros(0, bool), counts, (), None)
    predicted, label, _, loss = standard(scales, score[labelled], labels[labelled])
    errors, of_labels = scales.scale * (predicted - label), np.asarray(scales.label_edges or ())
    happened_in = np.searchsorted(of_labels, labels[labelled], side="right")
    joint = _jointly(codes[labelled], happened_in, loss, (len(edges) + 1, len(of_labels) + 1))
    residuals = (float(errors.mean()), float(errors.std()))
    return Outcome(
        labelled, loss, np.empty(0), np.zeros(len(loss), bool), counts, joint[0], None, joint[1], residuals
    )


def _jointly(
    score: NDArray[np.integer], label: NDArray[np.integer], loss: Floats, sizes: tuple[int, int]
) -> tuple[tuple[Counts, ...], tuple[tuple[float, ...], ...]]:
    """(counts of the score by label, sums of the loss by score and by label); ``sizes``: codes of score and label."""
    counts = np.bincount(label * sizes[0] + score, minlength=sizes[0] * sizes[1]).reshape(sizes[1], sizes[0])
    sums = (np.bincount(codes, loss, size) for codes, size in zip((score, label), sizes, strict=True))
    return tuple(map(tuple, counts.tolist())), tuple(tuple(one.tolist()) for one in sums)


def learned_scales(spec: MonitorSpecification, labels: NDArray[np.number], score: Floats) -> Scales | None:
    """The scales of a regression with what it does not know yet; None for other tasks.

    scale: the least power of two that is not below the standard deviation of the labels (of the predictions, while
    nothing is labelled; 1 where all are the same). centre: the median, at a whole number of scales.
    """
    known = spec.scales
    if known is None or known.is_complete:
        return known
    finite = labels[np.isfinite(labels)].astype(np.float64) if spec.task == "regression" else np.empty(0)
    some = finite if len(finite) else score
    centre, scale = known.centre, known.scale
    if centre is None or scale is None:
        with np.errstate(over="ignore", invalid="ignore"):
            spread = float(some.std())
        scale = power_of_two_above(spread) if 0.0 < spread < math.inf else 1.0
        centre = float(np.rint(np.median(some) / scale) * scale)
    prediction_edges = known.prediction_edges or numeric_edges(score)
    label_edges = known.label_edges or (numeric_edges(finite) if len(finite) else None)
    return Scales(centre, scale, prediction_edges, label_edges)


def _counts(codes: NDArray[np.int64], bins: int) -> Counts:
    return tuple(np.bincount(codes, minlength=bins).tolist())
