"""From the framing at the front of a prediction to the way its fields are found: one ``PredictionReader`` a schema.

A schema is read the fast way if its leading doubles hold event_time, the scores and every numeric feature that it has
at all, and the fixed fields behind them every embedding; any other goes through fastavro, record by record. Both end
in the same columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from driftloop.schemas.batches.alike import SharedTails, tail_shape
from driftloop.schemas.batches.prediction import NAMESPACE, ROLES, layout, record_name
from driftloop.schemas.batches.tails import KEPT_BYTES_MOST, Tail, Tails, TailTable, TruthTable, TruthTail
from driftloop.schemas.batches.texts import read_texts, texts_of
from driftloop.schemas.batches.vectors import NO_VECTOR, VectorBlock, Vectors, vector_of
from driftloop.schemas.codec import NAMESPACE as EVENTS_NAMESPACE
from driftloop.schemas.codec import is_event
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import Label
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.outcome import truth_code
from driftloop.schemas.wire import Framing, Schema, parse, read_body
from numpy.typing import NDArray

_APPLY = "`driftloop monitor apply` makes a model known"
Block = NDArray[np.float64]
VERSION_CHARACTERS_MOST = 256
"""A longer name would make panes and state records that no topic takes."""


class PredictionReader:
    """Reads what one schema wrote into the columns of the model's specification (``spec.numeric``)."""

    def __init__(self, writer: Schema, header: bytes, spec: MonitorSpecification, table: TailTable) -> None:
        self.writer, self.header, self.spec, self.table = writer, header, spec, table
        fields = writer.definition["fields"]
        leading = _leading_doubles(fields)
        names = {f["name"] for f in fields}
        known = [f.field for f in spec.numeric if f.field in names]
        self.width = len(leading)
        self.vectors = VectorBlock(spec.embeddings, fields[self.width :])
        self.fixed_bytes = len(header) + 8 * self.width + self.vectors.bytes
        vectors = {f.field for f in spec.embeddings} & names
        scores = [name for name in spec.score_fields if name in names or spec.task != "multiclass"]
        self.fast = {"event_time", *scores, *known} <= set(leading) and vectors == self.vectors.names
        if self.fast:
            tail = fields[self.width + self.vectors.fields :]
            self._tail_schema, self._texts = parse(writer.definition | {"fields": tail}), texts_of(tail)
            self._time = leading.index("event_time")
            self._scores = [leading.index(name) if name in leading else -1 for name in spec.score_fields]
            self._columns = [leading.index(f.field) if f.field in leading else -1 for f in spec.numeric]
            first = self._columns[0] if self._columns else 0
            self._adjacent = slice(first, first + len(self._columns))
            self._in_order = self._columns == list(range(first, first + len(self._columns)))
        self.shape = self._shape(fields) if self.fast else None
        """Readers of one shape find everything at the same place (alike.py); None: nobody else does as this one."""

    def _shape(self, fields: list[dict[str, Any]]) -> Hashable | None:
        tail = tail_shape(fields[self.width :], [f.field for f in self.spec.categorical])
        if tail is None or self.vectors.fields or self.spec.embeddings:
            return None
        places = (self._time, tuple(self._scores), tuple(self._columns))
        return (len(self.header), self.width, self.spec.task, places, tail, len(self.spec.categorical))

    def split(self, block: Block) -> tuple[Block, Block, Block]:
        """(event_time, score, numeric) out of f8[n, width]. A feature that the writer does not know is NaN.

        score is f8[n], of a multiclass model f8[n, K]; a class that the writer does not know has 0."""
        if self._in_order:
            numeric = block[:, self._adjacent]
        else:
            numeric = np.full((len(block), len(self._columns)), np.nan)
            for column, position in enumerate(self._columns):
                if position >= 0:
                    numeric[:, column] = block[:, position]
        return block[:, self._time].copy(), self._score(block), numeric

    def _score(self, block: Block) -> Block:
        if self.spec.task != "multiclass":
            return block[:, self._scores[0]].copy()
        found = block[:, self._scores]
        found[:, np.array(self._scores) < 0] = 0.0
        return found

    def read_vectors(self, values: Sequence[bytes | None]) -> Vectors | None:
        """f4[n, W] of the embeddings; None: a value ends within them."""
        return self.vectors.read(values, len(self.header) + 8 * self.width)

    def read_tail(self, data: bytes) -> int:
        """Index of this tail in ``table.tails``. Errors: BadRecord."""
        record: Mapping[str, Any] | None = None if self._texts is None else read_texts(self._texts, data)
        return self.table.add(self._tail(read_body(self._tail_schema, data, 0) if record is None else record))

    def read_slowly(self, data: bytes) -> tuple[float, list[float], list[float], int, Vectors]:
        """(event_time, scores, numeric, index of the tail, embeddings) of a whole record through fastavro.

        Errors: BadRecord."""
        record = read_body(self.writer, data, len(self.header))
        tail = self.table.add(self._tail(record))
        numeric = [_number(record, f.field) for f in self.spec.numeric]
        absent = 0.0 if self.spec.task == "multiclass" else math.nan
        scores = [_number(record, name) if name in record else absent for name in self.spec.score_fields]
        vectors = [vector_of(f, record) for f in self.spec.embeddings]
        whole = np.concatenate(vectors) if vectors else NO_VECTOR
        return _number(record, "event_time"), scores, numeric, tail, whole

    def _tail(self, record: Mapping[str, Any]) -> Tail:
        model = record.get("model")
        if model != self.spec.model:
            hint = f"this schema belongs to {self.spec.model}: apply a monitor for the other model"
            raise BadRecord("unknown-model", f"the record says model {model!r}", hint)
        version, role = record.get("model_version"), record.get("role", "champion")
        if not isinstance(version, str) or not version:
            raise BadRecord("wrong-type", f"model_version is {version!r}, not a text", "every prediction names it")
        if len(version) > VERSION_CHARACTERS_MOST:
            hint = f"at most {VERSION_CHARACTERS_MOST}: every pane of the version carries its name"
            raise BadRecord("too-large", f"model_version has {len(version)} characters", hint)
        if role not in ROLES:
            raise BadRecord("unknown-role", f"role is {role!r}", f"one of {', '.join(ROLES)}")
        return Tail(
            version, role, _text(record, "predicted"), tuple([_text(record, f.field) for f in self.spec.categorical])
        )


