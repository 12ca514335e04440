"""A file of rows as chunks of columns: never more than one chunk of it is in memory as it stands in the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from driftloop.schemas.errors import ConfigError
from numpy.typing import NDArray

CHUNK_ROWS = 8_192
Values = list[Any] | NDArray[Any]


class Places(NamedTuple):
    """Where rows stand, as a person would look for them: ``rows.csv:`` and lines, ``rows.avro, row `` and numbers."""

    before: str
    numbers: Sequence[int]

    def of(self, row: int) -> str:
        return f"{self.before}{self.numbers[row]}"


class Chunk(NamedTuple):
    """Some rows: the columns that were asked for, all of one length. An empty cell is None, or NaN in an array."""

    places: Places
    columns: dict[str, Values]

    @classmethod
    def empty(cls, wanted: Sequence[str]) -> Chunk:
        """No rows."""
        return cls(Places("", ()), {name: [] for name in wanted})


class Source(Protocol):
    """One file. ``columns``: all that it has; ``head``: the place that names them. It may be read more than once."""

    columns: tuple[str, ...]
    head: str

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        """All rows. Errors: ConfigError where the file cannot be read, with the place."""
        ...


def open_source(file: Path) -> Source:
    """By the end of its name. ConfigError: there is no such file, or no such format."""
    if not file.is_file():
        raise ConfigError(f"{file} is no file", "name a file of rows: CSV, Parquet or Avro")
    match file.suffix.lower():
        case ".csv" | ".tsv" | ".txt":
            from driftloop.console.rows.csv_source import CsvSource

            return CsvSource(file)
        case ".parquet" | ".pq":
            from driftloop.console.rows.parquet_source import ParquetSource

            return ParquetSource(file)
        case ".avro":
            from driftloop.console.rows.avro_source import AvroSource

            return AvroSource(file)
    raise ConfigError(f"{file}: the name does not say which format it is", "call it .csv, .parquet or .avro")


def digest_of(file: Path) -> str:
    """sha256 of the file's bytes, 64 hex digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
