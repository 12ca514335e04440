"""Order, sample and hash of a training set: the same rows are the same data, wherever they came from."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import struct

import numpy as np
import pytest
from driftloop.retrainer.dataset import Dataset, Origin, mix, order_of, ranges_of, sampled, sha256_of, version_of
from driftloop.schemas.events import OffsetRange


def texts(*values):
    found = np.empty(len(values), object)
    found[:] = values
    return found


def dataset(**changes) -> Dataset:
    return dataclasses.replace(
        Dataset(
            columns={"x": np.array([1.5, np.nan, -0.0]), "town": texts("Ulm", None, "Åbo")},
            labels=np.array([1, 0, 1], np.int8),
            event_time=np.array([10.0, 20.0, 30.0]),
            known_at=np.array([11.0, 25.0, 31.0]),
            score=np.array([0.1, 0.2, 0.3]),
            version=np.zeros(3, np.int32),
            versions=("v1",),
        ),
        **changes,
    )


def test_the_hash_is_that_of_the_canonical_bytes() -> None:
    nan = math.nan
    expected = hashlib.sha256(
        b"driftloop dataset 1\n"
        b"feature x\nf 3\n" + struct.pack("<3d", 1.5, nan, -0.0) + b"feature town\ntext 3\n"
        + struct.pack("<3i", 3, -1, 4) + b"Ulm" + "Åbo".encode()
        + b"label\ni 3\n" + bytes([1, 0, 1])
        + b"event_time\nf 3\n" + struct.pack("<3d", 10, 20, 30)
        + b"known_at\nf 3\n" + struct.pack("<3d", 11, 25, 31)
    ).hexdigest()  # fmt: skip
    assert sha256_of(dataset()) == expected


def test_every_value_that_a_trainer_sees_is_in_the_hash() -> None:
    known = sha256_of(dataset())
    changes = [
        {"columns": {"x": np.array([1.5, np.nan, 0.1]), "town": texts("Ulm", None, "Åbo")}},
        {"columns": {"x": np.array([1.5, np.nan, -0.0]), "town": texts("Ulm", "", "Åbo")}},
        {"columns": {"x": np.array([1.5, np.nan, -0.0]), "town": texts("UlmÅ", None, "bo")}},
        {"columns": {"y": np.array([1.5, np.nan, -0.0]), "town": texts("Ulm", None, "Åbo")}},
        {"labels": np.array([1, 1, 1], np.int8)},
        {"event_time": np.array([10.0, 20.0, 30.5])},
    ]
    assert len({known, *(sha256_of(dataset(**change)) for change in changes)}) == len(changes) + 1


def test_a_nan_is_a_nan_whatever_its_bits() -> None:
    odd = np.array([0x7FF8000000000123], np.uint64).view(np.float64)[0]
    other = dataset(columns={"x": np.array([1.5, odd, -0.0]), "town": texts("Ulm", None, "Åbo")})
    assert sha256_of(other) == sha256_of(dataset())


def test_rows_are_in_order_of_time_then_partition_then_offset() -> None:
    time = np.array([5.0, 5.0, 5.0, 1.0])
    partition, offset = np.array([1, 0, 1, 3]), np.array([7, 9, 2, 0])
    assert order_of(time, partition, offset).tolist() == [3, 1, 2, 0]


def test_the_sample_is_uniform_and_the_same_after_a_restart() -> None:
    ids = np.random.default_rng(3).integers(0, 2**63, 20_000, dtype=np.uint64)
    rows = sampled(ids, 5_000, seed=1)
    assert len(rows) == len(set(rows.tolist())) == 5_000
    assert np.all(np.diff(rows) > 0)
    assert np.array_equal(rows, sampled(ids, 5_000, seed=1))
    assert not np.array_equal(rows, sampled(ids, 5_000, seed=2))
    quarters = np.histogram(rows, bins=4, range=(0, 20_000))[0]
    assert np.all(abs(quarters - 1250) < 4 * math.sqrt(5_000 * 0.25 * 0.75))


def test_the_sample_depends_on_the_ids_alone_not_on_their_order() -> None:
    ids = np.random.default_rng(4).integers(0, 2**63, 1_000, dtype=np.uint64)
    shuffled = np.random.default_rng(5).permutation(ids)
    assert set(ids[sampled(ids, 100, 7)]) == set(shuffled[sampled(shuffled, 100, 7)])
    # A few rows more push out a few: a repeat on a log that has grown keeps nearly all.
    grown = np.concatenate([ids, np.arange(10, dtype=np.uint64)])
    assert len(set(ids[sampled(ids, 100, 7)]) & set(grown[sampled(grown, 100, 7)])) >= 95


def test_few_rows_are_all_taken() -> None:
    assert sampled(np.arange(3, dtype=np.uint64), 3, 1).tolist() == [0, 1, 2]
    assert sampled(np.empty(0, np.uint64), 3, 1).tolist() == []


def test_mix_is_splitmix64() -> None:
    """Reference values of the published generator, whose state after one step from 0 is γ."""
    assert mix(np.array([0], np.uint64), seed=0).tolist() == [0xE220A8397B1DCDAF]
    assert mix(np.array([0], np.uint64), seed=1).tolist() == [0x6E789E6AA1B965F4]


def test_a_version_tells_the_offsets_used_and_the_span_of_what_was_known() -> None:
    origin = Origin(
        np.array([0, 2, 0], np.int32), np.array([5, 8, 9]), np.array([6, 1, 4]), np.arange(3, dtype=np.uint64)
    )
    version = version_of(dataset(), origin)
    assert (version.rows, version.from_time, version.to_time) == (3, 10.0, 31.0)
    assert version.offsets == (
        OffsetRange("predictions", 0, 5, 9),
        OffsetRange("predictions", 2, 8, 8),
        OffsetRange("ground-truth", 0, 4, 6),
        OffsetRange("ground-truth", 2, 1, 1),
    )
    assert ranges_of("predictions", np.empty(0, np.int32), np.empty(0, np.int64)) == []


def test_taking_rows_takes_them_from_everything() -> None:
    taken = dataset().take(np.array([2]))
    assert taken.columns["town"].tolist() == ["Åbo"]
    assert (taken.labels.tolist(), taken.event_time.tolist(), taken.known_at.tolist()) == ([1], [30.0], [31.0])
    assert (taken.score.tolist(), taken.versions) == ([0.3], ("v1",))
    with pytest.raises(dataclasses.FrozenInstanceError):
        taken.labels = taken.labels  # type: ignore[misc]
