"""What differs between a binary model, one of many classes and a regression: one ``Task`` a specification.

Everything else of the observer (join, time, panes, state) is the same for all of them. tasks.py has them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from driftloop.streams.observer.panes.sketch import Codes, Layout
from numpy.typing import DTypeLike, NDArray

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]


class Labelled(NamedTuple):
    """What n pairs add to label panes: ``columns`` int64[n, M] raised by one; ``sums`` int64[n, K] in units;
    ``scattered``: (number of a sum, amount), int64[n] each, for sums of which a row meets one."""

    columns: Codes
    sums: Codes
    scattered: tuple[Codes, Codes] | None = None


class Task(Protocol):
    """``payload``, ``truth_payload``: columns that a waiting prediction and truth keep beside id, times and seat.

    ``head``: histograms of feature panes beside those of the features: (name, bins). ``layout``: of label panes.
    ``units``: of each sum of a label pane, in its order: a row is rounded to whole ones, so sums are exact.
    """

    payload: Mapping[str, DTypeLike]
    truth_payload: Mapping[str, DTypeLike]
    head: Sequence[tuple[str, int]]
    layout: Layout
    units: Mapping[str, float]

    def kept(self, scores: Floats, predicted: Codes) -> Columns:
        """The columns of ``payload`` of n predictions."""

    def codes(self, scores: Floats, predicted: Codes) -> Sequence[Codes]:
        """Bins int64[n] of each histogram of ``head``."""

    def labelled(self, p: Columns, t: Columns, delay: Floats) -> Labelled:
        """What n pairs add; ``p`` and ``t`` hold the payload columns and the labels of both halves."""

    def losses(self, p: Columns, t: Columns) -> tuple[Floats, Codes | None]:
        """(loss f8[n] in [0, bins.LOSS_MOST], NaN where it has no scale yet; 1 right, 0 wrong, -1 not told, None
        where nothing is right or wrong) of n pairs that have a label; of others anything."""
