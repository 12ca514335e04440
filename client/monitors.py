"""The live specification of a model, as the monitors topic has it."""

from __future__ import annotations

import time

from driftloop.client.reader import TopicReader
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.settings import Settings


def read_specification(model: str, settings: Settings, timeout_seconds: float = 30.0) -> MonitorSpecification:
    """Read the topic to its end. ConfigError where the model has no monitor, Unavailable where it takes too long."""
    catalogue = Catalogue()
    deadline = time.monotonic() + timeout_seconds
    with TopicReader(settings, ("monitors",)) as reader:
        while not reader.caught_up:
            if time.monotonic() > deadline:
                raise Unavailable(f"the monitors topic could not be read within {timeout_seconds:g} s", "try again")
            for record in reader.poll(0.1):
                catalogue.absorb(record.short, record.offset, record.key, record.value)
    found = catalogue.specification(model)
    if found is None:
        there = ", ".join(catalogue.models()) or "none"
        fault = f"; a record is unreadable: {catalogue.faults[-1]}" if catalogue.faults else ""
        raise ConfigError(
            f"there is no monitor for model {model!r} (there is: {there}){fault}",
            "`driftloop monitor apply FILE` publishes one",
        )
    return found
