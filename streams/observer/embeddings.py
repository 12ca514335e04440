"""Embeddings in the panes of predictions: norms, and the sums of schemas/projection.py.

Until a reference has found a basis only missing and broken vectors are counted. A vector that is not finite
throughout is missing; if it is not NaN throughout it is broken besides, for no SDK of ours writes one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from driftloop.schemas.projection import ROWS_AT_ONCE, Projection, named
from driftloop.schemas.specification import MonitorSpecification
from numpy.typing import NDArray

if TYPE_CHECKING:
    from driftloop.streams.observer.sketch import Layout

Codes = NDArray[np.int64]
Vectors = NDArray[np.float32]


def blocks_of(spec: MonitorSpecification) -> list[tuple[str, int, bool]]:
    """The blocks of a prediction's columns that embeddings have."""
    found = []
    for f in spec.embeddings:
        found.append((f"feature:{f.name}", f.bins, False) if f.bins else (f"missing:{f.name}", 1, True))
        found.append((f"broken:{f.name}", 1, True))
    return found


class EmbeddingSketch:
    """The embeddings of one specification. ``units`` of the sums by name, <which>:<embedding>:<number>."""

    def __init__(self, spec: MonitorSpecification, layout: Layout) -> None:
        self._features, self._layout = spec.embeddings, layout
        ends = np.cumsum([0, *(f.width for f in spec.embeddings)]).tolist()
        self._places = [slice(start, end) for start, end in pairwise(ends)]
        self._projections = [Projection(f.width, f.basis) if f.basis else None for f in spec.embeddings]
        self.units: dict[str, float] = {}
        for f, projection in zip(spec.embeddings, self._projections, strict=True):
            self.units |= named(f.name, projection.units) if projection else {}

    def __len__(self) -> int:
        return len(self._features)

    def columns(self, vectors: Vectors) -> Codes:
        """int64[n, 2 E]: what each row raises by one, of each embedding its norm (or that it is missing), and broken
        or the sink."""
        at, sink = self._layout.at, self._layout.sink
        found = np.empty((len(vectors), 2 * len(self)), np.int64)
        for e, (f, place, projection) in enumerate(zip(self._features, self._places, self._projections, strict=True)):
            some = vectors[:, place]
            whole = np.isfinite(some).all(axis=1)
            if projection is not None and f.edges is not None:
                found[:, 2 * e] = at[f"feature:{f.name}"] + projection.norm_codes(some, f.edges)
            else:
                found[:, 2 * e] = np.where(whole, sink, at[f"missing:{f.name}"])
            broken = ~whole & ~np.isnan(some).all(axis=1)
            found[:, 2 * e + 1] = np.where(broken, at[f"broken:{f.name}"], sink)
        return found

    def group_sums(self, vectors: Vectors) -> Callable[[Codes, int], Codes] | None:
        """For Table.add; None where there is nothing to sum."""
        if not self.units:
            return None

        def summed(which: Codes, groups: int) -> Codes:
            order = np.argsort(which, kind="stable")
            ends = np.searchsorted(which[order], np.arange(groups), side="right").tolist()
            total = np.zeros((groups, len(self.units)), np.int64)
            start = 0
            for group, end in enumerate(ends):
                for at in range(start, end, ROWS_AT_ONCE):
                    total[group] += self._sums(vectors[order[at : min(end, at + ROWS_AT_ONCE)]])
                start = end
            return total

        return summed

    def told(self, sums: tuple[int, ...]) -> dict[str, float]:
        """The sums of a pane by name."""
        return {name: n * unit for (name, unit), n in zip(self.units.items(), sums, strict=True)}

    def _sums(self, vectors: Vectors) -> Codes:
        parts = []
        for projection, place in zip(self._projections, self._places, strict=True):
            if projection is not None:
                some = vectors[:, place]
                steps = projection.steps(some[np.isfinite(some).all(axis=1)])
                parts.append(projection.sums(*projection.coordinates(steps)))
        return np.concatenate(parts)
