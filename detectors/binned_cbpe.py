"""The estimate without labels (cbpe.py) from a histogram of the score: what panes carry adds up to what it needs.

    learn       of every bin, the mean over the reference's rows in it of what cbpe.py expects of each row:
                P(label 1), share decided for 1, both at once, log loss, Brier score
    estimate    a window's counts times these: accuracy, balanced accuracy, precision, recall, F1, AUC (ties half),
                log loss, Brier score, and the variance of each

Counts add up, so panes may be summed in any order first. On the rows it was learned from it is cbpe.py's estimate
exactly (AUC: but for pairs within a bin); on others it is off only by how differently they lie within a bin:
on 64 bins of log-odds .0003 in the middle and .002 at most (tests/detectors/test_binned_cbpe.py).

Two variances: ``labels``, of the labels that rows with these scores will turn out to have (each by itself);
``calibration``, of the reference's own labels. Both by the delta method: g, what one label 1 more would change.

>>> rng = np.random.default_rng(1)
>>> score = rng.random(4000)
>>> label, bins = (rng.random(4000) < score).astype(int), (score * 8).astype(int)
>>> known = learn(score, label, (score >= 0.5).astype(int), bins, (np.arange(8) + 0.5) / 8)
>>> found = estimate(known, np.full(8, 100))["accuracy"]
>>> round(found.value, 2), round(found.labels**0.5, 3), round(found.calibration**0.5, 3)
(0.75, 0.014, 0.006)
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from driftloop.detectors.by_identity import ByIdentity
from driftloop.detectors.cbpe import calibrate
from driftloop.detectors.packing import Doubles
from numpy.typing import NDArray

_CLIP = 1e-15
"""As the log loss is clipped everywhere (schemas/bins.py)."""
FIGURES = ("accuracy", "auc", "balanced_accuracy", "brier", "f1", "log_loss", "precision", "recall")
Codes = NDArray[np.integer]


class Calibration(NamedTuple):
    """Of B bins, f8[B] each. ``rows``: labelled rows of the reference. ``score``: their mean, or the bin's middle.

    ``hits``: P(label 1). ``chosen``: share decided for 1, ``caught``: share decided for 1 whose label is 1; both
    empty where nothing is decided. ``loss`` and ``squared``: expected log loss (nats) and squared error of the score.
    """

    rows: Doubles
    score: Doubles
    hits: Doubles
    chosen: Doubles
    caught: Doubles
    loss: Doubles
    squared: Doubles


class Figure(NamedTuple):
    """An expected metric; ``labels`` and ``calibration``: its variances."""

    value: float
    labels: float
    calibration: float


def learn(score: Doubles, label: Codes, decision: Codes | None, bins: Codes, middles: Doubles) -> Calibration:
    """From n labelled rows (label 0 or 1; decision 0, 1 or anything else: unknown), each in its bin.

    A bin without rows is read off the calibration at its middle, decided as the nearest bins are. ValueError: only
    one class.
    """
    curve = calibrate(score, label)
    rows = np.bincount(bins, minlength=len(middles)).astype(np.float64)
    mean = _Means(bins, rows)
    p, s = curve(score), np.clip(score, _CLIP, 1 - _CLIP)
    hits = mean(p, curve(middles))
    chosen = caught = np.empty(0)
    if decision is not None and (decided := (decision == 0) | (decision == 1)).any():
        of_decided = _Means(bins[decided], np.bincount(bins[decided], minlength=len(middles)).astype(np.float64))
        chosen = of_decided.nearest((decision[decided] == 1).astype(np.float64))
        caught = of_decided(p[decided] * (decision[decided] == 1), hits * chosen)
    return Calibration(
        rows,
        mean(score, middles),
        hits,
        chosen,
        caught,
        mean(_expected(p, -np.log(s), -np.log(1 - s)), _expected(hits, -np.log(middles), -np.log(1 - middles))),
        mean(_expected(p, (1 - score) ** 2, score**2), _expected(hits, (1 - middles) ** 2, middles**2)),
    )


class _Means:
    """Means by bin."""

    def __init__(self, bins: Codes, rows: Doubles) -> None:
        self.bins, self.rows = bins, rows

    def __call__(self, values: Doubles, otherwise: Doubles) -> Doubles:
        """``otherwise``: f8[B], of bins without rows."""
        sums = np.bincount(self.bins, values, len(self.rows))
        return np.where(self.rows > 0, sums / np.maximum(self.rows, 1), otherwise)

    def nearest(self, values: Doubles) -> Doubles:
        """Between bins with rows linear, beyond them as the last."""
        at = np.flatnonzero(self.rows)
        known = np.bincount(self.bins, values, len(self.rows))[at] / self.rows[at]
        return np.interp(np.arange(len(self.rows)), at, known)


def _expected(p: Doubles, if_one: Doubles, if_none: Doubles) -> Doubles:
    return p * if_one + (1 - p) * if_none


def estimate(
    known: Calibration, counts: Doubles | NDArray[np.int64], names: Collection[str] = FIGURES
) -> dict[str, Figure]:
    """By name, of ``names``; what has nothing to divide by is not there. ``counts``: rows by bin."""
    n = np.asarray(counts, np.float64)
    rows, hits = float(n.sum()), n * known.hits
    positives = float(hits.sum())
    negatives = rows - positives
    if not rows:
        return {}
    found = _losses(known, n, rows, names) if len(known.loss) else {}
    if positives > 0 and negatives > 0 and "auc" in names:
        found["auc"] = _auc(known, n, hits, positives, negatives)
    decided = _decisions(known, n, rows, positives) if len(known.chosen) else {}
    return found | {name: _figure(known, n, *told) for name, told in decided.items() if name in names}


def _losses(known: Calibration, n: Doubles, rows: float, names: Collection[str]) -> dict[str, Figure]:
    found = {}
    if "log_loss" in names:
        found["log_loss"] = _same(known, n, float(n @ known.loss) / rows, _follows(known).odds / rows)
    if "brier" in names:
        found["brier"] = _same(known, n, float(n @ known.squared) / rows, (1 - 2 * known.score) / rows)
    return found


def _auc(known: Calibration, n: Doubles, hits: Doubles, positives: float, negatives: float) -> Figure:
    misses = n - hits
    below, above = np.cumsum(misses) - misses, positives - np.cumsum(hits)
    value = float(hits @ (below + misses / 2)) / (positives * negatives)
    slope = (below + misses / 2 - hits / 2 - above) / (positives * negatives) - value / positives + value / negatives
    return _same(known, n, value, slope)


def _decisions(
    known: Calibration, n: Doubles, rows: float, positives: float
) -> dict[str, tuple[float, float, float]]:
    """(value, slope of rows decided for 1, of rows that are not) by name. tp: decided for 1, label 1."""
    tp, chosen, negatives = float(n @ known.caught), float(n @ known.chosen), rows - positives
    right = rows - chosen - positives + 2 * tp
    found = {"accuracy": (right / rows, 1 / rows, -1 / rows)}
    if chosen > 0:
        found["precision"] = (tp / chosen, 1 / chosen, 0.0)
    if positives > 0:
        recall = tp / positives
        found["recall"] = (recall, (1 - recall) / positives, -recall / positives)
        f1 = 2 * tp / (chosen + positives)
        found["f1"] = (f1, (2 - f1) / (chosen + positives), -f1 / (chosen + positives))
        if negatives > 0:
            other = (right - tp) / negatives
            yes = ((1 - recall) / positives + other / negatives) / 2
            no = (-recall / positives - (1 - other) / negatives) / 2
            found["balanced_accuracy"] = ((recall + other) / 2, yes, no)
    return found


def drawn_anew(known: Calibration, counts: Doubles | NDArray[np.int64]) -> dict[str, float]:
    """Variance of the estimates of accuracy and AUC themselves, had as many rows been drawn anew: how far windows of
    the same kind lie apart. By the delta method, g: what one row more in a bin would change."""
    n, found = np.asarray(counts, np.float64), estimate(known, counts, ("accuracy", "auc"))
    hits = n * known.hits
    misses, positives = n - hits, float(hits.sum())
    told = {}
    if "auc" in found:
        negatives, value = float(misses.sum()), found["auc"].value
        below, above = np.cumsum(misses) - misses / 2, positives - np.cumsum(hits) + hits / 2
        won = (known.hits * below + (1 - known.hits) * above) / (positives * negatives)
        g = won - value * (known.hits / positives + (1 - known.hits) / negatives)
        told["auc"] = float(n @ g**2)
    if "accuracy" in found:
        g = (1 - known.chosen - known.hits + 2 * known.caught - found["accuracy"].value) / float(n.sum())
        told["accuracy"] = float(n @ g**2)
    return told


class _Follows(NamedTuple):
    """What follows from a calibration alone, f8[B] each. ``yes``, ``no``: P(label 1), P(label 0); ``of_yes``,
    ``of_no``: the variance of a row's label with its decision for 1, and not; ``unsure``: of P(label 1) itself, half
    a hit and half a miss more, so that few rows without a surprise are not certainty; ``odds``: of the score."""

    yes: Doubles
    no: Doubles
    of_yes: Doubles
    of_no: Doubles
    unsure: Doubles
    odds: Doubles


def _follow(known: Calibration) -> _Follows:
    yes = np.clip(known.hits, 0.0, 1.0)
    p = (known.rows * known.hits + 0.5) / (known.rows + 1)
    of_yes = of_no = np.empty(0)
    if len(chosen := known.chosen):
        caught = np.clip(known.caught, 0.0, chosen)
        missed = np.clip(known.hits - caught, 0.0, 1 - chosen)
        of_yes, of_no = caught * (1 - _over(caught, chosen)), missed * (1 - _over(missed, 1 - chosen))
    odds = np.log((1 - known.score).clip(_CLIP) / known.score.clip(_CLIP))
    return _Follows(yes, 1 - yes, of_yes, of_no, p * (1 - p) / (known.rows + 1), odds)


_follows = ByIdentity(_follow)


def _same(known: Calibration, n: Doubles, value: float, slope: Doubles) -> Figure:
    """A figure to which a label means the same whatever was decided."""
    own = _follows(known)
    return Figure(value, float((n * own.yes * own.no) @ slope**2), _calibration(own, n * slope))


def _figure(known: Calibration, n: Doubles, value: float, yes: float, no: float) -> Figure:
    """``yes``, ``no``: slope of rows decided for 1, and not."""
    own, chosen = _follows(known), known.chosen
    labels = float(n @ (own.of_yes * yes**2 + own.of_no * no**2))
    return Figure(value, labels, _calibration(own, n * (chosen * yes + (1 - chosen) * no)))


def _calibration(own: _Follows, pull: Doubles) -> float:
    """``pull``: what the metric moves by if a bin's P(label 1) is wrong by 1."""
    return float(own.unsure @ pull**2)


def _over(part: Doubles, of: Doubles) -> Doubles:
    return np.divide(part, of, out=np.zeros_like(part), where=of > 0)
