"""Alerts: what the judge has found reaches whoever subscribed."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from confluent_kafka import Producer as KafkaProducer
from driftloop.client import alerts
from driftloop.schemas.codec import encode
from driftloop.schemas.events import CommandGiven, DriftDetected, IncidentChanged
from driftloop.schemas.headers import cloud_event_headers

from ..patience import GUARD_SECONDS

pytestmark = pytest.mark.kafka


def drift(model: str, statistic: float) -> DriftDetected:
    return DriftDetected(model, "v1", "spec", 1.0, 0.0, 1.0, "e-SR", "hour", statistic, 10.0, 0.3, "sd", True)


def incident(model: str) -> IncidentChanged:
    return IncidentChanged(
        model, "v1", "spec", "i-1", "performance", "opened", 1.0, 1.0, "the loss left its reference"
    )


def write(settings: Any, *events: tuple[Any, str]) -> None:
    """Events with their ce_id, keyed by model, as the judge writes them."""
    producer = KafkaProducer(settings.confluent(linger_ms=0))
    for event, identity in events:
        headers = cloud_event_headers(type(event).__name__, identity, "judge", 1.0)
        producer.produce(settings.topic("drift"), encode(event), event.model.encode(), headers=headers)
    assert producer.flush(GUARD_SECONDS) == 0


def test_all_alerts_of_a_model_once_each(log: Any) -> None:
    mine, other, opened = drift("flights", 11.0), drift("loans", 12.0), incident("flights")
    write(log.settings, (mine, "a"), (other, "b"), (mine, "a"), (opened, "c"))
    of_one = alerts(log.settings, "flights", from_start=True, quiet_seconds_most=GUARD_SECONDS)
    assert list(islice(of_one, 2)) == [mine, opened]
    of_all = alerts(log.settings, from_start=True, quiet_seconds_most=GUARD_SECONDS)
    assert {event.model for event in islice(of_all, 3)} == {"flights", "loans"}


def test_where_nothing_comes_the_wait_ends_as_told(log: Any) -> None:
    assert list(alerts(log.settings, quiet_seconds_most=0.2)) == []


def test_who_subscribes_hears_what_comes_from_then_on(log: Any) -> None:
    write(log.settings, (drift("flights", 11.0), "a"))
    heard = alerts(log.settings, "flights", quiet_seconds_most=GUARD_SECONDS)
    write(log.settings, (drift("flights", 22.0), "b"))
    first = next(heard)
    assert isinstance(first, DriftDetected) and first.statistic == 22.0


def test_what_is_no_alert_is_left_out_and_logged_with_its_place(log: Any, caplog: pytest.LogCaptureFixture) -> None:
    write(log.settings, (CommandGiven("flights", "retrain", "me", "why", 1.0), "a"), (drift("flights", 11.0), "b"))
    log.write("drift", b"garbage", key=b"flights")
    write(log.settings, (incident("flights"), "c"))
    heard = alerts(log.settings, from_start=True, quiet_seconds_most=GUARD_SECONDS)
    assert [type(event) for event in islice(heard, 2)] == [DriftDetected, IncidentChanged]
    told = [m for m in caplog.messages if "is left out" in m]
    assert len(told) == 2
    assert "]@0 is left out: no alert" in told[0] and "]@2 is left out: the value begins with" in told[1]
