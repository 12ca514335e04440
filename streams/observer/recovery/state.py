"""State records: what the fold of a partition is, in pieces, of which a checkpoint writes those that have changed.

    ["clock"]                               greatest event times, offsets, rewinds (replay.py)         JSON
    ["model", m]                            seats, editions, counters, activations                      JSON
    ["pool", p]                             members, columns of rows                                    JSON
    ["specification", m, edition]           so that a pane can be read whatever the catalogue has       JSON
    ["predictions"|"truths", p, seq, first] rows first.. of a segment, column behind column            bytes
    ["met"|"used", p, seq]                  status of a segment's predictions|truths, four to a byte   bytes
    ["features"|"labels", m, edition, seat, bucket, pane]   an open pane: total and parts              bytes
    ["paired", m, edition, seats, bucket, pane]             the same (join/paired.py)                       bytes
    ["features|labels of segments", m, edition, seat and segment, bucket, pane]    the same             bytes

A key is the JSON of the list. A segment that is being filled is written in parts, the new rows of each checkpoint;
sixteen parts, or the full segment, become one. Restored from these records a fold goes on as if nothing had been.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.fold import BEGIN_ANEW
from driftloop.streams.observer.join.pool import Pool
from driftloop.streams.observer.join.pools import Pools
from driftloop.streams.observer.join.rows import BASE, SEGMENT_ROWS, Rows, Segment
from driftloop.streams.observer.join.seats import Seats
from driftloop.streams.observer.model import ModelFold
from driftloop.streams.observer.panes.edition import Edition
from driftloop.streams.observer.panes.panes import PaneKey, Panes
from driftloop.streams.observer.panes.table import Sums, Tables
from driftloop.streams.observer.recovery.replay import NOTHING, Replay
from numpy.typing import NDArray

PARTS_MOST = 16
STORES = ("predictions", "truths")
_PART = struct.Struct("<d4qHI")
"""Instant (NaN: the total), span, number of sums, number of columns."""
_compact = json.JSONEncoder(separators=(",", ":")).encode
Record = tuple[bytes, bytes | None]


def key_of(what: str, model: str = "", *numbers: int) -> bytes:
    """The key of a record: a JSON list, written by hand because a checkpoint has many."""
    name = f",{_quoted(model)}" if model else ""
    return f'["{what}"{name}{"".join([f",{n}" for n in numbers])}]'.encode()


@lru_cache(1_000)
def _quoted(model: str) -> str:
    return json.dumps(model)


def model_records(fold: ModelFold) -> Iterator[Record]:
    """The records of a model that have changed since they were last asked for."""
    model = fold.model
    if fold.changed:
        fold.changed = False
        yield key_of("model", model), _compact(_summary(fold)).encode()
        for number in fold.editions.keys() - fold.saved_editions:
            yield key_of("specification", model, number), fold.editions[number].spec.to_json().encode()
        for number in fold.saved_editions - fold.editions.keys():
            yield key_of("specification", model, number), None
        fold.saved_editions = set(fold.editions)
    for number, edition in fold.editions.items():
        for name, panes in edition.panes.items():
            for key in panes.changed:
                open_ = key in panes.panes
                yield key_of(name, model, number, *key), encode_pane(panes, key) if open_ else None
            panes.changed.clear()


def pool_records(pools: Pools) -> Iterator[Record]:
    """The records of all pools that have changed since they were last asked for."""
    for pool in pools:
        name = str(pool.number)
        if pool.changed:
            pool.changed = False
            yield key_of("pool", name), _compact(_summary_of_pool(pool)).encode()
        yield from _row_records(name, "predictions", "met", pool.join.predictions)
        yield from _row_records(name, "truths", "used", pool.join.truths)


def forget_changes(models: Iterable[ModelFold], pools: Pools) -> None:
    """Nobody will go on from here: what has changed needs not be remembered, and would grow with the panes."""
    for pool in pools:
        for rows in pool.stores():
            rows.forgotten.clear()
    for model in models:
        for edition in model.editions.values():
            for panes in edition.panes.values():
                panes.changed.clear()


def restore_models(records: Mapping[bytes, bytes], replay: Replay = NOTHING) -> tuple[dict[str, ModelFold], Pools]:
    """The models of a partition. Errors: ConfigError where a record is none of ours."""
    try:
        entries = sorted((json.loads(key), value) for key, value in records.items())
        specifications: dict[tuple[str, int], MonitorSpecification] = {}
        rows: dict[tuple[str, str], dict[int, list[tuple[int, bytes]]]] = {}
        statuses: dict[tuple[str, str], dict[int, bytes]] = {}
        for (what, model, *rest), value in entries:
            if what == "specification":
                specifications[model, rest[0]] = MonitorSpecification.from_json(value.decode())
            elif what in ("predictions", "truths"):
                rows.setdefault((what, model), {}).setdefault(rest[0], []).append((rest[1], value))
            elif what in ("met", "used"):
                statuses.setdefault((what, model), {})[rest[0]] = value
        folds: dict[str, ModelFold] = {}
        pools = Pools()
        for (what, model, *_), value in entries:
            if what == "model":
                folds[model] = _from_summary(model, json.loads(value), specifications, pools.tables, replay)
        told = [(int(pool), json.loads(value)) for (what, pool, *_), value in entries if what == "pool"]
        for number, summary in sorted(told, key=lambda one: one[0]):
            members = [None if model is None else folds[model] for model in summary["members"]]
            pool = pools.restore(number, summary["columns"], members)
            for name, status, store in zip(STORES, ("met", "used"), pool.stores(), strict=True):
                of = str(number)
                _restore_rows(store, rows.pop((name, of), {}), statuses.pop((status, of), {}))
        homeless = folds.keys() - {model.model for pool in pools for model in pool.models}
        if rows or statuses or homeless:
            raise ValueError(f"of no pool: {[*rows, *statuses, *homeless]}")
        for (what, model, *rest), value in entries:
            if what.startswith(("features", "labels", "paired")):
                decode_pane(folds[model].editions[rest[0]].panes[what], PaneKey(*rest[1:]), value)
    except (ValueError, KeyError, TypeError, IndexError, struct.error) as error:
        raise ConfigError(
            f"the observer's state cannot be read: {error!r}",
            f"was it written by another version? that one can go on; or, {BEGIN_ANEW}",
        ) from error
    return folds, pools


def _summary_of_pool(pool: Pool) -> dict[str, Any]:
    return {
        "members": [model and model.model for model in pool.members],
        "columns": [shape_of(rows) for rows in pool.stores()],
    }


def _summary(fold: ModelFold) -> dict[str, Any]:
    return {
        "active": fold.active,
        "seats": fold.seats.names,
        "totals": fold.counters.totals,
        "pending": sorted(fold.counters.pending.items()),
        "activations": fold.activations,
        "segmentations": fold.segmentations,
    }


def shape_of(rows: Rows) -> list[tuple[str, str]]:
    """Columns behind those that every store has: they are written in this order."""
    return [(name, kind.str) for name, kind in rows.types.items() if name not in BASE]


def _from_summary(
    model: str,
    summary: dict[str, Any],
    specifications: dict[tuple[str, int], MonitorSpecification],
    tables: Tables,
    replay: Replay,
) -> ModelFold:
    fold = ModelFold(specifications[model, summary["active"]], tables, summary.get("segmentations", 0), replay)
    numbers = [number for of, number in specifications if of == model]
    fold.active = summary["active"]
    fold.editions = {
        number: Edition(specifications[model, number], tables, replay.first_revision) for number in sorted(numbers)
    }
    fold.saved_editions = set(numbers)
    fold.seats = Seats([(version, role) for version, role in summary["seats"]])
    fold.counters.restore(summary["totals"], dict(summary["pending"]))
    fold.activations = summary["activations"]
    fold.changed = False
    return fold


def _row_records(pool: str, what: str, status: str, rows: Rows) -> Iterator[Record]:
    for segment in rows.forgotten:
        for first in segment.saved_parts:
            yield key_of(what, pool, segment.sequence, first), None
        if segment.status_saved:
            yield key_of(status, pool, segment.sequence), None
    rows.forgotten.clear()
    for segment in rows:
        if segment.saved_rows < segment.rows:
            yield from _parts(pool, what, rows, segment)
        if segment.status_changed:
            segment.status_changed, segment.status_saved = False, True
            here = rows.status[segment.base : segment.base + segment.rows]
            yield key_of(status, pool, segment.sequence), _pack_status(here)


def _parts(pool: str, what: str, rows: Rows, segment: Segment) -> Iterator[Record]:
    """The new rows of a segment; all of them when it is full or in many parts."""
    first = segment.saved_rows
    if not first or segment.rows == SEGMENT_ROWS or len(segment.saved_parts) >= PARTS_MOST:
        for part in segment.saved_parts[1:]:
            yield key_of(what, pool, segment.sequence, part), None
        segment.saved_parts, first = [], 0
    segment.saved_parts.append(first)
    segment.saved_rows = segment.rows
    here = slice(segment.base + first, segment.base + segment.rows)
    yield (
        key_of(what, pool, segment.sequence, first),
        b"".join([column[here].tobytes() for column in rows.columns.values()]),
    )


def _restore_rows(store: Rows, segments: dict[int, list[tuple[int, bytes]]], statuses: dict[int, bytes]) -> None:
    row_bytes = sum(t.itemsize for t in store.types.values())
    for sequence, parts in sorted(segments.items()):
        parts.sort()
        pieces: list[dict[str, NDArray[Any]]] = []
        for _, value in parts:
            count, at = len(value) // row_bytes, 0
            piece = {}
            for name, kind in store.types.items():
                piece[name] = np.frombuffer(value, kind, count, at)
                at += count * kind.itemsize
            pieces.append(piece)
        rows = {name: np.concatenate([piece[name] for piece in pieces]) for name in store.types}
        status = _unpack_status(statuses.get(sequence, b""), len(rows["ids"]))
        store.restore(sequence, rows, status, [first for first, _ in parts], sequence in statuses)


def _pack_status(status: NDArray[np.int8]) -> bytes:
    padded = np.zeros((len(status) + 3) // 4 * 4, np.uint8)
    padded[: len(status)] = status
    four = padded.reshape(-1, 4) << np.array([0, 2, 4, 6], np.uint8)
    return bytes(np.bitwise_or.reduce(four, axis=1).tobytes())


def _unpack_status(packed: bytes, rows: int) -> NDArray[np.int8]:
    """Rows that came after it was written are waiting."""
    found = (np.frombuffer(packed, np.uint8)[:, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    status = np.zeros(rows, np.int8)
    known = found.ravel()[:rows]
    status[: len(known)] = known
    return status


def encode_pane(panes: Panes, key: PaneKey) -> bytes:
    """revision, then the total, if there is one, and the parts: instant, span, sums, columns, counts."""
    pane = panes.panes[key]
    parts = panes.parts_of(key)
    if pane.total is not None:
        parts.insert(0, (math.nan, pane.total))
    encoded = [struct.pack("<iH", pane.revision, len(parts))]
    for due, sums in parts:
        encoded += [
            _PART.pack(due, *sums.span, len(sums.sums), len(sums.columns)),
            struct.pack(f"<{len(sums.sums)}q", *sums.sums),
            sums.columns.tobytes(),
            sums.counts.tobytes(),
        ]
    return b"".join(encoded)


def decode_pane(panes: Panes, key: PaneKey, data: bytes) -> None:
    """Put an encoded pane back."""
    revision, count = struct.unpack_from("<iH", data)
    at = struct.calcsize("<iH")
    total: Sums | None = None
    parts: list[tuple[float, Sums]] = []
    for _ in range(count):
        due, *span, sums, columns = _PART.unpack_from(data, at)
        at += _PART.size
        values = struct.unpack_from(f"<{sums}q", data, at)
        at += 8 * sums
        where = np.frombuffer(data, np.int32, columns, at)
        counts = np.frombuffer(data, np.int32, columns, at + 4 * columns)
        at += 8 * columns
        found = Sums(where, counts, values, (span[0], span[1], span[2], span[3]))
        if math.isnan(due):
            total = found
        else:
            parts.append((due, found))
    panes.restore(key, revision, total, parts)
