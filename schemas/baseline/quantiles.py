"""Bin edges of numbers: quantiles, so that the bins of a histogram fill evenly."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

NUMERIC_BINS = 16
"""Quantile bins of a numeric feature: 16 were enough for every shift we measured (notes/detectors.md, section 3)."""


def numeric_edges(values: NDArray[np.float64]) -> tuple[float, ...]:
    """At most 15 inner edges, so that the finite values fill the bins evenly.

    Few distinct values: one bin each, cut halfway. A single one: a bin of its own between two others, so that any
    change is seen. None at all: no edges.
    """
    finite = values[np.isfinite(values)]
    distinct = np.unique(finite)
    if len(distinct) == 0:
        return ()
    if len(distinct) == 1:
        only = float(distinct[0])
        return (only, math.nextafter(only, math.inf))
    if len(distinct) <= NUMERIC_BINS:
        halfway = distinct[:-1] / 2 + distinct[1:] / 2
        return _ascending(np.where(halfway > distinct[:-1], halfway, distinct[1:]))
    with np.errstate(over="ignore", invalid="ignore"):  # values near 1.8e308
        return _ascending(np.quantile(finite, np.arange(1, NUMERIC_BINS) / NUMERIC_BINS))


def _ascending(edges: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.unique(edges[np.isfinite(edges)]).tolist())
