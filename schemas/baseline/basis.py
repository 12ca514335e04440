"""What the vectors of a feature are projected on: learned from the reference, part of the specification.

Only a handful of numbers: the directions themselves come from a seed (projection.py), for those of a PCA would make a
specification of megabytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WHITENED_MOST = 16
"""Dimensions of the whitened projection."""
SAMPLE_ROWS_MOST = 2_000
PAIRS_OF_MOST = 500
"""The median distance is that of all pairs of so many vectors."""
_RIDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Basis:
    """``scale``: root mean square of a component. ``bandwidth`` of the Gaussian kernel exp(-d^2 / 2 bandwidth^2): the
    median distance of two vectors. ``mean`` and ``whitening`` (k and k x k) of the seeded projection of the vectors,
    each divided by ``scale``, on k = min(16, width) dimensions: z = whitening @ (projection - its mean) has mean 0
    and covariance 1 in the reference, and ``mean`` is whitening @ its mean."""

    scale: float
    bandwidth: float
    mean: tuple[float, ...]
    whitening: tuple[tuple[float, ...], ...]

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Basis:
        rows = tuple(tuple(float(x) for x in row) for row in found["whitening"])
        return cls(float(found["scale"]), float(found["bandwidth"]), tuple(map(float, found["mean"])), rows)


def seeded(name: str, width: int, columns: int) -> NDArray[np.float64]:
    """Standard normal f8[width, columns], the same for ever: RandomState's streams are frozen by numpy."""
    from zlib import crc32

    found = np.random.RandomState(crc32(f"{name} {width}".encode())).standard_normal((width, columns))
    return np.asarray(found)


def directions(width: int) -> NDArray[np.float64]:
    """f8[width, k]: the random directions on which vectors are projected."""
    return np.asarray(seeded("directions", width, min(WHITENED_MOST, width)) / np.sqrt(width))


def learn_basis(vectors: NDArray[np.float32]) -> Basis | None:
    """The basis of f4[n, width]; rows that are not finite do not count. None without a row.

    At most 2,000 rows, evenly spaced, are looked at. Where all vectors are alike, scale and bandwidth are small but
    above zero, and a ridge keeps the whitening finite.
    """
    finite = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    if not len(finite):
        return None
    sample = vectors[finite[:: -(-len(finite) // SAMPLE_ROWS_MOST)]].astype(np.float64)
    scale = float(np.sqrt(np.mean(sample**2))) or 1.0
    sample /= scale
    bandwidth = max(_median_distance(sample[:: -(-len(sample) // PAIRS_OF_MOST)]), 1e-3)
    projected = sample @ directions(vectors.shape[1])
    middle = projected.mean(axis=0)
    centred = projected - middle
    values, axes = np.linalg.eigh(centred.T @ centred / len(sample))
    ridge = _RIDGE * float(values.mean()) + 1e-12
    whitening = (axes / np.sqrt(np.maximum(values, 0.0) + ridge)) @ axes.T
    rows = tuple(tuple(row) for row in whitening.tolist())
    return Basis(scale, scale * bandwidth, tuple((whitening @ middle).tolist()), rows)


def _median_distance(sample: NDArray[np.float64]) -> float:
    """Of all pairs; 0 where there is none."""
    first, second = np.triu_indices(len(sample), 1)
    if not len(first):
        return 0.0
    squares = (sample**2).sum(axis=1)
    found = squares[:, None] + squares - 2 * sample @ sample.T
    return float(np.sqrt(max(0.0, np.median(found[first, second]))))
