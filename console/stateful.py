"""The services that keep a state log, as an operator's commands see them: without Faust, which a worker needs."""

from __future__ import annotations

from typing import NamedTuple

from driftloop.schemas.errors import ConfigError
from driftloop.schemas.settings import Settings
from driftloop.streams.judge.state import LAYOUT as JUDGE_LAYOUT
from driftloop.streams.observer.fold import LAYOUT as OBSERVER_LAYOUT
from driftloop.streams.observer.fold import SOURCES


class Stateful(NamedTuple):
    """``sources`` and ``state`` are short names of schemas/topics.py; ``layout``: version of its state records."""

    name: str
    sources: tuple[str, ...]
    state: str
    layout: int

    def source_topics(self, settings: Settings) -> tuple[str, ...]:
        """Full names."""
        return tuple(settings.topic(short) for short in self.sources)


STATEFUL = {
    service.name: service
    for service in (
        Stateful("observer", SOURCES, "observer-state", OBSERVER_LAYOUT),
        Stateful("judge", ("panes",), "judge-state", JUDGE_LAYOUT),
    )
}


def stateful(name: str) -> Stateful:
    """ConfigError: no service of that name keeps a state."""
    if name not in STATEFUL:
        raise ConfigError(f"{name} is no service with a state", f"one of {', '.join(STATEFUL)}")
    return STATEFUL[name]
