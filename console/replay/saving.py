"""The file of a past: an Avro object container of batches of records as they stand on the topics, in the order in
which a replay read them, compressed. saved.py reads it; any Avro reader can.

    monitors, schemas, references | commands, windows, drift of the model | predictions and ground-truth | end

A registry's schema stands, under the topic ``registry``, in front of the first record that needs it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from driftloop.schemas.containers import write_container
from driftloop.schemas.wire import CONFLUENT, CONFLUENT_BYTES
from driftloop.streams.fold import SourceRecords

FORMAT = "driftloop.past/1"
COMMANDS, REGISTRY, END = "commands", "registry", "end"
_BYTES = {"type": "array", "items": ["null", "bytes"]}
_LONGS = {"type": "array", "items": "long"}
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Batch",
    "namespace": "driftloop.past",
    "doc": "Records of one partition of a topic, in the order of their offsets.",
    "fields": [
        {"name": "topic", "type": "string", "doc": "Its short name; registry: schemas by id; end: all was written."},
        {"name": "partition", "type": "int", "doc": "Its number; of the end: how many batches stand in front."},
        {"name": "offsets", "type": _LONGS, "doc": "One a record."},
        {"name": "timestamps_ms", "type": _LONGS, "doc": "Kafka's own time of each record, milliseconds since 1970."},
        {"name": "keys", "type": _BYTES, "doc": "As they stand on the topic."},
        {"name": "values", "type": _BYTES, "doc": "As they stand on the topic; null: a tombstone."},
    ],
}
SchemaOfId = Callable[[int], Mapping[str, Any] | None]


@contextmanager
def saving(
    file: Path,
    prefix: str,
    model: str,
    partitions: int,
    records: int,
    ends: Mapping[tuple[str, int], int],
    schema_of_id: SchemaOfId | None,
) -> Iterator[Saver]:
    """``records``: about so many of the sources. ``ends``: by short topic and partition, the offset behind the last.

    Errors: ConfigError."""
    metadata = {
        "driftloop.format": FORMAT,
        "driftloop.prefix": prefix,
        "driftloop.model": model,
        "driftloop.partitions": str(partitions),
        "driftloop.records": str(records),
        "driftloop.ends": json.dumps([[short, partition, end] for (short, partition), end in ends.items()]),
    }
    with write_container(file, SCHEMA, metadata) as write:
        saver = Saver(write, schema_of_id)
        yield saver
        saver.end()


class Saver:
    """Writes batches."""

    def __init__(self, write: Callable[[Mapping[str, Any]], None], schema_of_id: SchemaOfId | None) -> None:
        self._write, self._schema_of_id = write, schema_of_id
        self._ids: set[bytes] = set()
        self._batches = 0

    def records(self, short: str, some: SourceRecords) -> None:
        """Records of a source topic."""
        if not len(some):
            return
        self._schemas(some.values)
        self._batch(short, some.partition, some.offsets, some.timestamps_ms, some.keys, some.values)

    def message(self, short: str, partition: int, offset: int, key: bytes | None, value: bytes | None) -> None:
        """One record of another topic."""
        self._schemas([value])
        self._batch(short, partition, [offset], [-1], [key], [value])

    def end(self) -> None:
        self._batch(END, self._batches, [], [], [], [])

    def _schemas(self, values: Sequence[bytes | None]) -> None:
        if self._schema_of_id is None:
            return
        heads = {v[:CONFLUENT_BYTES] for v in values if v and v[:1] == CONFLUENT and len(v) >= CONFLUENT_BYTES}
        for head in sorted(heads - self._ids):
            number = int.from_bytes(head[1:], "big", signed=True)
            found = self._schema_of_id(number)
            if found is not None:
                self._ids.add(head)
                self._batch(REGISTRY, 0, [number], [-1], [None], [json.dumps(found).encode()])

    def _batch(
        self,
        topic: str,
        partition: int,
        offsets: Sequence[int],
        timestamps_ms: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
    ) -> None:
        columns = {"offsets": offsets, "timestamps_ms": timestamps_ms, "keys": keys, "values": values}
        self._write({"topic": topic, "partition": partition} | {name: list(some) for name, some in columns.items()})
        self._batches += 1
