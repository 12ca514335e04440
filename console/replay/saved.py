"""A past out of the file that `driftloop replay MODEL --save FILE` has written (saving.py): no broker is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftloop.console.replay.saving import COMMANDS, END, FORMAT, REGISTRY
from driftloop.schemas.catalogue import TOPICS, Catalogue
from driftloop.schemas.containers import read_container
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import SourceRecords
from driftloop.streams.observer.fold import SOURCES

if TYPE_CHECKING:
    from driftloop.console.replay.history import Held

Batch = dict[str, Any]
COLUMNS = ("offsets", "timestamps_ms", "keys", "values")
"""Equally long in each batch, and never empty but in the last."""
WRITE_AGAIN = "is it complete? write it again"


def is_saved(file: Path) -> bool:
    """Whether a file is a past that was saved, and not rows of the user's own. ConfigError: it is neither."""
    if file.suffix.lower() != ".avro":
        return False
    with read_container(file) as found:
        return "driftloop.format" in found.metadata


class SavedPast:
    """Use it with ``with``; a Past. Errors: ConfigError where the file is none of ours, or not all of it is there."""

    def __init__(self, file: Path, model: str) -> None:
        self._file, self._model = file, model
        self._open = ExitStack()
        self._schemas: dict[int, Mapping[str, Any]] = {}
        self.catalogue = Catalogue(self._schemas.get)
        self.told: list[bytes] = []

    def __enter__(self) -> SavedPast:
        with ExitStack() as stack:
            found = stack.enter_context(read_container(self._file))
            self._read_header(found.metadata)
            self._batches = self._whole(found.records)
            self._batches = chain(self._read_to_sources(), self._batches)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def topic(self, short: str) -> str:
        return self._topics.topic(short)

    def read(self, held: Held) -> Iterator[SourceRecords]:  # noqa: ARG002 (they were written in step)
        for batch in self._batches:
            short, partition, offsets = batch["topic"], batch["partition"], batch["offsets"]
            yield SourceRecords(
                self.topic(short),
                partition,
                offsets,
                batch["keys"],
                batch["values"],
                batch["timestamps_ms"],
                [()] * len(offsets),
                max(0, self._ends[short, partition] - 1 - offsets[-1]),
            )

    def _read_header(self, metadata: Mapping[str, str]) -> None:
        told = {k.removeprefix("driftloop."): v for k, v in metadata.items() if k.startswith("driftloop.")}
        if told.get("format") != FORMAT:
            said = f"{self._file} is no past that this driftloop reads: it says {told.get('format', 'nothing')}"
            raise ConfigError(said, f"write one: driftloop replay {self._model} --save FILE")
        try:
            self._topics = Settings(prefix=told["prefix"])
            self.partitions = int(told["partitions"])
            self._ends = {(short, partition): end for short, partition, end in json.loads(told["ends"])}
            self.records = int(told["records"])
        except (KeyError, ValueError, TypeError) as error:
            raise ConfigError(f"{self._file}: its header cannot be read ({error!r})", WRITE_AGAIN) from None

    def _whole(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """All batches but the end, which must come; schemas of a registry are taken out."""
        count = 0
        for batch in batches:
            if batch["topic"] == END and batch["partition"] == count:
                return
            if {len(batch[name]) for name in COLUMNS} != {len(batch["offsets"]) or -1}:
                raise ConfigError(f"{self._file}: batch {count} is broken", WRITE_AGAIN)
            count += 1
            if batch["topic"] == REGISTRY:
                self._schemas[batch["offsets"][0]] = json.loads(batch["values"][0])
            else:
                yield batch
        raise ConfigError(f"{self._file} ends early, after {count} batches", WRITE_AGAIN)

    def _read_to_sources(self) -> list[Batch]:
        """Take in what stands in front of the sources; the first batch of them, if there is one."""
        for batch in self._batches:
            short, value = batch["topic"], batch["values"][0]
            if short in SOURCES:
                return [batch]
            if short in (*TOPICS, COMMANDS):
                self.catalogue.absorb(short, batch["offsets"][0], batch["keys"][0], value)
            elif batch["keys"][0] == self._model.encode():
                self.told.append(value)
        return []
