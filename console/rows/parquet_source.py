"""Rows of a Parquet file, through pyarrow, which the extra ``parquet`` installs; an empty cell is a null."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from driftloop.console.rows.source import CHUNK_ROWS, Chunk, Places, Values
from driftloop.schemas.errors import ConfigError

INSTALL = "pip install 'driftloop[parquet]', or write the rows as CSV or Avro"


class ParquetSource:
    """Rows are counted from 1."""

    def __init__(self, file: Path) -> None:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise ConfigError(f"{file}: reading Parquet needs pyarrow: {error}", INSTALL) from error
        self._arrow, self._unreadable = pyarrow, (pyarrow.ArrowException, OSError)
        self._file, self.head = file, str(file)
        try:
            self._rows = parquet.ParquetFile(file)
        except self._unreadable as error:
            raise self._cannot(error) from None
        self.columns = tuple(self._rows.schema_arrow.names)

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        first = 1
        try:
            for batch in self._rows.iter_batches(CHUNK_ROWS, columns=list(wanted)):
                places = Places(f"{self._file}, row ", range(first, first + batch.num_rows))
                yield Chunk(places, {name: self._values(batch.column(name)) for name in wanted})
                first += batch.num_rows
        except self._unreadable as error:
            raise self._cannot(error) from None

    def _values(self, column: Any) -> Values:
        """Numbers and instants as arrays; whole numbers with a null among them would not stay whole."""
        kind, types = column.type, self._arrow.types
        as_array = types.is_floating(kind) or types.is_timestamp(kind) or types.is_date(kind)
        if as_array or (types.is_integer(kind) and not column.null_count):
            found: Values = column.to_numpy(zero_copy_only=False)
        else:
            found = column.to_pylist()
        return found

    def _cannot(self, error: Exception) -> ConfigError:
        return ConfigError(f"{self._file} cannot be read as Parquet: {error}", "is it complete? write it again")
