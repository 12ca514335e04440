"""Numeric features watched as one vector too: how they vary together, which none of them shows by itself.

    component = (rank of the value among the feature's own edges, between them in proportion, in -1 to 1) * sqrt 3

So each has mean 0 and variance 1 where its edges are quantiles of the reference, and no outlier or unit outweighs
another feature. A missing value stands in the middle, where it tells least: that it is missing is the feature's own
matter, as is what lies beyond its last edge. A feature of fewer than two edges stands there always.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from driftloop.schemas.baseline.basis import Basis
from numpy.typing import NDArray

if TYPE_CHECKING:
    from driftloop.schemas.monitor.specification import Feature

NAME = "numeric features"
"""By which panes, windows and alarms call the vector."""
MEMBERS_MOST = 256
_MOST = math.sqrt(3.0)


@dataclass(frozen=True, slots=True)
class Together:
    """``features``: names, in the order of the vector. ``edges`` and ``basis``: as of an embedding, None until a
    reference has been built."""

    features: tuple[str, ...]
    edges: tuple[float, ...] | None = None
    basis: Basis | None = None

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Together:
        edges, basis = found.get("edges"), found.get("basis")
        return cls(
            tuple(found["features"]),
            None if edges is None else tuple(map(float, edges)),
            None if basis is None else Basis.from_json(basis),
        )


def vectors_of(members: Sequence[Feature], columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float32]:
    """f4[n, width] of f8[n] a member, NaN: missing. A row's vector depends on nothing but the row."""
    found = np.zeros((len(columns[0]), len(members)), np.float32)
    for j, (feature, values) in enumerate(zip(members, columns, strict=True)):
        edges = feature.edges or ()
        if len(edges) > 1:
            ranks = np.interp(values, edges, np.linspace(-_MOST, _MOST, len(edges)))
            found[:, j] = np.where(np.isnan(values), 0.0, ranks)
    return found
