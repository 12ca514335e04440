"""Values of outcomes (money, minutes, ...) beside any task: sums by cell of the confusion matrix, or in total.

A value is clipped to the bound that the specification states (``value_clipped`` counts it) and rounded to
2^-30 of the least power of two above that; so an int64 holds 8 billion rows at the bound, and sums are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from driftloop.schemas.outcome import power_of_two_above
from driftloop.streams.observer.panes.sketch import Codes, Layout
from driftloop.streams.observer.panes.task import Columns, Floats, Labelled, Task
from numpy.typing import DTypeLike

VALUE = "value"
"""Sums of values are called so, with ``:<bin of confusion>`` behind it where there are classes."""


class ValuedTask:
    """``task``, and values up to ``most``. 8 bytes more a waiting truth."""

    def __init__(self, task: Task, classes: int, most: float) -> None:
        self.task, self.classes, self.most = task, classes, most
        self.payload, self.head = task.payload, task.head
        self.truth_payload: Mapping[str, DTypeLike] = {**task.truth_payload, "values": "<f8"}
        blocks = [(b.name, b.width, b.is_count) for b in task.layout.blocks]
        self.layout = Layout([*blocks, ("valued", 1, True), ("value_clipped", 1, True)])
        self.unit = power_of_two_above(most) * 2.0**-30
        cells = [f"{VALUE}:{cell}" for cell in range((classes + 1) ** 2)] if classes else [VALUE]
        self._first_cell = len(task.units)
        self.units: Mapping[str, float] = {**task.units, **dict.fromkeys(cells, self.unit)}

    def kept(self, scores: Floats, predicted: Codes) -> Columns:
        return self.task.kept(scores, predicted)

    def codes(self, scores: Floats, predicted: Codes) -> Sequence[Codes]:
        return self.task.codes(scores, predicted)

    def losses(self, p: Columns, t: Columns) -> tuple[Floats, Codes | None]:
        return self.task.losses(p, t)

    def labelled(self, p: Columns, t: Columns, delay: Floats) -> Labelled:
        found = self.task.labelled(p, t, delay)
        at, inner, sink = self.layout.at, self.task.layout.sink, self.layout.sink
        told = ~np.isnan(t["values"])
        clipped = told & (np.abs(t["values"]) > self.most)
        columns = np.empty((len(told), found.columns.shape[1] + 2), np.int64)
        columns[:, :-2] = np.where(found.columns == inner, sink, found.columns)
        columns[:, -2] = np.where(told, at["valued"], sink)
        columns[:, -1] = np.where(clipped, at["value_clipped"], sink)
        amounts = np.rint(np.clip(np.where(told, t["values"], 0.0), -self.most, self.most) / self.unit)
        return found._replace(columns=columns, scattered=(self._cells(p, t), amounts.astype(np.int64)))

    def _cells(self, p: Columns, t: Columns) -> Codes:
        """Number of the sum that each row adds to."""
        if not self.classes:
            return np.full(len(t["labels"]), self._first_cell)
        label = t["labels"].astype(np.int64)
        known = np.where(label >= 0, label, self.classes)
        return np.asarray(self._first_cell + known * (self.classes + 1) + p["predicted"])


def told_sums(units: Mapping[str, float], sums: Sequence[int]) -> dict[str, float]:
    """Sums by name in their own units; of values only the cells that hold something."""
    pairs = zip(units.items(), sums, strict=True)
    return {name: n * unit for (name, unit), n in pairs if n or not name.startswith(f"{VALUE}:")}
