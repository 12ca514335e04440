"""`driftloop cat`: every topic of ours is JSON lines, and a record that nobody can read is a line too."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer as KafkaProducer
from driftloop.client.producer import Producer
from driftloop.console.cat import cat
from driftloop.console.monitor import apply_monitor
from driftloop.console.publishing import Publication, publish
from driftloop.schemas.codec import encode
from driftloop.schemas.deadletter import dead_letter
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import DeploymentChanged, Progress
from driftloop.schemas.settings import Settings
from driftloop.schemas.topics import TOPICS

FILE = Path(__file__).with_name("loans.toml")
NOON = 1_700_049_600.0
DEPLOYED = DeploymentChanged("loans", "v2", NOON, "v1", "", NOON, "run-7", "gain")


def read(settings: Settings, topic: str, **options: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cat(settings, topic, **options)]


def write(settings: Settings, short: str, *records: tuple[bytes | None, bytes | None]) -> None:
    producer = KafkaProducer(settings.confluent())
    for key, value in records:
        producer.produce(settings.topic(short), value, key=key, partition=0)
    assert producer.flush(180) == 0


@pytest.mark.kafka
def test_an_event_is_shown_with_its_place_key_and_fields(settings: Settings) -> None:
    publish(settings, [Publication("deployments", "loans", DEPLOYED)])
    (line,) = read(settings, "deployments")
    assert line.pop("timestamp_ms") > 1_000 * NOON
    assert line == {
        "partition": 0,
        "offset": 0,
        "key": "loans",
        "type": "DeploymentChanged",
        "value": {
            "model": "loans",
            "champion": "v2",
            "champion_since": NOON,
            "previous": "v1",
            "challenger": "",
            "as_of": NOON,
            "run": "run-7",
            "reason": "gain",
        },
    }
    assert read(settings, settings.topic("deployments")) == read(settings, "deployments")
    (with_headers,) = read(settings, "deployments", headers=True)
    assert with_headers["headers"]["ce_type"] == "driftloop.v1.DeploymentChanged"


@pytest.mark.kafka
def test_predictions_are_read_by_the_schema_they_were_written_with(settings: Settings) -> None:
    apply_monitor(settings, FILE)
    with Producer("loans", settings, version="v1") as producer:
        sent = producer.predicted({"amount": 10.5, "income": None, "grade": "A"}, 0.25, event_time=NOON)
        producer.observed(sent, "repaid", event_time=NOON + 60)
        producer.tick(NOON + 120)
        assert producer.flush(180) == 0

    lines = read(settings, "predictions")
    (shown,) = [line for line in lines if line["type"] == "Prediction"]
    assert shown["key"] == sent
    assert shown["value"] == {
        "event_time": NOON,
        "score": 0.25,
        "f_amount": 10.5,
        "f_income": None,
        "model": "loans",
        "model_version": "v1",
        "role": "champion",
        "predicted": shown["value"]["predicted"],
        "f_grade": "A",
    }
    assert [line["type"] for line in lines].count("TimeMarker") == settings.partitions
    (truth,) = [line for line in read(settings, "ground-truth") if line["type"] == "GroundTruth"]
    assert (truth["key"], truth["value"]["label"]) == (sent, "repaid")


@pytest.mark.kafka
def test_what_cannot_be_read_is_shown_with_its_reason_and_hides_nothing(settings: Settings) -> None:
    good = encode(DEPLOYED)
    write(
        settings,
        "decisions",
        (b"a", b""),
        (b"b", b"plain text"),
        (b"\xff\xfe", good[:-3]),
        (b"d", b"\xc3\x01" + bytes(8) + b"x"),
        (b"e", None),
        (None, good),
    )
    lines = read(settings, "decisions")
    assert [line.get("reason") for line in lines] == [
        "empty",
        "unknown-framing",
        "truncated",
        "unknown-schema",
        None,
        None,
    ]
    assert lines[1]["value"] == {"bytes": 10, "hex": b"plain text".hex()}
    assert lines[2]["key"] == {"bytes": 2, "hex": "fffe"}
    assert [line["type"] for line in lines[4:]] == ["tombstone", "DeploymentChanged"]


@pytest.mark.kafka
def test_infinities_are_texts_for_json_has_none(settings: Settings) -> None:
    publish(settings, [Publication("panes", "x", Progress(0, 1, -math.inf, NOON, 0, 0, True))])
    (line,) = read(settings, "panes")
    assert line["value"]["predictions_watermark"] == "-Infinity"


@pytest.mark.kafka
def test_a_dead_letter_comes_with_the_headers_that_explain_it(settings: Settings) -> None:
    key, value, headers = dead_letter("p", 3, 9, b"k", b"bad", (), 1, "truncated", "too short", "observer")
    producer = KafkaProducer(settings.confluent())
    producer.produce(settings.topic("dead-letter"), value, key=key, headers=list(headers))
    assert producer.flush(180) == 0
    (line,) = read(settings, "dead-letter")
    assert line["headers"]["driftloop.reason"] == "truncated"
    assert line["value"] == {"bytes": 3, "hex": b"bad".hex()}


@pytest.mark.kafka
def test_every_topic_of_the_table_can_be_read_and_no_other(settings: Settings) -> None:
    for short in TOPICS:
        assert read(settings, short) == []
    with pytest.raises(ConfigError, match="weather is no topic of driftloop"):
        read(settings, "weather")


@pytest.mark.kafka
def test_reading_stops_at_the_end_at_a_limit_or_never(settings: Settings) -> None:
    publish(settings, [Publication("deployments", f"m-{i}", DEPLOYED) for i in range(5)])
    assert len(read(settings, "deployments")) == 5
    assert len(read(settings, "deployments", limit=2)) == 2
    assert read(settings, "deployments", from_beginning=False) == []

    following: Iterator[str] = cat(settings, "deployments", follow=True)
    assert len(list(islice(following, 5))) == 5
    publish(settings, [Publication("deployments", "late", DEPLOYED)])
    assert json.loads(next(following))["key"] == "late"


@pytest.mark.kafka
def test_the_command_ends_quietly_when_its_reader_has_enough(settings: Settings) -> None:
    publish(settings, [Publication("deployments", f"m-{i}", DEPLOYED) for i in range(2_000)])
    done = subprocess.run(
        f"{sys.executable} -m driftloop.console cat deployments | head -1",
        shell=True,
        env=settings.environment(os.environ),
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    assert json.loads(done.stdout)["key"] == "m-0"
    assert done.stderr == ""
