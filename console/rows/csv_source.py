"""CSV with a header line, UTF-8: commas, semicolons or tabs, whichever parts the header; an empty cell is missing."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from driftloop.console.rows.source import CHUNK_ROWS, Chunk, Places
from driftloop.schemas.errors import ConfigError

SEPARATORS = ",;\t"
_FIELD_BYTES_MOST = 1_000_000


class CsvSource:
    """Lines are counted from 1, the header's; a row of several lines stands where it ends."""

    def __init__(self, file: Path) -> None:
        csv.field_size_limit(_FIELD_BYTES_MOST)  # an embedding is one cell
        self._file, self.head = file, f"{file}:1"
        with self._opened() as lines:
            first = next(lines, "")
        found = [next(csv.reader([first], delimiter=separator), []) for separator in SEPARATORS]
        names = max(found, key=len)
        self._separator = SEPARATORS[found.index(names)]
        self.columns = tuple(name.strip() for name in names)
        if not any(self.columns):
            raise ConfigError(f"{self.head}: there is no header", "the first line names the columns")

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        at = [self.columns.index(name) for name in wanted]
        with self._opened() as lines:
            reader = csv.reader(lines, delimiter=self._separator, strict=True)
            next(reader)
            rows = self._sound(reader)
            while some := list(islice(rows, CHUNK_ROWS)):
                columns = list(zip(*(row for _, row in some), strict=True))
                yield Chunk(
                    Places(f"{self._file}:", [line for line, _ in some]),
                    {name: [cell or None for cell in columns[j]] for name, j in zip(wanted, at, strict=True)},
                )

    def _sound(self, reader: Any) -> Iterator[tuple[int, list[str]]]:
        width = len(self.columns)
        try:
            for row in reader:
                if len(row) == width:
                    yield reader.line_num, row
                elif row:  # an empty line is no row
                    said = f"{self._file}:{reader.line_num}: has {len(row)} cells, the header {width}"
                    raise ConfigError(said, "quote a cell that holds the separator; leave empty what is missing")
        except csv.Error as error:
            raise ConfigError(
                f"{self._file}:{reader.line_num}: this is no CSV: {error}", "quote as RFC 4180"
            ) from None

    @contextmanager
    def _opened(self) -> Iterator[Iterator[str]]:
        try:
            with self._file.open(encoding="utf-8-sig", newline="") as lines:
                yield lines
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self._file} cannot be read: {error}", "rows are CSV in UTF-8") from None
