"""Topics, headers, partitions, dead letters, JSON for people: small, and each with its outside oracle."""

from __future__ import annotations

import hashlib
import json
import math
import random
from dataclasses import fields
from pathlib import Path

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.codec import EVENTS, encode
from driftloop.schemas.deadletter import HEADERS_BYTES_MOST, KEPT_BYTES, VALUE_BYTES_MOST, dead_letter
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.events import GroundTruth, Progress
from driftloop.schemas.headers import cloud_event_headers, event_id, rfc3339
from driftloop.schemas.jsonable import record_to_jsonable, to_jsonable
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.schemas.murmur2 import murmur2, partition_of, partitions_of
from driftloop.schemas.settings import VARIABLES, Settings
from driftloop.schemas.topics import TOPICS
from hypothesis import given
from hypothesis import strategies as st

from .examples import example


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "three", "²"])
def test_a_number_of_partitions_that_is_none_is_told_by_its_variable(text: str) -> None:
    with pytest.raises(ConfigError, match="DRIFTLOOP_PARTITIONS"):
        Settings.from_environment({"DRIFTLOOP_PARTITIONS": text})


def test_settings_survive_the_way_through_an_environment() -> None:
    every = Settings(
        bootstrap_servers="a:1,b:2",
        prefix="shop",
        partitions=3,
        replication=2,
        state_folder=Path("/state"),
        artefacts_folder=Path("/artefacts"),
        signing_key=Path("/key.pem"),
        trusted_keys=("aa", "bb"),
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        sasl_username="ann",
        sasl_password="= ,;",
        ssl_ca="/ca.pem",
        schema_registry_url="http://a:1,http://b:2",
        session_seconds=7.5,
        pending_mb=9,
        instance_id="here-1",
        detectors=("mine.first", "second"),
    )
    plain = Settings()
    assert not [f.name for f in fields(Settings) if getattr(every, f.name) == getattr(plain, f.name)]
    assert set(every.environment()) == set(VARIABLES)
    for settings in (every, plain):
        assert Settings.from_environment(settings.environment()) == settings
    around = {"PATH": "/bin", "DRIFTLOOP_INSTANCE_ID": "another", "DRIFTLOOP_PREFIX": "other"}
    assert plain.environment(around) == {"PATH": "/bin"} | plain.environment()


