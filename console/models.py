"""What is published about models, read once by a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from driftloop.console.reading import read_messages
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.registry import schemas_by_id


def read_catalogue(settings: Settings, also: Callable[[str, Any], None] = lambda _short, _message: None) -> Catalogue:
    """Specifications, schemas and references as of now; ``also`` is given every message."""
    catalogue = Catalogue(schemas_by_id(settings))
    for short in ("monitors", "schemas", "references"):
        for message in read_messages(settings, settings.topic(short)):
            also(short, message)
            catalogue.absorb(short, message.offset(), message.key(), message.value())
    return catalogue


def find_specification(catalogue: Catalogue, model: str) -> MonitorSpecification:
    """The live one of a model. ConfigError: it has none."""
    found = catalogue.specification(model)
    if found is None:
        known = ", ".join(sorted(catalogue.models())) or "none"
        raise ConfigError(f"{model} has no monitor; there is {known}", "`driftloop monitor apply FILE` publishes one")
    return found
