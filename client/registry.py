"""Schemas into the registry, ids out of it: how the SDK comes to write the Confluent framing."""

from __future__ import annotations

import json
from typing import Any

from driftloop.schemas.codec import PLAIN
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.registry import (
    client_settings,
    is_missing,
    library_missing,
    refusal,
    silence,
    subject_of,
)
from driftloop.schemas.settings import Settings
from driftloop.schemas.wire import Framing, Schema


def framing_for(settings: Settings, topic: str, *schemas: Schema) -> Framing:
    """How these schemas are named in records of ``topic`` (its full name).

    With a registry every schema is looked up, and registered where it is not there yet: an app that may only read
    gets along, once somebody else has registered them. Without one it is single-object Avro, and nothing is asked.
    Errors: ConfigError (not allowed, not compatible, no registry there), RegistryAway.
    """
    if not settings.schema_registry_url:
        return PLAIN
    client = _client(settings.schema_registry_url)
    try:
        known = {s.fingerprint: _id(client, settings.schema_registry_url, topic, s) for s in schemas}
    finally:
        client.close()
    return Framing(id_of_schema=lambda schema: known[schema.fingerprint])


def _client(url: str) -> Any:
    try:
        from confluent_kafka.schema_registry import SchemaRegistryClient
    except ImportError as error:
        raise library_missing(error) from error
    return SchemaRegistryClient(client_settings(url))


def _id(client: Any, url: str, topic: str, schema: Schema) -> int:
    from confluent_kafka.schema_registry import Schema as Registered
    from confluent_kafka.schema_registry import SchemaRegistryError

    subject, written = subject_of(topic, schema.name), Registered(json.dumps(schema.definition), "AVRO")
    try:
        try:
            found: int = client.lookup_schema(subject, written).schema_id
        except SchemaRegistryError as error:
            if not is_missing(error.http_status_code, error.error_code):
                raise
            found = client.register_schema(subject, written)
    except SchemaRegistryError as error:
        raise refusal(url, error.http_status_code, f"{subject}: {error.error_message}") from error
    except Exception as error:  # whatever the HTTP library raises, or an answer that is no JSON
        raise silence(url, error) from error
    if not 0 <= found < 2**31:
        raise ConfigError(f"the id {found} of {subject} has no room in the Confluent framing (32 bits)")
    return found
