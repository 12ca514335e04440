"""Keys in another partition than murmur2 puts them into: a writer with a foreign partitioner.

A prediction and its truth meet only in one partition. Where both are written by the same foreign partitioner they
still do; where only one is, they never can, and both are counted on (orphans, never labelled). So rows are counted a
topic; what to make of it is for who sees both numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from driftloop.schemas.murmur2 import partition_of, partitions_of
from numpy.typing import NDArray

FEW = 24
"""Up to so many keys a loop over them is faster than numpy."""


class Placement:
    """Keys of one partition, gathered until the rows are folded; those of all models are looked at together."""

    def __init__(self, partition: int, partitions: int) -> None:
        self.partition, self.partitions = partition, partitions
        self._keys: tuple[list[bytes], list[bytes]] = ([], [])
        self._spans: tuple[list[tuple[str, int]], list[tuple[str, int]]] = ([], [])
        self._looked_at: dict[tuple[int, str], list[NDArray[np.bool_]]] = {}
        self._any = [False, False]

    def gather(self, source: int, model: str, keys: Sequence[bytes]) -> None:
        self._keys[source].extend(keys)
        self._spans[source].append((model, len(keys)))

    def misplaced(self, source: int, models: Sequence[str]) -> NDArray[np.bool_] | None:
        """Of the keys of these models gathered since they were last asked for, model by model, in their order:
        bool[n]. None where none is."""
        if self._spans[source]:
            self._look_at(source)
        parts = [part for model in models for part in self._looked_at.pop((source, model), ())]
        found = np.concatenate([np.zeros(0, bool), *parts]) if self._any[source] else None
        self._any[source] &= any(of == source for of, _ in self._looked_at)
        return found

    def _look_at(self, source: int) -> None:
        keys, spans = self._keys[source], self._spans[source]
        if len(keys) <= FEW:
            found = np.fromiter((partition_of(k, self.partitions) != self.partition for k in keys), bool, len(keys))
        else:
            found = partitions_of(keys, self.partitions) != self.partition
        self._any[source] |= bool(found.any())
        first = 0
        for model, count in spans:
            self._looked_at.setdefault((source, model), []).append(found[first : first + count])
            first += count
        keys.clear()
        spans.clear()
