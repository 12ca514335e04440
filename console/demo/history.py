"""Scores for January and February by models that have not seen the day they score: what the reference is built on.

A model's loss on its own training rows is too low, and every live loss would look like drift beside it. So the days
are cut into blocks, and each block is scored by a model fitted on the others (out-of-fold).
"""

from __future__ import annotations

import numpy as np
from driftloop.console.demo.flights import DAY_SECONDS, Flights, Floats
from driftloop.console.demo.trainer import fit
from numpy.typing import NDArray

BLOCKS = 5
"""Twelve days each: long enough that the weather on both sides of a block says little about its middle."""


def out_of_fold(history: Flights, seed: int) -> Floats:
    """P(late) of every flight of ``history``, [n]. Five fits, 1.5 s."""
    columns, block = history.columns(), blocks_of(history.event_time)
    scores = np.empty(len(history))
    for own in np.unique(block):
        known = np.flatnonzero((block != own) & (history.label >= 0))
        model = fit({name: column[known] for name, column in columns.items()}, history.label[known], seed)
        scores[block == own] = model.predict_score({name: column[block == own] for name, column in columns.items()})
    return scores


def blocks_of(event_time: Floats) -> NDArray[np.int64]:
    """Block of each flight, 0..BLOCKS-1: days in a row, as many in each block as can be."""
    day = np.floor(event_time / DAY_SECONDS).astype(np.int64)
    day -= day.min()
    block: NDArray[np.int64] = day * BLOCKS // (day.max() + 1)
    return block
