"""The producer on the real broker: what is said arrives, in the right partition, and counts add up."""

from __future__ import annotations

import math
import os
import time
from typing import Any

import numpy as np
import pytest
from driftloop.client import Producer
from driftloop.schemas.batches.prediction import layout
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.errors import BadRecord, ConfigError, Unavailable
from driftloop.schemas.events import GroundTruth, TimeMarker
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.murmur2 import partition_of
from driftloop.schemas.settings import Settings
from driftloop.schemas.wire import SINGLE_OBJECT_BYTES, read_body

from ..patience import GUARD_SECONDS

pytestmark = pytest.mark.kafka
FLIGHT = {"hour": 7, "distance": 1400.0, "carrier": "AA"}


def told(spec: MonitorSpecification, value: bytes) -> dict[str, Any]:
    """A prediction as any Avro client reads it."""
    return read_body(layout(spec).record, value, SINGLE_OBJECT_BYTES)


def test_a_prediction_and_its_truth_arrive_as_they_were_said(log: Any, spec: MonitorSpecification) -> None:
    started = time.time()
    with Producer("flights", log.settings, version="v1") as producer:
        identity = producer.predicted(FLIGHT, 0.31, event_time=1_357_000_000.0, predicted="on time")
        producer.observed(identity, "late", event_time=1_357_086_400.0, value=42.0)
        assert producer.flush(GUARD_SECONDS) == 0
        assert (producer.delivered, producer.failed, producer.dropped) == (2, 0, 0)
    prediction, truth = sorted(log.read("predictions", "ground-truth"), key=lambda r: r.short, reverse=True)
    assert (prediction.key, truth.key) == (identity.encode(), identity.encode())
    assert told(spec, prediction.value) == {
        "event_time": 1_357_000_000.0,
        "score": 0.31,
        "f_hour": 7.0,
        "f_distance": 1400.0,
        "model": "flights",
        "model_version": "v1",
        "role": "champion",
        "predicted": "on time",
        "f_carrier": "AA",
    }
    assert decode(truth.value) == GroundTruth(1_357_086_400.0, "flights", "late", 42.0)
    assert prediction.headers is None
    for record in (prediction, truth):
        assert started - 1 <= record.timestamp_ms / 1000 <= time.time() + 1, "the Kafka timestamp is the event's"


def test_both_topics_and_our_own_function_agree_on_the_partition_of_every_id(log: Any) -> None:
    own = [f"order-{i}-é" for i in range(50)]
    with Producer("flights", log.settings, version="v1") as producer:
        for i in range(100):
            identity = producer.predicted(FLIGHT, 0.5, prediction_id=own[i] if i < 50 else None)
            producer.observed(identity, "late")
        assert producer.partitions == log.settings.partitions
    records = log.read("predictions", "ground-truth")
    assert len(records) == 200
    for record in records:
        assert record.partition == partition_of(record.key, log.settings.partitions), record.key
    assert {r.partition for r in records} == set(range(log.settings.partitions))


def test_every_id_is_another_one(log: Any, spec: MonitorSpecification) -> None:
    with (
        Producer("flights", log.settings, version="v1") as one,
        Producer("flights", log.settings, version="v1", specification=spec) as other,
    ):
        ids = [p.predicted(FLIGHT, 0.5) for _ in range(100) for p in (one, other)]
    assert len(set(ids)) == 200


def test_what_is_left_to_defaults_is_now_and_missing(log: Any, spec: MonitorSpecification) -> None:
    before = time.time()
    with Producer("flights", log.settings) as producer:
        producer.predicted({"hour": None, "distance": math.nan, "carrier": None}, 1, version="v7", role="history")
    (record,) = log.read("predictions")
    found = told(spec, record.value)
    assert before <= found["event_time"] <= time.time()
    assert math.isnan(found["f_hour"]) and math.isnan(found["f_distance"])
    assert (found["f_carrier"], found["predicted"]) == (None, None)
    assert (found["score"], found["model_version"], found["role"]) == (1.0, "v7", "history")


