"""Rows of an Avro object container; an empty cell is a null."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

from driftloop.console.rows.source import CHUNK_ROWS, Chunk, Places
from driftloop.schemas.containers import read_container
from driftloop.schemas.errors import ConfigError


class AvroSource:
    """Rows are counted from 1."""

    def __init__(self, file: Path) -> None:
        self._file, self.head = file, str(file)
        with read_container(file) as found:
            fields = found.schema.get("fields") if isinstance(found.schema, dict) else None
        if not fields:
            raise ConfigError(f"{file}: its rows are no records", "a row is an Avro record, a column a field of it")
        self.columns = tuple(field["name"] for field in fields)

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        with read_container(self._file) as found:
            for first in count(1, CHUNK_ROWS):
                if not (rows := list(islice(found.records, CHUNK_ROWS))):
                    return
                places = Places(f"{self._file}, row ", range(first, first + len(rows)))
                yield Chunk(places, {name: [row[name] for row in rows] for name in wanted})
