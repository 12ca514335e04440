"""Batches of ground truth as columns. event_time is read at once, model and label through a memo of their bytes.

The tail of a truth is model, label, value. A value differs from row to row, so the memo is keyed by model and label:
no Avro encoding is the beginning of another, hence ``known head + 02 + eight bytes`` can only mean that head and a
value. A head is known from records that say in one byte whether there is a value: 80 00 is a null too, to Avro.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from driftloop.schemas.batches.batch import TruthColumns, Truths
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.batches.prefix import by_header, bytes_behind, doubles, first_header
from driftloop.schemas.batches.rows import Reading, Values, row_numbers
from driftloop.schemas.batches.tails import TruthTable
from driftloop.schemas.codec import header_bytes, is_event, schema_of
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import GroundTruth
from driftloop.schemas.wire import parse, read_body, read_start
from numpy.typing import NDArray

_HEADER = header_bytes(GroundTruth)
_CURRENT = schema_of(GroundTruth)
_DEFINITION = _CURRENT.definition
_TAIL = parse(_DEFINITION | {"fields": _DEFINITION["fields"][1:]})
_HEAD = parse(_DEFINITION | {"fields": _DEFINITION["fields"][1:3]})
_NO_VALUE = b"\x00"
_VALUE = 2
_VALUE_BYTES = 9
assert _DEFINITION["fields"][0]["name"] == "event_time"


class _Part(NamedTuple):
    """Rows of one framing. ``tail`` -1: the row was refused."""

    rows: NDArray[np.int64]
    event_time: NDArray[np.float64]
    value: NDArray[np.float64]
    tail: NDArray[np.int32]

    def take(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> _Part:
        return _Part(*[column[which] for column in self])  # type: ignore[arg-type]


def read_truths(
    values: Values,
    layouts: Layouts,
    keys: Values | None = None,
    timestamps_ms: Sequence[int] | None = None,
    fast: bool = True,
) -> Truths:
    """Read one batch of the ground-truth topic; as ``read_predictions``, with the same reasons of rejection."""
    reading = Reading(values, keys, timestamps_ms, layouts.framing)
    layouts.begin_batch()
    uniform = _uniform(values, layouts) if fast else None
    if uniform is not None:
        parts = [_fast(reading, layouts, range(len(values)), values, *uniform)]
    else:
        parts = _by_framing(reading, layouts, fast)
    return Truths(_by_model(_merged(parts), reading, layouts) if parts else [], *reading.ledger())


def _uniform(values: Values, layouts: Layouts) -> tuple[NDArray[np.float64], int] | None:
    """(event times, bytes in front of the tails) if the whole batch has one header, of the schema of now."""
    try:
        header = first_header(values)
    except BadRecord:
        return None
    block = doubles(values, header, 1) if _is_current(header, layouts) else None
    return None if block is None else (block, len(header) + 8)


def _is_current(header: bytes, layouts: Layouts) -> bool:
    """Written with the schema of now, whether a fingerprint or a registry's id says so."""
    if header == _HEADER or is_event(header):
        return header == _HEADER
    try:
        return layouts.framing.schema(header).fingerprint == _CURRENT.fingerprint
    except BadRecord:
        return False


def _merged(parts: list[_Part]) -> _Part:
    if len(parts) == 1:
        return parts[0]
    whole = _Part(*map(np.concatenate, zip(*parts, strict=True)))
    return whole.take(np.argsort(whole.rows, kind="stable"))


