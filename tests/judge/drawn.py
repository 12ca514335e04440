"""Rows drawn at random for the tests of metrics, and their panes in numpy: no code of the observer."""

from __future__ import annotations

import numpy as np
from driftloop.schemas import bins


def rows_of(seed: int, n: int, sharpness: float, centre: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """(score, label) of a calibrated model of two classes."""
    rng = np.random.default_rng(seed)
    score = 1 / (1 + np.exp(-sharpness * rng.normal(centre, size=n)))
    return score, (rng.random(n) < score).astype(np.int64)


def histograms(score: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    codes = bins.score_codes(score)
    negatives, positives = (np.bincount(codes[label == y], minlength=64) for y in (0, 1))
    return negatives, positives


def confusion_of(label: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """The flat histogram of a label pane, where every label and decision is a class."""
    return np.bincount(label * (classes + 1) + said, minlength=(classes + 1) ** 2)
