"""Evidence that some channel has shifted by more than the floor: a mixture of Shiryaev–Roberts, one for the monitor.

    z = i / √F,   tol = floor / √F,   R ← (R + 1) · exp(λ·(±z - tol) - λ²/2),   λ ∈ {.3, .6, 1.2, 2.4}

While every |shift| is at most the floor, E[exp(...)] ≤ 1 for Gaussian innovations, so R averaged over bets, channels
and features has a mean run length of at least its threshold: one alarm for the whole monitor, however many features
and however they depend on each other. The parts of the average say which feature it is.
Each λ is twice the one before: one exponential, squared three times, gives all four bets.
"""

from __future__ import annotations

import numpy as np
from driftloop.detectors.packing import Doubles
from driftloop.detectors.seasonal.channels import Channels
from numpy.typing import NDArray

LAMBDAS = (0.3, 0.6, 1.2, 2.4)
PARTS = np.array([0.1, 1.0, 1.0, 0.5]) / 5.2
"""Of each λ in the average, both signs. A day of 50 rows an hour needs .6 to 1.2; .3 finds nothing within a day and
by itself makes most of the evidence of a quiet stream (with equal parts a shifted mix took 23 hours, not 20.5)."""
BETS = 2 * len(LAMBDAS)
Z_MOST = 40.0
"""So that no bet leaves the doubles."""
R_MOST = 1e30
_COST = np.exp(-np.square(LAMBDAS) / 2)[:, None]


def nothing(monitors: int, channels: int) -> Doubles:
    """R before the first step, [M, 2, bets, G]."""
    return np.zeros((monitors, 2, len(LAMBDAS), channels))


def climb(r: Doubles, z: Doubles, tol: Doubles, some: NDArray[np.bool_]) -> Doubles:
    """R after a period with standardised innovations ``z`` [M, G]; where not ``some`` it stays."""
    z = np.clip(z, -Z_MOST, Z_MOST)
    base = np.exp(LAMBDAS[0] * np.stack([z - tol, -z - tol], axis=1))
    after = np.empty_like(r)
    for k in range(len(LAMBDAS)):
        after[:, :, k] = base
        base = base * base
    after *= _COST
    after *= r + 1
    np.minimum(after, R_MOST, out=after)
    return np.where(some[:, None, None], after, r)


def by_channel(r: Doubles) -> Doubles:
    """R averaged over the bets, [M, G]."""
    both = r[:, 0] + r[:, 1]
    return np.asarray(sum(both[:, k] * PARTS[k] for k in range(len(LAMBDAS))))


def by_feature(channels: Channels, of_channel: Doubles) -> Doubles:
    """Each feature's part of the average, [M, F]; their sum is the evidence."""
    features = len(channels.feature_first)
    per = np.bincount(channels.feature, minlength=features)
    return np.asarray(np.add.reduceat(of_channel, channels.channel_first, axis=1) / (per * features))
