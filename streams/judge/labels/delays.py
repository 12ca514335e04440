"""How long labels take: the measured delay curve, overall and by class, and what coverage a window will end with.

    share_k = decayed labelled within delay bucket k / decayed predictions,  over panes whose horizon has passed
    expected final coverage = (labelled so far + sum over panes of predictions * (share_last - share_known)) /
    predictions

``known`` is the last bucket whose edge has passed for a pane. Buckets beyond it are taken from the curve, what is
there already is not estimated again. How sure that is: forecasts.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

HALF_LIFE_SECONDS = 30 * 86_400.0
"""How soon the curve forgets: a month of event time, so that a habit of last year's does not stand for ever."""


def kept(seconds: float) -> float:
    """What remains of a weight after so long."""
    return float(0.5 ** (seconds / HALF_LIFE_SECONDS))


@dataclass(slots=True)
class DelayCurve:
    """Decayed sums: predictions, and labelled by delay bucket (not cumulative); ``classes`` the same by class."""

    predictions: float
    labelled: list[float]
    classes: list[list[float]] = field(default_factory=list)

    @classmethod
    def empty(cls, buckets: int) -> DelayCurve:
        return cls(0.0, [0.0] * buckets)

    def learn(
        self,
        pane_seconds: float,
        predictions: int,
        labelled: Iterable[int],
        classes: Sequence[Sequence[int]] = (),
    ) -> None:
        """Take in one pane whose horizon has passed; ``classes``: labelled by class and bucket."""
        keep = kept(pane_seconds)
        self.predictions = self.predictions * keep + predictions
        self.labelled = [old * keep + new for old, new in zip(self.labelled, labelled, strict=True)]
        known = self.classes if len(self.classes) == len(classes) else [[0.0] * len(self.labelled) for _ in classes]
        self.classes = [
            [old * keep + new for old, new in zip(before, now, strict=True)]
            for before, now in zip(known, classes, strict=True)
        ]

    def to_come(self, buckets_known: int) -> float | None:
        """Share of a pane's predictions that will be labelled yet, when the first ``buckets_known`` are in.

        None: no pane has matured. 0 once all are in.
        """
        if self.predictions <= 0:
            return None
        shares = [0.0, *accumulate(count / self.predictions for count in self.labelled)]
        return max(0.0, shares[-1] - shares[buckets_known])

    def known_of(self, label: int, panes: Iterable[tuple[int, int]]) -> float | None:
        """Share of the labels of one class that is usually in by now, for panes of (predictions, buckets known).

        None: none of its labels has matured.
        """
        if label >= len(self.classes) or sum(self.classes[label]) <= 0.0:
            return None
        known = [0.0, *accumulate(self.classes[label])]
        total, weighted = 0, 0.0
        for predictions, buckets in panes:
            total += predictions
            weighted += predictions * known[buckets]
        return min(1.0, weighted / (total * known[-1])) if total else None


def expected_coverage(
    curve: DelayCurve, panes: Iterable[tuple[int, int]], labelled: int, predictions: int
) -> float | None:
    """Coverage when the horizon has passed; ``panes``: (predictions, buckets known) of each. None: not known yet."""
    if predictions <= 0:
        return None
    to_come = 0.0
    for count, known in panes:
        share = curve.to_come(known)
        if share is None:
            return None
        to_come += count * share
    return min(1.0, (labelled + to_come) / predictions)
