"""Who predicted: a small number for each (version, role), and the codes of the tails of a batch."""

from __future__ import annotations

import numpy as np
from driftloop.schemas.batches.batch import PredictionColumns
from driftloop.schemas.batches.tails import Tail, Tails
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.observer.panes.tasks import decisions
from numpy.typing import NDArray

SEATS_MOST = 4_096
OTHER_VERSIONS = "(other versions)"
"""A model with more (version, role) in one partition has mistaken something else for its version: the rest share one
name a role, so that memory stays bounded."""
_FROM_SCORE = -1


class Seats:
    """``names``: (version, role) by number, in order of appearance. ``challengers`` bool[n]: which are theirs."""

    def __init__(self, names: list[tuple[str, str]] | None = None) -> None:
        self.names: list[tuple[str, str]] = []
        self._numbers: dict[tuple[str, str], int] = {}
        self.challengers = np.zeros(0, bool)
        for version, role in names or []:
            self._number(version, role)
        self._tails: Tails | None = None
        self._forget_codes(0)

    def _forget_codes(self, categories: int) -> None:
        """By index of a tail: seat, code of the decision, and of each category whether it is missing."""
        self._seats = np.empty(0, np.int16)
        self._predicted = np.empty(0, np.int64)
        self._missing = np.empty((0, categories), np.int64)

    def codes(self, columns: PredictionColumns) -> tuple[NDArray[np.int16], NDArray[np.int64], NDArray[np.int64]]:
        """(seats, predicted codes, category codes[n, C]) of a batch.

        A decision that is not told is what the scores speak for (tasks.decisions). Where the specification has
        no bins, a category's code says only whether it is missing (-1) or there (0).
        """
        spec, tail = columns.spec, columns.tail
        self._learn(columns.tails, spec)
        seats, predicted = self._seats[tail], self._predicted[tail]
        told = predicted != _FROM_SCORE
        if not told.all():
            predicted = np.where(told, predicted, decisions(spec, columns.score))
        return seats, predicted, columns.category_codes() if spec.has_bins else self._missing[tail]

    def _learn(self, tails: Tails, spec: MonitorSpecification) -> None:
        """Work out the codes of the tails that are new in ``tails``, which only grows."""
        if tails is not self._tails:
            self._tails = tails
            self._forget_codes(len(spec.categorical))
        if len(tails) == len(self._seats):
            return
        new = tails[len(self._seats) :]
        seats = [self._number(tail.version, tail.role) for tail in new]
        predicted = [_predicted_code(tail, spec) for tail in new]
        missing = [[-1 if category is None else 0 for category in tail.categories] for tail in new]
        self._seats = np.concatenate([self._seats, np.array(seats, np.int16)])
        self._predicted = np.concatenate([self._predicted, np.array(predicted, np.int64)])
        told = np.array(missing, np.int64).reshape(len(new), len(spec.categorical))
        self._missing = np.concatenate([self._missing, told])

    def _number(self, version: str, role: str) -> int:
        name = (version, role)
        if name not in self._numbers and len(self.names) >= SEATS_MOST:
            name = (OTHER_VERSIONS, role)
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
            self.challengers = np.array([role == "challenger" for _, role in self.names])
        return self._numbers[name]


def _predicted_code(tail: Tail, spec: MonitorSpecification) -> int:
    if tail.predicted is None or not spec.classes:
        return _FROM_SCORE
    return spec.classes.index(tail.predicted) if tail.predicted in spec.classes else len(spec.classes)
