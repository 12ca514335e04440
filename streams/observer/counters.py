"""What has happened to a model in one partition since its beginning, as of each instant of event time.

An event is counted at the first instant at which every interleaving knows of it; the totals are told at each instant
at which one has changed.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

NAMES = (
    "predictions",
    "labelled",
    "unlabelled",
    "never_labelled",
    "orphans",
    "duplicates",
    "amendments",
    "too_late",
    "overflow",
    "predictions_challenger",
    "labelled_challenger",
    "unlabelled_challenger",
    "never_labelled_challenger",
    "misplaced_predictions",
    "misplaced_truths",
)
"""A challenger predicts beside the champion on the same id: its rows have names of their own, so that without them
predictions = labelled + unlabelled + never labelled + those that wait still."""
CHALLENGER = "_challenger"
_AT = {name: i for i, name in enumerate(NAMES)}


def _as_long_as_names(counts: list[int]) -> list[int]:
    return counts + [0] * (len(NAMES) - len(counts))


class Counters:
    """``pending``: by instant, what it will add to ``totals``; both in the order of NAMES."""

    def __init__(self) -> None:
        self.totals = [0] * len(NAMES)
        self.pending: dict[float, list[int]] = {}

    def restore(self, totals: list[int], pending: dict[float, list[int]]) -> None:
        """As a state tells them; one that is older than a name has none of it."""
        self.totals = _as_long_as_names(totals)
        self.pending = {due: _as_long_as_names(more) for due, more in pending.items()}

    def add(self, name: str, due: NDArray[np.float64]) -> None:
        """One event at each of these instants."""
        for instant, count in Counter(due.tolist()).items():
            self.gain(name, instant, count)

    def gain(self, name: str, due: float, count: int) -> None:
        """``count`` events at one instant."""
        if count:
            self.pending.setdefault(due, [0] * len(NAMES))[_AT[name]] += count

    def take_due(self, watermark: float) -> list[tuple[float, dict[str, int]]]:
        """(instant, totals above zero as of then) of the instants at or before the watermark, ascending."""
        found: list[tuple[float, dict[str, int]]] = []
        if not self.pending or min(self.pending) > watermark:
            return found
        for due in sorted(due for due in self.pending if due <= watermark):
            self.totals = [a + b for a, b in zip(self.totals, self.pending.pop(due), strict=True)]
            found.append((due, {name: n for name, n in zip(NAMES, self.totals, strict=True) if n}))
        return found
