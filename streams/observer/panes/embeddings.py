"""Embeddings in the panes of predictions: norms, and the sums of schemas/baseline/projection.py.

Until a reference has found a basis only missing and broken vectors are counted. A vector that is not finite
throughout is missing; if it is not NaN throughout it is broken besides, for no SDK of ours writes one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from driftloop.schemas.baseline.projection import ROWS_AT_ONCE, Projected, Projection, named, norm_codes
from driftloop.schemas.monitor.specification import MonitorSpecification
from numpy.typing import NDArray

if TYPE_CHECKING:
    from driftloop.streams.observer.panes.sketch import Layout

Codes = NDArray[np.int64]
Vectors = NDArray[np.float32]


def blocks_of(spec: MonitorSpecification) -> list[tuple[str, int, bool]]:
    """The blocks of a prediction's columns that embeddings have."""
    found = []
    for f in spec.vectors:
        found.append((f"feature:{f.name}", f.bins, False) if f.bins else (f"missing:{f.name}", 1, True))
        found.append((f"broken:{f.name}", 1, True))
    return found


class EmbeddingSketch:
    """The embeddings of one specification. ``units`` of the sums by name, <which>:<embedding>:<number>."""

    def __init__(self, spec: MonitorSpecification, layout: Layout) -> None:
        self._features, self._layout = spec.vectors, layout
        ends = np.cumsum([0, *(f.width for f in spec.vectors)]).tolist()
        self._places = [slice(start, end) for start, end in pairwise(ends)]
        self._projections = [Projection(f.width, f.basis) if f.basis else None for f in spec.vectors]
        self.units: dict[str, float] = {}
        for f, projection in zip(spec.vectors, self._projections, strict=True):
            self.units |= named(f.name, projection.units) if projection else {}

    def __len__(self) -> int:
        return len(self._features)

    def project(self, vectors: Vectors) -> list[Projected]:
        """Of n rows, each embedding that has a basis; empty before."""
        both = zip(self._places, self._projections, strict=True)
        return [projection.project(vectors[:, place]) for place, projection in both if projection is not None]

    def columns(self, vectors: Vectors, projected: list[Projected]) -> Codes:
        """int64[n, 2 E]: what each row raises by one, of each embedding its norm (or that it is missing), and broken
        or the sink."""
        at, sink, rest = self._layout.at, self._layout.sink, iter(projected)
        found = np.empty((len(vectors), 2 * len(self)), np.int64)
        for e, (f, place, projection) in enumerate(zip(self._features, self._places, self._projections, strict=True)):
            some = vectors[:, place]
            if projection is not None and f.edges is not None:
                norms = next(rest).norms
                missing = np.isnan(norms)
                found[:, 2 * e] = at[f"feature:{f.name}"] + norm_codes(norms, f.edges)
            else:
                missing = np.logical_not(np.isfinite(some).all(axis=1))
                found[:, 2 * e] = np.where(missing, at[f"missing:{f.name}"], sink)
            found[:, 2 * e + 1] = sink
            if missing.any():
                gone = np.flatnonzero(missing)
                found[gone[~np.isnan(some[gone]).all(axis=1)], 2 * e + 1] = at[f"broken:{f.name}"]
        return found

    def group_sums(self, projected: list[Projected]) -> Callable[[Codes, int], Codes] | None:
        """For Table.add; None where there is nothing to sum."""
        if not projected:
            return None

        def summed(which: Codes, groups: int) -> Codes:
            order = np.argsort(which, kind="stable")
            ends = np.searchsorted(which[order], np.arange(groups), side="right").tolist()
            total = np.zeros((groups, len(self.units)), np.int64)
            start = 0
            for group, end in enumerate(ends):
                for at in range(start, end, ROWS_AT_ONCE):
                    total[group] += self._sums(projected, order[at : min(end, at + ROWS_AT_ONCE)])
                start = end
            return total

        return summed

    def _sums(self, projected: list[Projected], rows: Codes) -> Codes:
        parts = []
        for projection, (norms, phase, z) in zip(filter(None, self._projections), projected, strict=True):
            there = rows[~np.isnan(norms[rows])]
            parts.append(projection.sums(phase[there], z[there]))
        return np.concatenate(parts)

    def told(self, sums: tuple[int, ...]) -> dict[str, float]:
        """The sums of a pane by name."""
        return {name: n * unit for (name, unit), n in zip(self.units.items(), sums, strict=True)}
