"""Schema ids resolved through the registry: asked once an id, remembered for good."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from driftloop.schemas.errors import BadRecord
from driftloop.schemas.registry import RegistryAway, client_settings, is_missing, library_missing, refusal, silence
from driftloop.schemas.settings import Settings

ASKED_AGAIN_SECONDS = 10.0
"""An id that does not exist is remembered for so long: nonsense in every batch must not become a request a batch,
and a replica of the registry may learn of a schema a little later than the topic."""
MISSING_KEPT_MOST = 10_000
RETRY_SECONDS = 0.5


def schemas_by_id(settings: Settings, patience_seconds: float = 0.0) -> SchemasById | None:
    """The resolver for schemas/wire.py; None where no registry is set. ConfigError: the library is not installed."""
    url = settings.schema_registry_url
    return SchemasById(url, patience_seconds) if url else None


class SchemasById:
    """``schema = schemas(id)``, None where the registry has none. For one thread.

    ``patience_seconds``: how long a registry that is away is asked again, blocking, before RegistryAway.
    Errors: RegistryAway, ConfigError (not allowed, no registry there), BadRecord ``bad-schema``.
    """

    def __init__(self, url: str, patience_seconds: float = 0.0) -> None:
        try:
            from confluent_kafka.schema_registry import SchemaRegistryClient
        except ImportError as error:
            raise library_missing(error) from error
        self._url = url
        self._patience_seconds = patience_seconds
        self._client = SchemaRegistryClient(client_settings(url))
        self._known: dict[int, Mapping[str, Any]] = {}
        self._missing: dict[int, float] = {}

    def __call__(self, schema_id: int) -> Mapping[str, Any] | None:
        now = time.monotonic()
        if schema_id in self._known:
            return self._known[schema_id]
        if schema_id < 0 or now < self._missing.get(schema_id, 0.0):
            return None
        found = self._patiently(schema_id, now + self._patience_seconds)
        if found is None:
            if len(self._missing) >= MISSING_KEPT_MOST:
                self._missing.clear()
            self._missing[schema_id] = now + ASKED_AGAIN_SECONDS
        else:
            self._known[schema_id] = found
        return found

    def _patiently(self, schema_id: int, deadline: float) -> Mapping[str, Any] | None:
        while True:
            try:
                return self._ask(schema_id)
            except RegistryAway:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(RETRY_SECONDS)

    def _ask(self, schema_id: int) -> Mapping[str, Any] | None:
        from confluent_kafka.schema_registry import SchemaRegistryError

        try:
            found = self._client.get_schema(schema_id)
        except SchemaRegistryError as error:
            if is_missing(error.http_status_code, error.error_code):
                return None
            raise refusal(self._url, error.http_status_code, error.error_message) from error
        except Exception as error:  # whatever the HTTP library raises, or an answer that is no JSON
            raise silence(self._url, error) from error
        return _definition(schema_id, found.schema_type, found.schema_str)


def _definition(schema_id: int, kind: str | None, text: str | None) -> Mapping[str, Any]:
    try:
        definition = json.loads(text or "")
    except ValueError:
        definition = None
    if (kind or "AVRO") != "AVRO" or not isinstance(definition, dict):
        raise BadRecord(
            "bad-schema", f"schema {schema_id} of the registry is no Avro record", "values are Avro records"
        )
    return definition
