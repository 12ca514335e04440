"""Sums of embeddings in the panes of predictions, added up in whole numbers: what projection.py has of them.

As Fourier sums they stand for the distribution of the vectors (detectors/rff_mmd.py), as moments for how their
whitened projection varies together (detectors/whitened_covariance.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

import numpy as np
from driftloop.detectors.rff_mmd import Fourier
from driftloop.detectors.whitened_covariance import Moments
from driftloop.schemas.baseline.projection import FREQUENCIES, Projection, named
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import Pane
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from numpy.typing import NDArray

Whole = NDArray[np.int64]
SUM_MOST = 2.0**52
"""Units; projection.py bounds its sums below it."""


class VectorLayout:
    """Where the sums of each embedding that has a basis lie in one flat array."""

    def __init__(self, specification: MonitorSpecification | None = None) -> None:
        embeddings = specification.vectors if specification is not None else ()
        self.features = tuple(f for f in embeddings if f.basis is not None)
        units = [named(f.name, Projection(f.width, f.basis).units) for f in self.features if f.basis is not None]
        self._units = {name: unit for own in units for name, unit in own.items()}
        ends = [0, *accumulate(map(len, units))]
        self._at = {f.name: slice(*ends[i : i + 2]) for i, f in enumerate(self.features)}

    def __len__(self) -> int:
        return len(self._units)

    def whole(self, sums: Mapping[str, float]) -> Whole:
        """Of a pane or a reference, in units; what it does not have is 0."""
        return np.array([round(sums.get(name, 0.0) / unit) for name, unit in self._units.items()], np.int64)

    def check(self, pane: Pane) -> None:
        """Errors: BadRecord ``wrong-sums``: no vectors have such sums."""
        for name, unit in self._units.items():
            if abs(pane.sums.get(name, 0.0)) > SUM_MOST * unit:
                raise BadRecord("wrong-sums", f"a pane of {pane.model} has {name} = {pane.sums[name]}")

    def parts(self, feature: Feature, whole: Whole, rows: int) -> tuple[Fourier, Moments]:
        """Both of an embedding, of so many rows that have it."""
        units = np.array(list(self._units.values()))[self._at[feature.name]]
        sums = whole[self._at[feature.name]] * units
        k = min(len(feature.basis.mean), feature.width) if feature.basis is not None else 0
        first, upper = sums[2 * FREQUENCIES : 2 * FREQUENCIES + k], sums[2 * FREQUENCIES + k :]
        second = np.zeros((k, k))
        second[np.triu_indices(k)] = upper
        second += np.triu(second, 1).T
        return Fourier(rows, sums[:FREQUENCIES], sums[FREQUENCIES : 2 * FREQUENCIES]), Moments(rows, first, second)
