"""Batches that wait for the next drain, and many of them as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from driftloop.streams.observer.join.join import Predictions
from numpy.typing import NDArray


class Gathered(NamedTuple):
    """Predictions that wait for the next drain, beside the join's columns: what the sketch needs."""

    batch: Predictions
    scores: NDArray[np.float64]
    predicted: NDArray[np.int64]
    numeric: NDArray[np.float64]
    categories: NDArray[np.int64]
    segments: NDArray[np.uint8]
    vectors: NDArray[np.float32]


def as_one(gathered: list[Gathered]) -> Gathered:
    """As if they had come in one batch."""
    if len(gathered) == 1:
        return gathered[0]
    batch = Predictions(*stacked([g.batch for g in gathered]))
    return Gathered(batch, *stacked([g[1:] for g in gathered]))


def stacked(parts: Sequence[Sequence[NDArray[Any]]]) -> Sequence[NDArray[Any]]:
    """Columns of several batches, one behind the other."""
    return parts[0] if len(parts) == 1 else [np.concatenate(columns) for columns in zip(*parts, strict=True)]