@pytest.mark.parametrize(
    ("key", "signed"),
    [  # org.apache.kafka.common.utils.UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_javas(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFFFFFF


@given(st.binary(max_size=50), st.integers(1, 100))
def test_murmur2_agrees_with_another_client(key: bytes, partitions: int) -> None:
    assert murmur2(key) == aiokafka_murmur2(key) & 0xFFFFFFFF
    assert partition_of(key, partitions) == (aiokafka_murmur2(key) & 0x7FFFFFFF) % partitions


def test_every_event_has_its_topic_and_every_topic_its_place() -> None:
    listed = {name for topic in TOPICS.values() for name in topic.events}
    assert listed == {kind.__name__ for kind in EVENTS} | {"Prediction"}
    assert all(TOPICS[short].short == short for short in TOPICS)
    assert Settings().topic("ground-truth") == "driftloop.ground-truth.v1"


def test_topics_that_meet_in_a_fold_have_the_same_partitions() -> None:
    together = (
        "predictions",
        "ground-truth",
        "observer-state",
        "panes",
        "judge-state",
        "windows",
        "drift",
        "dead-letter",
    )
    assert {short for short, topic in TOPICS.items() if topic.partitions_of(12) == 12} == set(together)


def test_retention_and_compaction_in_kafkas_own_words() -> None:
    predictions = TOPICS["predictions"].config()
    assert predictions["retention.ms"] == str(400 * 86_400_000)
    assert predictions["message.timestamp.type"] == "CreateTime"
    assert TOPICS["decisions"].config()["retention.ms"] == "-1"
    state = TOPICS["observer-state"].config(replication=3)
    assert (state["cleanup.policy"], state["min.insync.replicas"]) == ("compact", "2")
    assert "retention.ms" not in state
    assert all(value == value.strip() and name for t in TOPICS.values() for name, value in t.config().items())


def test_ids_repeat_exactly_and_parts_cannot_run_into_each_other() -> None:
    assert event_id("loans", 1, 0.5) == event_id("loans", 1, 0.5)
    ids = [event_id(*p) for p in (("a", "b"), ("ab",), ("a", "b", ""), ("1",), (1,), (1.0,), ("a1", "str1:'b'"))]
    assert len({*ids}) == len(ids)
    assert all(len(i) == 32 and int(i, 16) >= 0 for i in ids)


def test_headers_are_cloud_events_in_binary_mode() -> None:
    found = dict(cloud_event_headers("Pane", "1f", "observer", 1_357_034_400.25))
    assert found == {
        "ce_specversion": b"1.0",
        "ce_id": b"1f",
        "ce_type": b"driftloop.v1.Pane",
        "ce_source": b"driftloop/observer",
        "ce_time": b"2013-01-01T10:00:00.250Z",
        "content-type": b"application/avro",
    }
    assert rfc3339(-math.inf) == "-inf"
    assert rfc3339(1e300) == "1e+300"
    assert rfc3339(math.nan) == "nan"


Letter = tuple[bytes | None, bytes | None, dict[str, bytes]]


def letter(
    key: bytes | None = b"id", value: bytes | None = b"noise", headers: tuple[tuple[str, bytes | None], ...] = ()
) -> Letter:
    found = dead_letter("d.predictions.v1", 3, 41, key, value, headers, 1_500, "truncated", "5 bytes é", "observer")
    return found[0], found[1], dict(found[2])


def test_a_dead_letter_keeps_the_record_and_says_why_and_where() -> None:
    key, value, headers = letter(headers=(("traceparent", b"00-1"), ("empty", None)))
    assert (key, value) == (b"id", b"noise")
    assert headers["traceparent"] == b"00-1"
    assert headers["empty"] is None
    assert headers["__connect.errors.topic"] == b"d.predictions.v1"
    assert headers["__connect.errors.partition"] == b"3"
    assert headers["__connect.errors.offset"] == b"41"
    assert headers["__connect.errors.exception.message"] == "5 bytes é".encode()
    assert headers["driftloop.reason"] == b"truncated"
    assert headers["driftloop.timestamp_ms"] == b"1500"


def test_a_dead_letter_of_nothing_is_nothing() -> None:
    assert letter(key=None, value=None)[:2] == (None, None)


def test_what_is_too_large_for_a_dead_letter_is_kept_by_its_hash() -> None:
    large = bytes(10_000_000)
    key, value, headers = letter(key=large, value=large)
    assert value == large[:KEPT_BYTES]
    assert key == large[:KEPT_BYTES]
    assert headers["driftloop.value.size"] == b"10000000"
    assert headers["driftloop.value.sha256"] == hashlib.sha256(large).hexdigest().encode()
    assert headers["driftloop.key.size"] == b"10000000"
    whole = bytes(VALUE_BYTES_MOST)
    assert letter(value=whole)[1] == whole


def test_headers_that_would_not_fit_are_dropped_and_counted() -> None:
    _, _, headers = letter(headers=tuple((f"h{i}", bytes(100_000)) for i in range(5)))
    assert headers["driftloop.headers.dropped"] == b"3"
    assert sum(map(len, headers.values())) < HEADERS_BYTES_MOST + 10_000


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_every_event_is_a_json_line(kind: type) -> None:
    event = example(kind)
    line = json.dumps(to_jsonable(event), allow_nan=False)
    assert json.loads(line)["event"] == kind.__name__
    assert record_to_jsonable(encode(event)) == to_jsonable(event)


def test_json_has_no_nan_and_no_infinity() -> None:
    shown = to_jsonable(Progress(0, 1, -math.inf, math.nan, 0, 0, True))
    assert (shown["predictions_watermark"], shown["truths_watermark"]) == ("-Infinity", None)
    assert to_jsonable(GroundTruth(0.0, "m", math.inf))["label"] == "Infinity"


def test_a_prediction_is_shown_through_the_layouts() -> None:
    spec = MonitorSpecification("loans", "binary", ("no", "yes"), (Feature("age", "f_age", "numeric"),), 60.0)
    record = encode_prediction(layout(spec), 1.4e9, 0.5, {}, "v1")
    shown = record_to_jsonable(record, Layouts({"loans": spec}).framing)
    assert shown["event"] == "Prediction"
    assert (shown["model"], shown["score"], shown["f_age"]) == ("loans", 0.5, None)
    with pytest.raises(BadRecord):
        record_to_jsonable(record)
    with pytest.raises(BadRecord):
        record_to_jsonable(None)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 7, 8, 31, 36])
def test_partitions_of_many_keys_are_those_of_each(length: int) -> None:
    rng = random.Random(length)
    keys = [rng.randbytes(length) for _ in range(200)]
    assert partitions_of(keys, 12).tolist() == [partition_of(key, 12) for key in keys]
    mixed = [key[: i % (length + 1)] for i, key in enumerate(keys)]
    assert partitions_of(mixed, 7).tolist() == [partition_of(key, 7) for key in mixed]