def _leading_doubles(fields: list[dict[str, Any]]) -> list[str]:
    names: list[str] = []
    for f in fields:
        if f["type"] not in ("double", {"type": "double"}):
            break
        names.append(f["name"])
    return names


def _number(record: Mapping[str, Any], name: str) -> float:
    """A missing number is NaN, whether it is null or not in the writer's schema at all."""
    value = record.get(name)
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRecord("wrong-type", f"{name} is {value!r}, not a number", "double, or null or NaN where missing")
    return float(value)


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRecord(
            "wrong-type", f"{name} is {value!r}, not a text", "a category is a string, null where missing"
        )
    return value


def _no_prediction(header: bytes) -> BadRecord:
    return BadRecord("no-prediction", f"schema {header.hex()} is an event's")


class Layouts:
    """Every way in which predictions may be written, for the models that are known. Used by one thread.

    ``specifications``: the live one by model. ``schemas``: writers' schemas by fingerprint, as the schemas topic has
    them; the one that prediction.py generates is known without. ``schema_of_id``: a registry, for Confluent framing.
    """

    def __init__(
        self,
        specifications: Mapping[str, MonitorSpecification],
        schemas: Mapping[bytes, Mapping[str, Any]] | None = None,
        schema_of_id: Callable[[int], Mapping[str, Any] | None] | None = None,
    ) -> None:
        self.specifications = dict(specifications)
        self.truths = TruthTable()
        self._by_name = {f"{NAMESPACE}.{record_name(model)}": spec for model, spec in self.specifications.items()}
        generated = [layout(spec).record for spec in self.specifications.values()]
        self._schemas = dict(schemas or {}) | {s.fingerprint: s.definition for s in generated}
        self.framing = Framing(schema_of_id, schema_of_fingerprint=self._schemas.get)
        self._tables = {model: TailTable(spec) for model, spec in self.specifications.items()}
        self._shared: dict[Hashable, SharedTails] = {}
        self._every_table: list[TailTable | TruthTable | SharedTails] = [self.truths, *self._tables.values()]
        self._readers: dict[bytes, PredictionReader] = {}

    def begin_batch(self) -> None:
        """Bound the tables of tails, one by one and together; called before a batch is read."""
        long = [table for table in self._every_table if table.is_long]
        kept = sum([table.bytes for table in self._every_table if table not in long])
        if kept > KEPT_BYTES_MOST:
            average = kept / len(self._every_table)
            long += [table for table in self._every_table if table.bytes >= average and table not in long]
        for table in [*long, *(self._shared.values() if long else ())]:  # the shared ones point into the others
            table.start()

    def shared_tails(self, shape: Hashable) -> SharedTails:
        """The memo of all readers of this shape."""
        if shape not in self._shared:
            self._shared[shape] = SharedTails()
            self._every_table.append(self._shared[shape])
        return self._shared[shape]

    def tails(self, model: str) -> Tails:
        """The table that ``tail`` of this model's columns points into, until the next batch."""
        return self._tables[model].tails

    def add_truth(self, model: str, label: Label) -> int:
        """Index of this truth's tail in ``truths``. Errors: BadRecord ``unknown-model``."""
        spec = self.specifications.get(model)
        if spec is None:
            raise BadRecord("unknown-model", f"{model!r} is no model that is monitored", _APPLY)
        return self.truths.add(TruthTail(model, label, truth_code(label, spec.task, spec.classes)))

    def reader(self, header: bytes) -> PredictionReader:
        """How records with this framing are read.

        Errors: BadRecord ``unknown-schema``, ``bad-schema``, ``unknown-model``; ``no-prediction``: it is an event.
        """
        found = self._readers.get(header)
        if found is None:
            if is_event(header):
                raise _no_prediction(header)
            writer = self.framing.schema(header)
            if writer.name.startswith(f"{EVENTS_NAMESPACE}."):
                raise _no_prediction(header)
            spec = self._by_name.get(writer.name)
            if spec is None:
                raise BadRecord("unknown-model", f"{writer.name} is no model that is monitored", _APPLY)
            found = self._readers[header] = PredictionReader(writer, header, spec, self._tables[spec.model])
        return found
