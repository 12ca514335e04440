"""The cluster an app talks to, and what went wrong with it in words."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.settings import Settings

log = logging.getLogger("driftloop.client.kafka")
ANSWER_SECONDS = 10.0
"""How long a cluster may take to answer a first question."""


def settings_of(given: Settings | str | None) -> Settings:
    """Settings as they are, of the environment (None), or of the environment with these bootstrap servers (text)."""
    found = given if isinstance(given, Settings) else Settings.from_environment(os.environ)
    if isinstance(given, str):
        found = dataclasses.replace(found, bootstrap_servers=given)
    if not found.bootstrap_servers:
        raise ConfigError(
            "no Kafka cluster is given",
            "set DRIFTLOOP_BOOTSTRAP_SERVERS=host:port (`driftloop broker status` prints that of the embedded one)",
        )
    return found


_WHEN = re.compile(r" \(after \d+ms in state .*\)$")


class LastError:
    """The last error librdkafka spoke of. A wrong password or certificate is told in no other way than this.

    The same error has the same words each time, so that it can be told once: how many milliseconds an attempt took is
    left out, and that all brokers are down says less than what one of them said before."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, error: KafkaError) -> None:
        """As ``error_cb`` of a client."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN or not self.text:
            self.text = _WHEN.sub("", error.str())

    @property
    def callbacks(self) -> dict[str, Any]:
        """Settings of a client that make it speak here, and log by Python's rules rather than to standard error."""
        return {"error_cb": self, "logger": log}


def partitions_of(client: Any, said: LastError, settings: Settings, shorts: tuple[str, ...]) -> dict[str, int]:
    """Partitions of each topic, asked through ``client``, which then knows them too (it saves its first second).

    Errors: ConfigError for a topic that is not there, Unavailable where nobody answers.
    """
    try:
        topics = client.list_topics(timeout=ANSWER_SECONDS).topics
    except KafkaException as error:
        client.poll(0)  # librdkafka hands its errors over when asked
        raise Unavailable(
            f"the Kafka cluster at {settings.bootstrap_servers} does not answer: {said.text or error.args[0].str()}",
            "is it running, and are address, user and certificate right?",
        ) from error
    names = {short: settings.topic(short) for short in shorts}
    missing = [name for name in names.values() if name not in topics]
    if missing:
        raise ConfigError(
            f"there is no topic {', '.join(missing)} at {settings.bootstrap_servers}",
            "`driftloop topics apply` creates the topics; DRIFTLOOP_PREFIX must be the same everywhere",
        )
    return {short: len(topics[name].partitions) for short, name in names.items()}
