"""The services that keep a state log, as an operator's commands see them: without Faust, which a worker needs."""

from __future__ import annotations

from driftloop.schemas.errors import ConfigError
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import Service
from driftloop.streams.judge.service import SERVICE as JUDGE
from driftloop.streams.observer.service import SERVICE as OBSERVER

STATEFUL = {service.name: service for service in (OBSERVER, JUDGE)}


def stateful(name: str) -> Service:
    """ConfigError: no service of that name keeps a state."""
    if name not in STATEFUL:
        raise ConfigError(f"{name} is no service with a state", f"one of {', '.join(STATEFUL)}")
    return STATEFUL[name]


def source_topics(service: Service, settings: Settings) -> tuple[str, ...]:
    """Full names."""
    return tuple(settings.topic(short) for short in service.sources)
