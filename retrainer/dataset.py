"""The training set: labelled rows in one order, sampled the same way every time, with one hash.

Rows are ordered by (event time, partition, offset). The sample takes the ``rows_most`` rows with the smallest hash of
(seed, prediction id): uniform, the same after a restart, and nearly the same when the log has grown by a few rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from driftloop.schemas.events import DatasetVersion, OffsetRange

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a trainer is given; every array has one entry a row, in the order of event time.

    ``columns``: feature name -> float64 (NaN = missing) or object (str | None); of an embedding float32[n, width], a
    row of NaN where it is missing. ``labels``: int8, 1 = classes[1].
    ``event_time`` of the prediction, ``known_at`` of its truth. ``score`` and ``version``: what was predicted, and by
    which version of the model (``version`` indexes ``versions``).
    """

    columns: Mapping[str, Array]
    labels: npt.NDArray[np.int8]
    event_time: npt.NDArray[np.float64]
    known_at: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]
    version: npt.NDArray[np.int32]
    versions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Array) -> Dataset:
        """The rows of a mask or of ascending positions."""
        return Dataset(
            {name: column[rows] for name, column in self.columns.items()},
            self.labels[rows],
            self.event_time[rows],
            self.known_at[rows],
            self.score[rows],
            self.version[rows],
            self.versions,
        )


@dataclass(frozen=True, slots=True)
class Origin:
    """Where each row comes from: partition, offset of the prediction and of its truth, hash of the prediction id."""

    partition: npt.NDArray[np.int32]
    prediction_offset: npt.NDArray[np.int64]
    truth_offset: npt.NDArray[np.int64]
    id_hash: npt.NDArray[np.uint64]

    def take(self, rows: Array) -> Origin:
        return Origin(self.partition[rows], self.prediction_offset[rows], self.truth_offset[rows], self.id_hash[rows])


def order_of(event_time: Array, partition: Array, offset: Array) -> npt.NDArray[np.int64]:
    """Positions that put rows in the one order: event time, partition, offset of the prediction."""
    return np.lexsort((offset, partition, event_time))


def sampled(id_hash: npt.NDArray[np.uint64], rows_most: int, seed: int) -> npt.NDArray[np.int64]:
    """Ascending positions of a uniform sample without replacement of at most ``rows_most`` rows.

    >>> sampled(np.array([7, 8, 9], np.uint64), 2, seed=0).tolist() == sampled(
    ...     np.array([7, 8, 9], np.uint64), 2, seed=0).tolist()
    True
    """
    if len(id_hash) <= rows_most:
        return np.arange(len(id_hash))
    mixed = mix(id_hash, seed)
    chosen = np.argpartition(mixed, rows_most)[:rows_most]
    return np.sort(chosen)


def mix(values: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.uint64]:
    """splitmix64 of (value + seed·γ): a bijection, so that distinct ids never tie (Steele, Lea, Flood 2014)."""
    with np.errstate(over="ignore"):
        z = values + np.uint64(((seed + 1) * 0x9E3779B97F4A7C15) % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: npt.NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed


def version_of(dataset: Dataset, origin: Origin) -> DatasetVersion:
    """Hash and offsets of exactly these rows."""
    ranges = [
        *ranges_of("predictions", origin.partition, origin.prediction_offset),
        *ranges_of("ground-truth", origin.partition, origin.truth_offset),
    ]
    return DatasetVersion(
        rows=len(dataset),
        sha256=sha256_of(dataset),
        from_time=float(dataset.event_time.min()) if len(dataset) else 0.0,
        to_time=float(dataset.known_at.max()) if len(dataset) else 0.0,
        offsets=tuple(ranges),
    )


def ranges_of(topic: str, partition: npt.NDArray[np.int32], offset: npt.NDArray[np.int64]) -> list[OffsetRange]:
    """First and last offset used of each partition."""
    found = []
    for p in np.unique(partition).tolist():
        of_p = offset[partition == p]
        found.append(OffsetRange(topic, p, int(of_p.min()), int(of_p.max())))
    return found


def sha256_of(dataset: Dataset) -> str:
    """Canonical hash of the rows in their order: each column's name, kind, and little-endian values.

    NaN has one form; text is its length and its UTF-8, a missing one is the length -1. Offsets are not in it: the
    same rows in another log are the same data.
    """
    digest = hashlib.sha256(b"driftloop dataset 1\n")
    for name, column in dataset.columns.items():
        _add(digest, "feature " + name, column)
    _add(digest, "label", dataset.labels)
    _add(digest, "event_time", dataset.event_time)
    _add(digest, "known_at", dataset.known_at)
    return digest.hexdigest()


def _add(digest: Any, name: str, column: Array) -> None:
    kind = "text" if column.dtype == object else column.dtype.kind
    digest.update(f"{name}\n{kind} {'x'.join(map(str, column.shape))}\n".encode())
    digest.update(_text_bytes(column) if kind == "text" else _number_bytes(column))


def _number_bytes(column: Array) -> bytes:
    if column.dtype.kind == "f":
        column = np.where(np.isnan(column), np.nan, column)  # one bit pattern
    return column.astype(column.dtype.newbyteorder("<"), copy=False).tobytes()


def _text_bytes(column: Sequence[str | None] | Array) -> bytes:
    encoded = [None if text is None else text.encode() for text in column]
    lengths = np.array([-1 if text is None else len(text) for text in encoded], "<i4")
    return lengths.tobytes() + b"".join(text for text in encoded if text)
