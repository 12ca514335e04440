"""Labelled rows out of records, against a plain dictionary, in any batches."""

from __future__ import annotations

import random

import numpy as np
import pytest
from driftloop.retrainer.dataset import sha256_of
from driftloop.retrainer.joining import Columns, Records
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.codec import encode
from driftloop.schemas.events import GroundTruth, TimeMarker
from xxhash import xxh3_64_intdigest

from .stories import DAY, T0, specification

SPEC = specification()
CLASSES = ("repaid", "default")


def prediction(when, i, version="v1", role="champion", score=0.5, debt=1.0, region="north"):
    features = {"income": float(i), "debt": debt, "region": region}
    return encode_prediction(layout(SPEC), when, score, features, version, role, None)


def truth(when, label):
    return encode(GroundTruth(when, "loans", label))


class Log:
    """Both topics of two partitions, written in one order."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], list[tuple[bytes | None, bytes]]] = {}

    def put(self, topic, key, value, partition=None) -> None:
        partition = sum((key or "").encode()) % 2 if partition is None else partition
        self.records.setdefault((topic, partition), []).append((key.encode() if key else None, value))

    def columns(self, batch=10_000) -> Columns:
        columns = Columns(SPEC, Layouts({"loans": SPEC}))
        for (topic, partition), records in self.records.items():
            for at in range(0, len(records), batch):
                keys, values = zip(*records[at : at + batch], strict=True)
                offsets = np.arange(at, at + len(keys)) * 2  # with holes, as transaction markers leave them
                columns.absorb(
                    Records(
                        topic, partition, offsets, list(keys), list(values), [int((T0 + 99 * DAY) * 1000)] * len(keys)
                    )
                )
        return columns


def a_busy_week(seed=1):
    """A log with everything in it, and the rows that a dictionary would join at day 6."""
    rng, log, as_of, expected = random.Random(seed), Log(), T0 + 6 * DAY, {}
    late = []
    for i in range(700):
        when, key = T0 + i * 864.0, f"loan-{i}"
        version, role = ("v0", "history") if i < 300 else ("v1", "champion")
        region, debt = rng.choice(["north", "south", None]), rng.choice([1.0, None])
        log.put("predictions", key, prediction(when, i, version, role, score=i / 1000, debt=debt, region=region))
        if rng.random() < 0.2:
            log.put("predictions", key, prediction(when, 9_999, version, role))  # a repeat: the first wins
        if rng.random() < 0.2:
            log.put("predictions", key, prediction(when, i, "v2", "challenger", score=0.9))
        if rng.random() < 0.9:
            known, label = when + rng.choice([600.0, 5 * 3600.0, 1.5 * DAY]), rng.choice(CLASSES)
            late.append((known, key, label))
            if known <= as_of and when <= as_of:
                expected[key] = (when, known, CLASSES.index(label), float(i), debt, region, i / 1000, version)
    late.append((T0 + DAY, "nobody's", "repaid"))
    late.append((T0 + DAY, "loan-7", "repaid"))  # whoever comes first by time stays
    for known, key, label in sorted(late):
        log.put("ground-truth", key, truth(known, label))
        if rng.random() < 0.1:
            log.put("ground-truth", key, truth(known + 1, "default"))  # an amendment changes nothing
    log.put("ground-truth", "loan-699", truth(T0 + 7.5 * DAY, "unheard of"))
    for topic in ("predictions", "ground-truth"):
        log.put(topic, None, encode(TimeMarker(T0 + 8 * DAY, "app")), partition=0)
        log.put(topic, "loan-3", b"rubbish")
    return log, as_of, expected


def as_dictionary(dataset, origin):
    names = {xxh3_64_intdigest(f"loan-{i}".encode()): f"loan-{i}" for i in range(700)}
    found = {}
    for row in range(len(dataset)):
        debt = float(dataset.columns["debt"][row])
        found[names[int(origin.id_hash[row])]] = (
            float(dataset.event_time[row]),
            float(dataset.known_at[row]),
            int(dataset.labels[row]),
            float(dataset.columns["income"][row]),
            None if np.isnan(debt) else debt,
            dataset.columns["region"][row],
            float(dataset.score[row]),
            dataset.versions[dataset.version[row]],
        )
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_rows_are_those_of_a_dictionary(seed) -> None:
    log, as_of, expected = a_busy_week(seed)
    dataset, origin = log.columns().rows(as_of)
    found = as_dictionary(dataset, origin)
    disputed = found.pop("loan-7", None), expected.pop("loan-7", None)
    assert found == expected
    assert disputed[0] is not None
    assert len(dataset) > 400
    order = list(zip(dataset.event_time, origin.partition, origin.prediction_offset, strict=True))
    assert order == sorted(order)
    assert list(dataset.columns) == ["income", "debt", "region"]
    assert dataset.columns["region"].dtype == object


def test_any_batches_give_the_same_rows() -> None:
    log, as_of, _ = a_busy_week()
    hashes = {sha256_of(log.columns(batch).rows(as_of)[0]) for batch in (1, 7, 100, 10_000)}
    assert len(hashes) == 1


def test_records_behind_the_time_change_nothing() -> None:
    log, as_of, _ = a_busy_week()
    before = sha256_of(log.columns().rows(as_of)[0])
    for i in range(1000, 1100):
        log.put("predictions", f"loan-{i}", prediction(T0 + 9 * DAY + i, i))
        log.put("ground-truth", f"loan-{i}", truth(T0 + 9 * DAY + i + 60, "default"))
    log.put("ground-truth", "loan-5", truth(T0 + 9 * DAY, "default"))
    assert sha256_of(log.columns().rows(as_of)[0]) == before


def test_an_earlier_time_knows_less() -> None:
    log, as_of, expected = a_busy_week()
    earlier = as_of - 2 * DAY
    found = as_dictionary(*log.columns().rows(earlier))
    assert {k for k in found if k != "loan-7"} == {
        k for k, (when, known, *_) in expected.items() if when <= earlier and known <= earlier and k != "loan-7"
    }


def test_nothing_read_is_nothing_known() -> None:
    dataset, origin = Log().columns().rows(T0)
    assert len(dataset) == len(origin.id_hash) == 0
    assert list(dataset.columns) == ["income", "debt", "region"]
    only_predictions = Log()
    only_predictions.put("predictions", "loan-1", prediction(T0, 1))
    assert len(only_predictions.columns().rows(T0 + DAY)[0]) == 0


def test_one_prediction_under_two_versions_is_one_row_the_first() -> None:
    log = Log()
    log.put("predictions", "loan-1", prediction(T0, 1, "v1", score=0.1))
    log.put("predictions", "loan-1", prediction(T0, 1, "v2", score=0.2))
    log.put("ground-truth", "loan-1", truth(T0 + 60, "default"))
    dataset, _ = log.columns().rows(T0 + DAY)
    assert (dataset.score.tolist(), dataset.versions[dataset.version[0]]) == ([0.1], "v1")
