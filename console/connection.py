"""Which cluster a command talks to, and a client that has proved that it answers."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.settings import Settings

Client = TypeVar("Client")
ANSWER_SECONDS = 5.0
QUIET = logging.getLogger("driftloop.console.kafka")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False  # what a client of Kafka logs while it cannot connect says less than our error


def connect() -> Settings:
    """The settings of the environment; without a cluster there, those of the broker that `broker start` runs."""
    settings = Settings.from_environment(os.environ)
    if settings.bootstrap_servers:
        return settings
    from driftloop.console.broker.daemon import running_broker

    broker = running_broker(settings.state_folder)
    if broker is None:
        raise Unavailable(
            "there is no cluster: DRIFTLOOP_BOOTSTRAP_SERVERS is not set and no embedded broker runs",
            "start one with `driftloop broker start`, or name yours in DRIFTLOOP_BOOTSTRAP_SERVERS",
        )
    return replace(settings, bootstrap_servers=broker.bootstrap)


def admin_client(settings: Settings, seconds: float = ANSWER_SECONDS) -> AdminClient:
    """A client of a cluster that answers. Unavailable, with what the clients said meanwhile: it does not."""
    return answering(AdminClient, settings, settings.confluent(), seconds)


def answering(
    kind: Callable[[dict[str, Any]], Client],
    settings: Settings,
    config: dict[str, Any],
    seconds: float = ANSWER_SECONDS,
) -> Client:
    """A client of this kind and configuration, of a cluster that answers. Errors: as ``admin_client``."""
    said: list[str] = []

    def remember(error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            said.append(error.str())

    client: Any = kind(config | {"logger": QUIET, "error_cb": remember})
    try:
        client.list_topics(timeout=seconds)
    except KafkaException as error:
        client.poll(0)
        why = said[-1] if said else error.args[0].str()
        raise Unavailable(
            f"no Kafka cluster answers at {settings.bootstrap_servers} ({why})",
            "check DRIFTLOOP_BOOTSTRAP_SERVERS and, for a secured cluster, DRIFTLOOP_SECURITY_PROTOCOL, "
            "DRIFTLOOP_SASL_* and DRIFTLOOP_SSL_CA; without a cluster of your own: `driftloop broker start`",
        ) from error
    return cast("Client", client)
