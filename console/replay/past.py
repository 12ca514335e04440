"""What a replay reads: what is published about models, what was told live of the model, and both source topics.

From the cluster's topics; a file has the same (saved.py). What was told is read before the ends of the sources are
taken: so it stands on records in front of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any, Protocol

from driftloop.console.models import catalogue_of, read_of_model
from driftloop.console.replay.history import Held, History
from driftloop.console.replay.saving import COMMANDS, Saver, saving
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import SourceRecords
from driftloop.streams.observer.fold import SOURCES
from driftloop.streams.transport.registry import schemas_by_id

TOLD = ("windows", "drift")


class Past(Protocol):
    """``catalogue`` has people's commands to the model too. ``told``: windows, alarms, incidents and silences of the
    model as they were told live, in order. ``partitions``: of each source; ``records``: about so many of both."""

    catalogue: Catalogue
    told: list[bytes]
    partitions: int
    records: int

    def topic(self, short: str) -> str:
        """Full name of a topic of ours."""
        ...

    def read(self, held: Held) -> Iterator[SourceRecords]:
        """Both sources from their beginning to their end, each partition's records in the order of their offsets."""
        ...


class TopicsPast:
    """Use it with ``with``. ``save``: all that is read is written to this file, too.

    Errors: ConfigError where a topic is missing or the file cannot be written; Unavailable.
    """

    def __init__(self, settings: Settings, model: str, save: Path | None = None) -> None:
        self._settings, self._model, self._save = settings, model, save
        self._open = ExitStack()
        self._messages: list[tuple[str, Any]] = []
        self.told: list[bytes] = []

    def __enter__(self) -> TopicsPast:
        found = read_of_model(self._settings, self._model, (COMMANDS, *TOLD))
        self.catalogue = catalogue_of(self._settings, found)
        for message in found[COMMANDS]:
            self.catalogue.absorb(COMMANDS, message.offset(), message.key(), message.value())
        self.told = [message.value() for short in TOLD for message in found[short]]
        if self._save is not None:
            self._messages = [(short, message) for short, messages in found.items() for message in messages]
        with ExitStack() as stack:
            topics = [self.topic(short) for short in SOURCES]
            self._history = stack.enter_context(History(self._settings, topics))
            self.partitions = sum(topic == topics[0] for topic, _ in self._history.ends)
            self.records = self._history.records
            self._saver = stack.enter_context(self._saving())
            self._open = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def topic(self, short: str) -> str:
        return self._settings.topic(short)

    def read(self, held: Held) -> Iterator[SourceRecords]:
        if self._saver is not None:
            for short, m in self._messages:
                self._saver.message(short, m.partition(), m.offset(), m.key(), m.value())
        for records in self._history.read(held):
            if self._saver is not None:
                self._saver.records(self._short(records.topic), records)
            yield records

    def _saving(self) -> AbstractContextManager[Saver | None]:
        if self._save is None:
            return nullcontext()
        settings = self._settings
        ends = {(self._short(topic), partition): end for (topic, partition), end in self._history.ends.items()}
        whose = (settings.prefix, self._model, self.partitions, self.records)
        return saving(self._save, *whose, ends, schemas_by_id(settings))

    def _short(self, topic: str) -> str:
        return next(short for short in SOURCES if self.topic(short) == topic)
