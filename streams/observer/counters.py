"""What has happened to a model in one partition since its beginning, as of each instant of event time.

An event is counted at the first instant at which every interleaving knows of it; the totals are told at each instant
at which one has changed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NAMES = (
    "predictions",
    "labelled",
    "never_labelled",
    "orphans",
    "duplicates",
    "amendments",
    "too_late",
    "unlabelled",
    "overflow",
)
_AT = {name: i for i, name in enumerate(NAMES)}


class Counters:
    """``pending``: by instant, what it will add to ``totals``; both in the order of NAMES."""

    def __init__(self) -> None:
        self.totals = [0] * len(NAMES)
        self.pending: dict[float, list[int]] = {}

    def add(self, name: str, due: NDArray[np.float64]) -> None:
        """One event at each of these instants."""
        if not len(due):
            return
        at = _AT[name]
        if (due == due[0]).all():
            self._add(at, float(due[0]), len(due))
            return
        for instant, count in zip(*(a.tolist() for a in np.unique(due, return_counts=True)), strict=True):
            self._add(at, instant, count)

    def _add(self, at: int, due: float, count: int) -> None:
        self.pending.setdefault(due, [0] * len(NAMES))[at] += count

    def take_due(self, watermark: float) -> list[tuple[float, dict[str, int]]]:
        """(instant, totals as of then) of the instants at or before the watermark, ascending."""
        found = []
        for due in sorted(due for due in self.pending if due <= watermark):
            self.totals = [a + b for a, b in zip(self.totals, self.pending.pop(due), strict=True)]
            found.append((due, dict(zip(NAMES, self.totals, strict=True))))
        return found