def _by_model(part: _Part, reading: Reading, layouts: Layouts) -> list[TruthColumns]:
    keep = part.tail >= 0
    reading.check_keys(part.rows, keep)
    reading.check_event_times(part.rows, part.event_time, keep)
    part = part if keep.all() else part.take(keep)
    table = layouts.truths
    if len(table.names) == 1:
        return [_columns(table.names[0], part, table)] if len(part.rows) else []
    models = table.models()[part.tail]
    rows = np.bincount(models, minlength=len(table.names))
    order = sorted(np.flatnonzero(rows).tolist(), key=table.names.__getitem__)
    rank = np.empty(len(rows), np.int16 if len(rows) < 2**15 else np.int64)
    rank[order] = np.arange(len(order))
    part = part.take(np.argsort(rank[models], kind="stable"))  # of a hundred models a mask each would cost more
    ends = np.cumsum(rows[order]).tolist()
    spans = zip(order, [0, *ends], ends, strict=False)
    return [_columns(table.names[model], part.take(slice(first, end)), table) for model, first, end in spans]


def _columns(model: str, part: _Part, table: TruthTable) -> TruthColumns:
    rows, event_time, value, tail = part
    return TruthColumns(model, rows, event_time, table.codes()[tail], value, tail, table.tails)


def _by_framing(reading: Reading, layouts: Layouts, fast: bool) -> list[_Part]:
    groups, faults = by_header(reading.values)
    for row, fault in faults:
        reading.refuse(row, fault)
    parts = []
    for header, rows in groups.items():
        if fast and _is_current(header, layouts):
            start = len(header) + 8
            complete, values = reading.long_enough(rows, start, GroundTruth.__name__)
            block = doubles(values, header, 1)
            assert block is not None, "every row has this header and is long enough"
            parts.append(_fast(reading, layouts, complete, values, block, start))
        else:
            parts.append(_slow(reading, layouts, rows))
    return parts


def _fast(
    reading: Reading, layouts: Layouts, rows: Sequence[int], values: Values, block: NDArray[np.float64], start: int
) -> _Part:
    tails = list(map(bytes_behind(start), values))
    value = np.full(len(rows), math.nan)
    found: list[int | None] = list(map(layouts.truths.memo.get, tails))
    try:
        tail = np.fromiter(found, np.int32, len(found))
    except TypeError:  # a None: tails that are new, or carry a value
        for i, known in enumerate(found):
            if known is None:
                found[i], value[i] = _new_tail(reading, layouts, rows[i], tails[i])
        tail = np.fromiter(found, np.int32, len(found))
    return _Part(row_numbers(rows), block[:, 0], value, tail)


def _new_tail(reading: Reading, layouts: Layouts, row: int, data: bytes) -> tuple[int, float]:
    """(index of the tail, value); index -1 if it cannot be read."""
    memo = layouts.truths.memo
    has_value = len(data) > _VALUE_BYTES and data[-_VALUE_BYTES] == _VALUE
    known = memo.get(data[:-_VALUE_BYTES] + _NO_VALUE) if has_value else memo.get(data)
    if known is not None:
        return known, struct.unpack("<d", data[-8:])[0] if has_value else math.nan
    try:
        reading.value(row)
        record = read_body(_TAIL, data, 0)
        index = layouts.add_truth(record["model"], record["label"])
    except BadRecord as fault:
        reading.refuse(row, fault)
        return -1, math.nan
    value = record["value"]
    plain = read_start(_HEAD, data, 0)[1] == len(data) - (1 if value is None else _VALUE_BYTES)
    if plain:
        layouts.truths.remember(data if value is None else data[:-_VALUE_BYTES] + _NO_VALUE, index)
    return index, math.nan if value is None else value


def _slow(reading: Reading, layouts: Layouts, rows: Sequence[int]) -> _Part:
    kept, found = [], []
    for row in rows:
        try:
            truth = reading.event(row)
            if truth is not None:
                index = layouts.add_truth(truth.model, truth.label)
                found.append((truth.event_time, math.nan if truth.value is None else truth.value, index))
                kept.append(row)
        except BadRecord as fault:
            reading.refuse(row, fault)
    times, values, tails = zip(*found, strict=True) if found else ((), (), ())
    return _Part(
        np.array(kept, dtype=np.int64),
        np.array(times, dtype=np.float64),
        np.array(values, dtype=np.float64),
        np.array(tails, dtype=np.int32),
    )
