"""How far many features of one window are from their references: the distances of distances.py, to the bit, for all
of them at once.

A window's dozen histograms hold some 20 bins each, so numpy's time is all in its calls, not in its numbers. Here the
histograms lie side by side in one array, and a step of a formula is one call for all bins; only scalar products of
one feature, whose order of summation is part of the answer, are a call each. All distances of 13 features take a
quarter of the time that they take one by one (tests/detectors/test_distances.py holds them to be equal).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise

import numpy as np
from driftloop.detectors.distances import HALF, entropy, normal_scores
from driftloop.detectors.packing import Doubles
from numpy.typing import NDArray

REFERENCES_KEPT_MOST = 64
Histogram = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """Of F features with B bins in all, known by identity. ``counts``, ``shares``, ``smoothed``: f8[B]; ``starts``,
    ``sizes``: of each feature's bins; ``places``: from, to of them; ``rows``, ``entropies``: of each feature."""

    histograms: tuple[Histogram, ...]
    counts: Doubles
    starts: NDArray[np.intp]
    sizes: NDArray[np.intp]
    places: tuple[tuple[int, int], ...]
    rows: tuple[float, ...]
    shares: Doubles
    smoothed: Doubles
    entropies: tuple[float, ...]
    _scores: dict[int, Doubles] = field(default_factory=dict)

    def scores(self, feature: int) -> Doubles:
        """What the bins of a numeric feature stand for, found once: to look them up by hundreds of counts takes as
        long as to use them."""
        found = self._scores.get(feature)
        if found is None:
            found = self._scores[feature] = normal_scores(self.histograms[feature][:-1])
        return found


@lru_cache(REFERENCES_KEPT_MOST)
def references(histograms: tuple[Histogram, ...]) -> References:
    """What follows from the references alone, made once."""
    sides = [np.array(histogram, np.float64) for histogram in histograms]
    rows = tuple(float(side.sum()) for side in sides)
    sizes = np.array([len(side) for side in sides], np.intp)
    shares = [side / n if n else side for side, n in zip(sides, rows, strict=True)]
    smoothed = [(side + HALF) / (side + HALF).sum() for side in sides]
    return References(
        histograms,
        np.concatenate(sides),
        np.cumsum(sizes) - sizes,
        sizes,
        tuple(_places(sizes)),
        rows,
        np.concatenate(shares),
        np.concatenate(smoothed),
        tuple(entropy(own) for own in shares),
    )


class SideBySide:
    """The histograms of one window, each with rows, beside the references of the same features.

    >>> found = SideBySide([np.array([30, 70]), np.array([1, 0])], references(((50, 50), (0, 1))))
    >>> [round(value, 4) for value in found.psi], [round(value, 4) for value in found.jensen_shannon]
    ([0.1659, 1.0986], [0.0303, 1.0])
    """

    def __init__(self, current: Sequence[NDArray[np.int64]], known: References) -> None:
        self.known = known
        self.counts = np.concatenate(current).astype(np.float64)
        self.rows: Doubles = np.add.reduceat(self.counts, known.starts)
        self._shares = self.counts / self.rows.repeat(known.sizes)
        self._seen = (self.counts + known.counts) > 0
        self._used = _lengths(self._seen, known.starts)

    @cached_property
    def psi(self) -> list[float]:
        """Where nobody has been, on neither side, half a count of few rows would tell: such bins are left out."""
        starts, sizes = self._used.cumsum() - self._used, self._used
        p, q = (_smoothed(side[self._seen], starts, sizes) for side in (self.counts, self.known.counts))
        return _sums((p - q) * np.log(p / q), starts, sizes)

    @cached_property
    def jensen_shannon(self) -> list[float]:
        middle = _entropies((self._shares + self.known.shares) / 2, self.known.starts)
        own = _entropies(self._shares, self.known.starts)
        both = (m - (p + q) / 2 for m, p, q in zip(middle, own, self.known.entropies, strict=True))
        told = zip(both, self.known.rows, strict=True)
        return [min(1.0, max(0.0, found / math.log(2))) if rows else 0.0 for found, rows in told]

    @cached_property
    def expected_jensen_shannon(self) -> list[float]:
        return [chance / (8 * math.log(2)) for chance in self._chances]

    @cached_property
    def cohens_w(self) -> list[float]:
        known = self.known
        squares = _sums((self._shares - known.smoothed) ** 2 / known.smoothed, known.starts, known.sizes)
        both = zip(squares, self._chances, strict=True)
        return [math.sqrt(max(0.0, found - chance)) for found, chance in both]

    def mean_shift(self, feature: int) -> float:
        """Of one, by its place: it is numeric."""
        start, end = self.known.places[feature]
        present = self.counts[start : end - 1]
        rows = self._present[feature]
        if rows == 0 or len(present) < 2:
            return 0.0
        return float(present.dot(self.known.scores(feature)) / rows)

    @cached_property
    def _present(self) -> list[float]:
        """Rows that are not missing. They are whole numbers: exact in whatever order."""
        ends = self.known.starts + self.known.sizes
        return (self.rows - self.counts[ends - 1]).tolist()  # type: ignore[no-any-return]

    @cached_property
    def _chances(self) -> list[float]:
        """What chance alone explains of the square of a distance: bins in use less one, by the rows of both sides."""
        of_each = zip(self._used.tolist(), self.rows.tolist(), self.known.rows, strict=True)
        return [max(0.0, used - 1.0) * (1.0 / n + 1.0 / rows) if rows else 0.0 for used, n, rows in of_each]


def _lengths(there: NDArray[np.bool_], starts: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.add.reduceat(there, starts, dtype=np.intp)


def _places(sizes: NDArray[np.intp]) -> list[tuple[int, int]]:
    """(start, end) of each stretch of an array."""
    return list(pairwise(accumulate(sizes.tolist(), initial=0)))


def _sums(values: Doubles, starts: NDArray[np.intp], sizes: NDArray[np.intp]) -> list[float]:
    """Of each stretch, as ``values[start:end].sum()`` has it to the bit: that adds to 0, ``reduceat`` to the first of
    a stretch. So a 0 is put in front of each."""
    of_each = np.arange(len(sizes))
    spread = np.zeros(len(values) + len(sizes))
    spread[np.arange(len(values)) + (of_each + 1).repeat(sizes)] = values
    return np.add.reduceat(spread, starts + of_each).tolist()  # type: ignore[no-any-return]


def _smoothed(counts: Doubles, starts: NDArray[np.intp], sizes: NDArray[np.intp]) -> Doubles:
    """The sums are exact, in whatever order: of halves."""
    more = counts + HALF
    return np.asarray(more / np.add.reduceat(more, starts).repeat(sizes))


def _entropies(shares: Doubles, starts: NDArray[np.intp]) -> list[float]:
    there = shares > 0
    some = shares[there]
    logs = np.log(some)
    return [-float(some[a:b].dot(logs[a:b])) for a, b in _places(_lengths(there, starts))]
