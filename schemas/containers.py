"""Avro object container files: records beside the schema they were written with, in compressed blocks."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from driftloop.schemas.errors import ConfigError
from fastavro import reader
from fastavro.schema import SchemaParseException, UnknownType
from fastavro.write import Writer

_BROKEN = (
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
    SchemaParseException,
    UnknownType,
)
"""What fastavro raises of bytes that are no container, or end too early."""


class Container(NamedTuple):
    """``schema``: the writer's; ``metadata``: what else stands in the header; ``records`` come one by one, once."""

    schema: Any
    metadata: Mapping[str, str]
    records: Iterator[dict[str, Any]]


@contextmanager
def read_container(file: Path) -> Iterator[Container]:
    """Errors: ConfigError where the file is not there, no container, or broken; the row is named."""
    try:
        opened = file.open("rb")
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error}", "name an Avro object container file") from None
    with opened:
        try:
            found = reader(opened)
        except _BROKEN as error:
            raise _broken(file, "its header", error) from None
        yield Container(found.writer_schema, found.metadata, _records(file, found))


@contextmanager
def write_container(
    file: Path, schema: Mapping[str, Any], metadata: Mapping[str, str]
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A function that writes one record. The file stands under its name only when all of it is written.

    Errors: ConfigError where it cannot be written.
    """
    unfinished = file.with_name(f"{file.name}.unfinished")
    try:
        with unfinished.open("wb") as opened:
            out = Writer(opened, dict(schema), codec="deflate", metadata=dict(metadata))
            yield out.write
            out.flush()
        unfinished.replace(file)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error}", "name a file in a folder with room") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _records(file: Path, found: Any) -> Iterator[dict[str, Any]]:
    row = 0
    try:
        for row, record in enumerate(found, start=1):  # noqa: B007 (told where it breaks)
            yield record
    except _BROKEN as error:
        raise _broken(file, f"what follows row {row}", error) from None


def _broken(file: Path, what: str, error: Exception) -> ConfigError:
    said = f"{file} is no whole Avro object container: {what} cannot be read ({error!r})"
    return ConfigError(said, "is it complete? write it again")