def test_numbers_of_numpy_are_numbers(log: Any, spec: MonitorSpecification) -> None:
    with Producer("flights", log.settings, version="v1") as producer:
        row = {"hour": np.int64(7), "distance": np.float32(1.5), "carrier": "AA"}
        producer.predicted(row, np.float64(0.25), event_time=np.float64(1.6e9))  # type: ignore[arg-type]
    (record,) = log.read("predictions")
    assert told(spec, record.value) | {"f_hour": 7.0, "f_distance": 1.5, "score": 0.25} == told(spec, record.value)


def test_a_truth_said_again_and_again_reads_as_the_first_time(log: Any) -> None:
    labels = ["late", 1, 1.0, True, "on time", 0, 0.0, False] * 3
    with Producer("flights", log.settings, version="v1") as producer:
        for i, label in enumerate(labels):
            producer.observed("one-id", label, event_time=1.6e9 + i, value=None if i % 5 else 0.25)
    records = log.read("ground-truth")
    expected = [GroundTruth(1.6e9 + i, "flights", x, None if i % 5 else 0.25) for i, x in enumerate(labels)]
    assert [decode(r.value) for r in records] == expected
    assert [type(decode(r.value).label) for r in records] == [type(x) for x in labels]  # type: ignore[union-attr]
    assert [r.value for r in records] == [encode(truth) for truth in expected]


def test_a_label_of_numpy_is_the_plain_value_it_holds(log: Any) -> None:
    labels = [np.int8(1), np.float32(0.0), np.bool_(True), np.str_("late")] * 2
    with Producer("flights", log.settings, version="v1") as producer:
        for label in labels:
            producer.observed("one-id", label)  # type: ignore[arg-type]
    assert [decode(r.value).label for r in log.read("ground-truth")] == [1, 0.0, True, "late"] * 2  # type: ignore[union-attr]


def test_a_tick_reaches_every_partition_of_both_topics_behind_what_was_said_before(log: Any) -> None:
    with Producer("flights", log.settings, version="v1") as producer:
        for _ in range(20):
            producer.observed(producer.predicted(FLIGHT, 0.5, event_time=1.6e9), 1, event_time=1.6e9)
        producer.tick(1.6e9 + 1)
        partitions = producer.partitions
    last = {(r.short, r.partition): r for r in log.read("predictions", "ground-truth")}
    assert len(last) == 2 * partitions
    for record in last.values():
        assert record.key is None
        assert isinstance(marker := decode(record.value), TimeMarker)
        assert marker.event_time == 1.6e9 + 1


