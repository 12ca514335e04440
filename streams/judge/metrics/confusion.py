"""What a confusion matrix says: accuracy, balanced accuracy, precision, recall, F1; of many classes the plain means.

Rows count that have a label and a decision, each one of the classes. Equal to scikit-learn's figures on these rows,
to rounding (many classes: average="macro" over the classes that occur, ill-defined ones count 0, as there).

    accuracy            Wilson                              F1, two classes    Wilson, through 2 J / (1 + J)
    balanced accuracy   mean of recalls, MOVER              F1, many           delta method (Takahashi et al., 2022),
    precision, recall   Wilson; of many classes MOVER                          then Wilson of the effective rows
"""

from __future__ import annotations

import numpy as np
from driftloop.schemas.events import Estimate
from driftloop.streams.judge.metrics.intervals import (
    Counts,
    Floats,
    effective,
    mean_of_few,
    mean_of_shares,
    share,
    shares,
    wilson,
)

DECISIONS = ("balanced_accuracy", "precision", "recall", "f1")


def known_table(confusion: Counts, classes: int) -> Counts:
    """int64[classes, classes], label by decision, without what is no class."""
    return np.asarray(confusion).reshape(classes + 1, classes + 1)[:classes, :classes]


def labelled(confusion: Counts, classes: int) -> int:
    """Rows whose label is a class, decided or not."""
    return int(np.asarray(confusion).reshape(classes + 1, classes + 1)[:classes].sum())


def accuracy(confusion: Counts, classes: int = 2) -> Estimate | None:
    """Share of right answers.

    >>> found = accuracy(np.array([40, 10, 0, 5, 45, 0, 0, 0, 0]))
    >>> found.value, round(found.low, 3), round(found.high, 3), found.count
    (0.85, 0.767, 0.907, 100)
    """
    table = known_table(confusion, classes)
    n = int(table.sum())
    return wilson(int(np.trace(table)), n) if n else None


def decisions(confusion: Counts, classes: int = 2) -> dict[str, Estimate]:
    """``DECISIONS`` by name; what cannot be told is not there."""
    table = known_table(confusion, classes)
    n = int(table.sum())
    if not n:
        return {}
    if classes == 2:
        return _of_two(table, n)
    right, happened, said = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    there = happened > 0
    found = {"balanced_accuracy": mean_of_shares(shares(right[there], happened[there]), n)}
    there |= said > 0
    found["precision"] = mean_of_shares(shares(right[there], said[there]), n)
    found["recall"] = mean_of_shares(shares(right[there], happened[there]), n)
    found["f1"] = macro_f1(table[np.ix_(there, there)])
    return found


def _of_two(table: Counts, n: int) -> dict[str, Estimate]:
    """F1 = 2 J / (1 + J) of J = tp / (tp + fp + fn), a share of the rows in which one of the two says yes."""
    (left, false_positives), (false_negatives, right) = table.tolist()
    recalls = [(left, left + false_positives), (right, right + false_negatives)]
    found = {"balanced_accuracy": mean_of_few([share(*one) for one in recalls if one[1]], n)}
    if said := right + false_positives:
        found["precision"] = wilson(right, said)
    if happened := right + false_negatives:
        found["recall"] = wilson(right, happened)
    if either := right + false_positives + false_negatives:
        jaccard = wilson(right, either)
        value, low, high = (2 * j / (1 + j) for j in (jaccard.value, jaccard.low, jaccard.high))
        found["f1"] = Estimate(value, low, high, either)
    return found


def macro_f1(table: Counts) -> Estimate:
    """Mean over classes of 2 n_kk / (row_k + column_k); every class occurs.

    d F / d n_ij = (2 [i = j] / d_i - F_i / d_i - F_j / d_j) / K,  d_k = row_k + column_k;  the variance is the sum of
    n_ij times its square, on a table with half a row more in each cell, so that no error seen is not none possible.
    """
    k, n = len(table), int(table.sum())
    value = float(_f1s(table).mean())
    smooth: Floats = table.astype(np.float64) + 0.5
    f1s = _f1s(smooth)
    both = smooth.sum(axis=1) + smooth.sum(axis=0)
    slope = -(f1s / both)[:, None] - (f1s / both)[None, :] + np.diag(2 / both)
    variance = float((smooth * (slope / k) ** 2).sum())
    middle = float(f1s.mean())
    rows = middle * (1 - middle) / variance if variance > 0 else float(n)
    if value in (0.0, 1.0):
        return effective(value, 0.0, max(1, min(n, int(rows))), n)
    return effective(value, value * (1 - value) / rows, n, n)


def _f1s(table: Floats | Counts) -> Floats:
    return np.asarray(2 * np.diag(table) / (table.sum(axis=1) + table.sum(axis=0)), dtype=np.float64)
