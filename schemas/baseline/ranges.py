"""The range of a number, learned from its reference: beyond it lies what neither season nor heavy tail explains.

    q(p)   quantile of the finite values,  m = q(.5),  W = q(.999) - q(.001)
    r      how the upper tail goes on: (q(.999) - m) / (q(.9) - m), at most 10   (normal 2.4, t3 6, lognormal 8)
    high   q(.999) + max(W, r (q(.999) - m))        low: the same of -x, or
    low    0 where the values pile up above it: 0 <= q(.001) <= m / 20, and the upper tail twice as long as the lower

A new maximum now and then is no error: the range is that of the bulk (one wind of 1,048 mph in the reference does not
widen it), and a share of rows must lie beyond (streams/judge/quality/quality.py). A reference of winter must not call
July an error, hence W on either side. What keeps growing (a date, an id) has no range: that of the reference's first
third, in time, must hold for the rest. Nor has a constant: drift sees any change of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Range = tuple[float, float]
TAIL = 0.001
"""Left out at either end: half of what breaks the rule."""
GROWTH_MOST = 10.0
"""Rain is nothing but tail: .17 inches an hour is its q(.999) of two winter months, 1.21 the most of the year."""
NATURAL_ZERO = 0.05
TAILS_APART = 2.0
ROWS_LEAST = 100
"""Finite values: fewer say nothing about a range."""
BEYOND_MOST = 0.002
"""Of the last two thirds; beside it the 16 rows that four standard errors leave possible where none was seen."""


def learn_range(values: NDArray[np.float64]) -> Range | None:
    """(low, high), both allowed, of n values in the order of time; NaN is missing. None: there is none to tell.

    >>> days = np.arange(1001.0)
    >>> low, high = learn_range(np.sin(days)) or (0.0, 0.0)
    >>> round(low, 1), round(high, 1), learn_range(days)
    (-3.0, 3.0, None)
    """
    finite = values[np.isfinite(values)]
    third = len(finite) // 3
    if len(finite) < ROWS_LEAST:
        return None
    first, rest = _range(finite[:third]), finite[third:]
    if first is None or np.mean((rest < first[0]) | (rest > first[1])) > BEYOND_MOST + 16 / third:
        return None
    return _range(finite)


def with_ends(edges: Iterable[float], *ranges: Range | None) -> tuple[float, ...]:
    """Bin edges with those of ranges among them, so that what lies outside has bins of its own.

    >>> with_ends((1.0, 2.0), (0.0, 2.0), None)
    (0.0, 1.0, 2.0, 2.0000000000000004)
    """
    known = [found for found in ranges if found is not None]
    return tuple(sorted({*edges, *(low for low, _ in known), *(math.nextafter(high, math.inf) for _, high in known)}))


def _range(finite: NDArray[np.float64]) -> Range | None:
    with np.errstate(over="ignore", invalid="ignore"):  # values near 1.8e308
        low, high = -_end(-finite), _end(finite)
    return (low + 0.0, high + 0.0) if low < high < math.inf and low > -math.inf else None  # + 0.0: never -0.0


def _end(values: NDArray[np.float64]) -> float:
    """The upper one; NaN: a constant."""
    least, middle, upper, most = np.quantile(values, [TAIL, 0.5, 0.9, 1 - TAIL]).tolist()
    if least == most:
        least, most = float(values.min()), float(values.max())
    if least == most:
        return math.nan
    tail = most - middle
    if 0 <= -most <= -NATURAL_ZERO * middle and middle - least >= TAILS_APART * tail:
        return 0.0  # of what is never positive, as -x of a price
    growth = min(GROWTH_MOST, tail / (upper - middle)) if upper > middle else GROWTH_MOST
    return float(most + max(most - least, growth * tail))