def test_headers_are_there_when_asked_for(log: Any) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with Producer("flights", log.settings, version="v1", cloud_events=True) as producer:
        identity = producer.predicted(FLIGHT, 0.5, event_time=1.6e9, traceparent=trace)
    (record,) = log.read("predictions")
    headers = dict(record.headers)
    assert headers["ce_id"] == identity.encode()
    assert headers["ce_type"].endswith(b"Prediction")
    assert headers["ce_time"] == b"2020-09-13T12:26:40.000Z"
    assert headers["traceparent"] == trace.encode()


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda p: p.predicted(FLIGHT | {"color": "red"}, 0.5), "unknown-feature"),
        (lambda p: p.predicted({"hour": 7, "distance": 1.0, "carier": "AA"}, 0.5), "unknown-feature"),
        (lambda p: p.predicted({"hour": 7, "distance": 1.0}, 0.5), "missing-feature"),
        (lambda p: p.predicted(FLIGHT | {"hour": "seven"}, 0.5), "wrong-type"),
        (lambda p: p.predicted(FLIGHT | {"hour": [7]}, 0.5), "wrong-type"),
        (lambda p: p.predicted(FLIGHT | {"carrier": 3}, 0.5), "wrong-type"),
        (lambda p: p.predicted(FLIGHT, 1.5), "score-not-a-probability"),
        (lambda p: p.predicted(FLIGHT, math.nan), "score-not-a-probability"),
        (lambda p: p.predicted(FLIGHT, "0.5"), "wrong-type"),
        (lambda p: p.predicted(FLIGHT, None), "wrong-type"),
        (lambda p: p.predicted(FLIGHT, 0.5, version=5), "wrong-type"),
        (lambda p: p.predicted(FLIGHT, 0.5, role="boss"), "unknown-role"),
        (lambda p: p.predicted(FLIGHT, 0.5, predicted="delayed"), "unknown-label"),
        (lambda p: p.predicted(FLIGHT, 0.5, prediction_id=""), "bad-key"),
        (lambda p: p.predicted(FLIGHT, 0.5, event_time=math.nan), "event-time-not-a-number"),
        (lambda p: p.predicted(FLIGHT, 0.5, event_time="now"), "event-time-not-a-number"),
        (lambda p: p.predicted(FLIGHT, 0.5, event_time=7.0), "event-time-before-2000"),
        (lambda p: p.predicted(FLIGHT, 0.5, event_time=time.time() * 1000), "event-time-in-the-future"),
        (lambda p: p.predicted(FLIGHT | {"carrier": "A" * 1_000_001}, 0.5), "too-large"),
        (lambda p: p.observed("id", "delayed"), "unknown-label"),
        (lambda p: p.observed("id", None), "unknown-label"),
        (lambda p: p.observed("id", ["late"]), "unknown-label"),
        (lambda p: p.observed("id", np.int8(2)), "unknown-label"),
        (lambda p: p.observed(None, "late"), "bad-key"),
        (lambda p: p.observed("id", "late", event_time=math.inf), "event-time-in-the-future"),
        (lambda p: p.observed("id", "late", value="much"), "wrong-type"),
        (lambda p: p.tick(0.0), "event-time-before-2000"),
    ],
)
def test_what_cannot_be_right_is_refused_in_the_call_with_the_way_out(
    standing: Settings, spec: MonitorSpecification, call: Any, reason: str
) -> None:
    with Producer("flights", standing, version="v1", specification=spec) as producer:
        with pytest.raises(BadRecord) as info:
            call(producer)
        assert (info.value.reason, bool(info.value.hint)) == (reason, True)
        assert producer.flush(GUARD_SECONDS) == 0
        assert producer.delivered == 0


def test_a_version_is_asked_for(standing: Settings, spec: MonitorSpecification) -> None:
    with (
        Producer("flights", standing, specification=spec) as producer,
        pytest.raises(BadRecord, match="version is ''"),
    ):
        producer.predicted(FLIGHT, 0.5)


def test_a_model_without_a_monitor_is_refused_with_the_models_that_have_one(log: Any) -> None:
    with pytest.raises(ConfigError, match=r"no monitor for model 'loans' \(there is: flights\)\n.*monitor apply"):
        Producer("loans", log.settings)


def test_topics_that_are_not_there_are_named(broker: str) -> None:
    with pytest.raises(ConfigError, match=r"no topic no-such-prefix.monitors.v1 .*\n.*topics apply"):
        Producer("flights", Settings(bootstrap_servers=broker, prefix="no-such-prefix"))


def test_topics_of_different_partition_counts_are_refused(log: Any, spec: MonitorSpecification) -> None:
    from confluent_kafka.admin import AdminClient, NewPartitions

    admin = AdminClient(log.settings.confluent())
    name = log.settings.topic("ground-truth")
    for future in admin.create_partitions([NewPartitions(name, 5)]).values():
        future.result(GUARD_SECONDS)
    deadline = time.monotonic() + GUARD_SECONDS
    while len(admin.list_topics(name, timeout=GUARD_SECONDS).topics[name].partitions) != 5:
        assert time.monotonic() < deadline, "the broker does not show the new partition"
    with pytest.raises(ConfigError, match=r"predictions.v1 has 4, .*ground-truth.v1 has 5\n.*must be the same"):
        Producer("flights", log.settings, specification=spec)


def test_without_a_cluster_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("DRIFTLOOP_")]:
        monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match=r"no Kafka cluster.*\n.*DRIFTLOOP_BOOTSTRAP_SERVERS"):
        Producer("flights")


def test_a_cluster_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftloop.client.cluster.ANSWER_SECONDS", 0.5)
    with pytest.raises(Unavailable, match=r"cluster at 127.0.0.1:1 does not answer: .*(refused|brokers)"):
        Producer("flights", "127.0.0.1:1")
