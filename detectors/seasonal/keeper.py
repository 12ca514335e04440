"""The threshold that keeps the budget: quiet lowers it, an incident that resolved by itself raises it.

    A = max(A_least, H · e^c)     c ← c - step · share / H a period      c ← c + step · max(1, k / (4 · share))²

H periods per allowed incident; k: self-resolved incidents, forgotten over four budgets. While c is below its most,
the self-resolved incidents of n periods are at most share · n / H plus a constant, for **any** noise: each adds at
least ``step`` to c, and c falls by step · share / H a period.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles
from numpy.typing import NDArray

STEP = 0.5
SHARE = 0.8
"""Of the budget that is aimed at."""
LOWEST, HIGHEST = -2.5, 30.0
LEAST_PERIODS = 15.0
"""A_least. At 50 rows an hour 20 costs power (of mixes shifted by 5 points .65 are found within a day, at 12 .83),
and 12 costs false incidents (.65 a week, not .3); where rows are plenty a quiet week's evidence stays below 8."""
BLIND = 4.0
"""c from which the stream is told to move too much by itself: e⁴ = 55 times the threshold of a quiet one."""
MEMORY_BUDGETS = 4.0


class Keeper(NamedTuple):
    """``c`` and ``k``, [M] each."""

    c: Doubles
    k: Doubles


def threshold(keeper: Keeper, budget: float) -> Doubles:
    """A, in periods, [M]."""
    return np.maximum(LEAST_PERIODS, budget * np.exp(keeper.c))


def age(keeper: Keeper, budget: float, judged: NDArray[np.bool_]) -> Keeper:
    """A period has been judged."""
    lowest = max(LOWEST, float(np.log(LEAST_PERIODS / budget)))
    c = np.maximum(lowest, keeper.c - STEP * SHARE / budget)
    k = keeper.k * np.exp(-1 / (MEMORY_BUDGETS * budget))
    return Keeper(np.where(judged, c, keeper.c), np.where(judged, k, keeper.k))


def pay(keeper: Keeper, resolved: NDArray[np.bool_]) -> Keeper:
    """An incident went away by itself: it counts as false."""
    k = keeper.k + resolved
    step = STEP * np.maximum(1.0, k / (MEMORY_BUDGETS * SHARE)) ** 2
    return Keeper(np.where(resolved, np.minimum(HIGHEST, keeper.c + step), keeper.c), k)
