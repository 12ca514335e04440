"""What a reference says of vectors: the basis they are projected on, bins of their norm, their baseline sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from driftloop.schemas.baseline.basis import Basis, learn_basis
from driftloop.schemas.baseline.projection import Projection, named, norm_codes
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]
EdgesOf = Callable[[NDArray[np.float64]], tuple[float, ...]]


def learn_bases(
    spec: MonitorSpecification, columns: Columns, edges_of: EdgesOf
) -> tuple[dict[str, tuple[float, ...]], dict[str, Basis]]:
    """(edges of the norm, basis) by name, of vectors that have none yet and a row at all. The bins of the numeric
    features must be known."""
    edges, bases = {}, {}
    for f in spec.vectors:
        if f.basis is not None:
            continue
        vectors = _vectors(spec, f, columns)
        if (basis := learn_basis(vectors)) is not None:
            bases[f.name] = basis
            edges[f.name] = edges_of(Projection(f.width, basis).project(vectors).norms)
    return edges, bases


def count_vectors(
    spec: MonitorSpecification, columns: Columns
) -> tuple[dict[str, tuple[int, ...]], dict[str, float]]:
    """(counts of the norm's bins by feature, sums by <which>:<feature>:<number>) as panes have them."""
    counts: dict[str, tuple[int, ...]] = {}
    sums: dict[str, float] = {}
    for f in spec.vectors:
        if f.basis is not None and f.edges is not None:
            projection = Projection(f.width, f.basis)
            projected = projection.project(_vectors(spec, f, columns))
            codes = norm_codes(projected.norms, f.edges)
            counts[f.name] = tuple(np.bincount(codes, minlength=f.bins).tolist())
            sums |= named(f.name, projection.all_sums(projected))
    return counts, sums


def _vectors(spec: MonitorSpecification, feature: Feature, columns: Columns) -> NDArray[np.float32]:
    return columns[feature.name] if feature.field else spec.vectors_together(columns)
