"""Bin edges that belong to the release, not to a model: score, loss, label delay. Everyone counts on the same bins.

Bin i holds edges[i-1] <= x < edges[i]: the index is ``searchsorted(edges, x, side="right")``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SCORE_BINS = 64
SCORE_EDGES: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.linspace(-7.75, 7.75, SCORE_BINS - 1)))
"""63 inner edges a quarter of log-odds apart, .5 among them: from 0.00043 to 0.99957."""

LOG_LOSS_CLIP = 1e-15
"""Scores are clipped to [1e-15, 1 - 1e-15] before the logarithm: one certain error costs 34.5 nats, not infinity.
The value of scikit-learn's log_loss before 1.3 and of river's LogLoss, so figures can be compared."""
LOSS_MOST = -math.log(LOG_LOSS_CLIP)
"""The largest log loss of one event, nats: 34.54."""
LOSS_BINS = 512
LOSS_EDGES: NDArray[np.float64] = np.append(np.geomspace(1e-3, LOSS_MOST, LOSS_BINS - 1)[:-1], LOSS_MOST)
"""511 inner edges, each 2.07 % above the one before. A sequential test on the mean counts an event at the edge of its
bin that gives the smaller bet; for "the mean has risen" that is ``loss_floor()``, which is low by 1 % on average and
2.1 % at most (below .001 nats: by all of it). So the test's bound stays a bound."""

_STEPS = np.geomspace(1e-3, LOSS_MOST, 257)[:-1]
DIFFERENCE_EDGES: NDArray[np.float64] = np.concatenate([-_STEPS[::-1], [0.0, np.nextafter(0.0, 1.0)], _STEPS])
"""514 inner edges for the difference of two losses, within +-LOSS_MOST: 4.2 % apart beyond .001 on both sides, and a
bin of its own for no difference at all. An event lies between ``difference_floor`` and ``difference_ceiling`` of its
bin: a test counts it at the one that gives the smaller bet."""
DIFFERENCE_BINS = 515

DELAY_STEPS_SECONDS = (3_600.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0, 1_209_600.0, 2_592_000.0)
"""An hour, six, a day, three, seven, fourteen, thirty: how label delays are told apart."""

for _edges in (SCORE_EDGES, LOSS_EDGES, DIFFERENCE_EDGES):
    _edges.setflags(write=False)


def delay_edges(horizon_seconds: float) -> tuple[float, ...]:
    """Upper edges of the delay buckets, ascending; the last one is the horizon.

    >>> delay_edges(86_400.0)
    (3600.0, 21600.0, 86400.0)
    """
    return (*(step for step in DELAY_STEPS_SECONDS if step < horizon_seconds), float(horizon_seconds))


def delay_buckets(delay_seconds: NDArray[np.float64], edges: tuple[float, ...]) -> NDArray[np.int64]:
    """Bucket k holds delays in (edges[k-1], edges[k]]; bucket 0 those at or below 0 too; beyond: len(edges)."""
    return np.searchsorted(np.asarray(edges), delay_seconds, side="left")


def score_codes(score: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bin of each score, 0..63."""
    return np.searchsorted(SCORE_EDGES, score, side="right")


def score_middles() -> NDArray[np.float64]:
    """A score for each bin: the middle in log-odds, f8[64]; for what must be read from the histogram alone."""
    return np.asarray(1.0 / (1.0 + np.exp(-(np.arange(SCORE_BINS) * 0.25 - 7.875))))


def log_loss(score: NDArray[np.float64], label: NDArray[np.integer]) -> NDArray[np.float64]:
    """-log of the probability given to what happened, nats; ``score`` = P(label 1), clipped (LOG_LOSS_CLIP)."""
    happened = np.where(label == 1, score, 1.0 - score)
    return np.asarray(-np.log(np.clip(happened, LOG_LOSS_CLIP, 1.0 - LOG_LOSS_CLIP)))


def loss_codes(loss: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bin of each log loss, 0..511."""
    return np.searchsorted(LOSS_EDGES, loss, side="right")


def loss_floor() -> NDArray[np.float64]:
    """The lower edge of each loss bin, f8[512]: no event of the bin lost less."""
    return np.concatenate(([0.0], LOSS_EDGES))


def difference_codes(difference: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bin of each difference of two losses, 0..514.

    >>> difference_codes(np.array([-LOSS_MOST, -1e-9, 0.0, 1e-9, LOSS_MOST])).tolist()
    [0, 256, 257, 258, 514]
    """
    return np.searchsorted(DIFFERENCE_EDGES, difference, side="right")


def difference_floor() -> NDArray[np.float64]:
    """The lower edge of each bin of differences, f8[515]."""
    return np.concatenate(([-LOSS_MOST], DIFFERENCE_EDGES))


def difference_ceiling() -> NDArray[np.float64]:
    """The upper edge of each bin of differences, f8[515]."""
    return np.concatenate((DIFFERENCE_EDGES, [LOSS_MOST]))
