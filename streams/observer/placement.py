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
    """Keys of one model and partition, gathered until the rows are folded; looked at all together."""

    def __init__(self, partition: int, partitions: int) -> None:
        self.partition, self.partitions = partition, partitions
        self._keys: tuple[list[bytes], list[bytes]] = ([], [])

    def gather(self, source: int, keys: Sequence[bytes]) -> None:
        self._keys[source].extend(keys)

    def misplaced(self, source: int) -> NDArray[np.bool_]:
        """Of the keys gathered since the last call, in their order: bool[n]."""
        keys = self._keys[source]
        if len(keys) <= FEW:
            found = np.fromiter((partition_of(k, self.partitions) != self.partition for k in keys), bool, len(keys))
        else:
            found = partitions_of(keys, self.partitions) != self.partition
        keys.clear()
        return found
