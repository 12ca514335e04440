"""What librdkafka says of a cluster that is away, in words that are the same each time."""

from __future__ import annotations

from confluent_kafka import KafkaError
from driftloop.client.cluster import LastError

REFUSED = "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused"


def test_the_same_error_has_the_same_words_however_long_it_took() -> None:
    for when in (
        " (after 0ms in state CONNECT)",
        " (after 1ms in state CONNECT, 5 identical error(s) suppressed)",
        "",
    ):
        said = LastError()
        said(KafkaError(KafkaError._TRANSPORT, REFUSED + when))
        assert said.text == REFUSED


def test_that_all_brokers_are_down_does_not_hide_what_one_has_said() -> None:
    said = LastError()
    said(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert said.text == "1/1 brokers are down"
    said(
        KafkaError(
            KafkaError._AUTHENTICATION, "SASL authentication error: wrong password (after 300ms in state AUTH)"
        )
    )
    said(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert said.text == "SASL authentication error: wrong password"
