"""What is published about models, read once by a command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from driftloop.console.reading import read_batches
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.registry import schemas_by_id

PUBLISHED = ("monitors", "schemas", "references")


def read_catalogue(settings: Settings) -> Catalogue:
    """Specifications, schemas and references as of now."""
    return catalogue_of(settings, read_several(settings, PUBLISHED))


def catalogue_of(settings: Settings, messages: Mapping[str, Iterable[Any]]) -> Catalogue:
    """The same of messages that were read, by the short names of their topics."""
    catalogue = Catalogue(schemas_by_id(settings))
    for short in PUBLISHED:
        for message in messages[short]:
            catalogue.absorb(short, message.offset(), message.key(), message.value())
    return catalogue


def read_several(
    settings: Settings, shorts: Iterable[str], wanted: Callable[[str, Any], bool] = lambda _short, _message: True
) -> dict[str, list[Any]]:
    """Messages that are ``wanted``, by the short name of their topic, in order within a partition; by one client."""
    names = {settings.topic(short): short for short in shorts}
    found: dict[str, list[Any]] = {short: [] for short in names.values()}
    for batch in read_batches(settings, *names):
        for message in batch:
            short = names[message.topic()]
            if wanted(short, message):
                found[short].append(message)
    return found


def read_of_model(settings: Settings, model: str, shorts: Iterable[str]) -> dict[str, list[Any]]:
    """All that is published of any model, and of these topics what is said of this one."""

    def is_wanted(short: str, message: Any) -> bool:
        return short in PUBLISHED or is_of(model, message)

    return read_several(settings, (*PUBLISHED, *shorts), is_wanted)


def is_of(model: str, message: Any) -> bool:
    """It says something of the model."""
    return bool(message.key() == model.encode() and message.value() is not None)


def find_specification(catalogue: Catalogue, model: str) -> MonitorSpecification:
    """The live one of a model. ConfigError: it has none."""
    found = catalogue.specification(model)
    if found is None:
        known = ", ".join(sorted(catalogue.models())) or "none"
        raise ConfigError(f"{model} has no monitor; there is {known}", "`driftloop monitor apply FILE` publishes one")
    return found
