"""Who predicted: a small number for each (version, role), and the codes of the tails of a batch."""

from __future__ import annotations

from itertools import islice

import numpy as np
from driftloop.schemas.batches.batch import PredictionColumns
from driftloop.schemas.batches.tails import Tails
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
        self._of_tails = np.empty(0, np.int16)
        """Number of each seat of ``_tails``."""

    def codes(self, columns: PredictionColumns) -> tuple[NDArray[np.int16], NDArray[np.int64], NDArray[np.int64]]:
        """(seats, predicted codes, category codes[n, C]) of a batch.

        A decision that is not told is what the scores speak for (tasks.decisions). Where the specification has
        no bins, a category's code says only whether it is missing (-1) or there (0).
        """
        spec, tail, of_tails = columns.spec, columns.tail, columns.tails.codes()
        self._learn(columns.tails)
        seats, predicted = self._of_tails[of_tails.seats[tail]], of_tails.predicted[tail]
        told = predicted != _FROM_SCORE
        if not told.all():
            predicted = np.where(told, predicted, decisions(spec, columns.score))
        return seats, predicted, columns.category_codes() if spec.has_bins else of_tails.missing.take(tail, axis=0)

    def _learn(self, tails: Tails) -> None:
        """Number the seats that are new in ``tails``, which only grows."""
        if tails is not self._tails:
            self._tails, self._of_tails = tails, np.empty(0, np.int16)
        if len(tails.seats) > len(self._of_tails):
            new = [self._number(*seat) for seat in islice(tails.seats, len(self._of_tails), None)]
            self._of_tails = np.concatenate([self._of_tails, np.array(new, np.int16)])

    def _number(self, version: str, role: str) -> int:
        name = (version, role)
        if name not in self._numbers and len(self.names) >= SEATS_MOST:
            name = (OTHER_VERSIONS, role)
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
            self.challengers = np.array([role == "challenger" for _, role in self.names])
        return self._numbers[name]
