"""What reading and writing through a schema registry share. Pure: the requests are made in client/ and in
streams/transport/, each by a registry.py of its own.

Predictions hold a record type a model, ground truth two types, and both topics TimeMarkers: a subject is named after
topic and record (TopicRecordNameStrategy). Under one subject a topic (TopicNameStrategy) the second model would have
to be compatible with the first.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from driftloop.schemas.errors import ConfigError, DriftloopError, Unavailable

VARIABLE = "DRIFTLOOP_SCHEMA_REGISTRY_URL"
REQUEST_SECONDS_MOST = 5.0
"""The observer asks on its event loop: well below what its watchdog takes for a standstill."""
NOT_THERE = (40401, 40402, 40403)
"""The registry's own codes for: no such subject, version, schema. Any other 404 is no registry's."""


class RegistryAway(Unavailable):
    """The registry does not answer now. Raised before anything has been changed: the same records may come again."""


def client_settings(url: str) -> dict[str, Any]:
    """For confluent_kafka's SchemaRegistryClient. It shall not retry: whoever asks knows how long it may wait."""
    return {"url": url, "timeout": REQUEST_SECONDS_MOST, "max.retries": 0}


def subject_of(topic: str, record_name: str) -> str:
    """TopicRecordNameStrategy.

    >>> subject_of("driftloop.predictions.v1", "driftloop.predictions.loans")
    'driftloop.predictions.v1-driftloop.predictions.loans'
    """
    return f"{topic}-{record_name}"


def without_password(url: str) -> str:
    """For messages and logs.

    >>> without_password("https://me:secret@registry:8081/apis,http://other")
    'https://registry:8081/apis,http://other'
    """
    parts = [urlsplit(one.strip()) for one in url.split(",")]
    return ",".join(urlunsplit(part._replace(netloc=part.netloc.rpartition("@")[2])) for part in parts)


def library_missing(error: ImportError) -> ConfigError:
    """The extra is not installed."""
    return ConfigError(f"{VARIABLE} is set, but {error.name} is not installed", "pip install 'driftloop[registry]'")


def is_missing(status: int, code: int | None) -> bool:
    """The registry answers that it has no such thing."""
    return status == 404 and code in NOT_THERE


def refusal(url: str, status: int, message: str) -> DriftloopError:
    """What an answer means that is neither yes nor no: RegistryAway if a later try may succeed, else ConfigError."""
    said = f"the schema registry {without_password(url)} answers {status}: {message}"
    if status in (401, 403):
        return ConfigError(said, f"user and password stand in {VARIABLE}: https://user:password@host")
    if status == 409:
        return ConfigError(said, "this monitor's features do not go with those registered: see the subject's rule")
    if status in (408, 429) or status >= 500:
        return RegistryAway(said, "is it overloaded, or just starting?")
    return ConfigError(said, f"{VARIABLE} is the address of the Confluent API (Apicurio: .../apis/ccompat/v7)")


def silence(url: str, error: Exception) -> RegistryAway:
    """No answer, or none that is a registry's."""
    return RegistryAway(f"the schema registry {without_password(url)} does not answer: {error!r}", "is it running?")
