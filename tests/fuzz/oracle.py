"""What may be said of a record: read by fastavro, and checked in plain words, apart from the product.

``judge`` gives everything that is wrong with a record; the product may name any of it, and must name some of it, or
take the record with exactly the values that are found here.
"""

from __future__ import annotations

import io
import math
import struct
from typing import Any, NamedTuple

import fastavro
from driftloop.schemas.released import released

from .models import SPECIFICATIONS, headers_known

BYTES_MOST = 1_000_000
VERSION_BYTES_MOST = 256
EVENTS = {f"driftloop.v1.{name}": versions for name, versions in released().items()}


class Judged(NamedTuple):
    """``faults``: reasons; none: it can be used. ``row``: what a reader must make of it; None for a marker."""

    faults: set[str]
    model: str = ""
    row: tuple[Any, ...] | None = None
    marker: float | None = None


class Oracle:
    """``registry``: ids of the Confluent framing are known."""

    def __init__(self, registry: bool) -> None:
        known = headers_known(registry)
        for versions in EVENTS.values():
            known |= {b"\xc3\x01" + schema.fingerprint: schema.definition for schema in versions}
        self._known = {header: fastavro.parse_schema(definition) for header, definition in known.items()}

    def judge(self, short: str, key: bytes | None, value: bytes | None, timestamp_ms: int) -> Judged:
        if not value:
            return Judged({"empty"})
        faults = {"too-large"} if len(value) > BYTES_MOST else set[str]()
        size = 10 if value.startswith(b"\xc3\x01") else 5 if value.startswith(b"\x00") else 0
        schema = self._known.get(value[:size])
        if schema is None:
            unread = "unknown-framing" if not size else "truncated" if len(value) < size else "unknown-schema"
            return Judged(faults | {unread})
        record, why = self._read(schema, value, size)
        name = schema["name"]
        if not self._belongs(short, name):
            return Judged(faults | why | {"unknown-schema", "unknown-model"})
        if record is None or faults:
            return Judged(faults | why)
        faults = _time_faults(record["event_time"], timestamp_ms)
        if name.endswith(".TimeMarker"):
            return Judged(faults, marker=record["event_time"])
        if not key:
            faults.add("key-missing")
        return self._truth(record, faults) if short == "ground-truth" else self._prediction(record, name, faults)

    def _belongs(self, short: str, name: str) -> bool:
        if name == "driftloop.v1.TimeMarker":
            return True
        if short == "ground-truth":
            return name == "driftloop.v1.GroundTruth"
        return name.startswith(
            ("driftloop.predictions.loans", "driftloop.predictions.clicks", "driftloop.predictions.w_")
        )

    def _read(self, schema: Any, value: bytes, start: int) -> tuple[dict[str, Any] | None, set[str]]:
        source = io.BytesIO(value)
        source.seek(start)
        try:
            record = fastavro.schemaless_reader(source, schema, None)
        except EOFError:
            return None, {"truncated"}
        except UnicodeDecodeError:
            return None, {"not-utf8"}
        except Exception:  # fastavro has many ways to say it
            return None, {"wrong-type"}
        if source.tell() != len(value):
            return None, {"trailing-bytes"}
        return record, set()

    def _truth(self, record: dict[str, Any], faults: set[str]) -> Judged:
        model = record["model"]
        if model not in SPECIFICATIONS:
            return Judged(faults | {"unknown-model"})
        value = record["value"]
        row = (record["event_time"], repr(record["label"]), math.nan if value is None else value)
        return Judged(faults, model, row)

    def _prediction(self, record: dict[str, Any], name: str, faults: set[str]) -> Judged:
        model = {"driftloop.predictions.loans": "loans", "driftloop.predictions.clicks": "clicks"}.get(name, "w-é")
        if record["model"] != model:
            faults.add("unknown-model")
        if not record["model_version"]:
            faults.add("wrong-type")
        if len(record["model_version"]) > VERSION_BYTES_MOST:
            faults.add("too-large")
        if record["role"] not in ("champion", "challenger", "history"):
            faults.add("unknown-role")
        if not 0.0 <= record["score"] <= 1.0:
            faults.add("score-not-a-probability")
        spec = SPECIFICATIONS[model]
        numbers = [record[f.field] for f in spec.numeric]
        row = (
            record["event_time"],
            record["score"],
            *[math.nan if number is None else number for number in numbers],
            record["model_version"],
            record["role"],
            record["predicted"],
            *[record[f.field] for f in spec.categorical],
        )
        return Judged(faults, model, row)


def _time_faults(event_time: float, timestamp_ms: int) -> set[str]:
    if math.isnan(event_time) or math.isinf(event_time):
        return {"event-time-not-a-number"}
    if event_time < 946_684_800:
        return {"event-time-before-2000"}
    return {"event-time-in-the-future"} if event_time * 1000 > timestamp_ms + 600_000 else set()


def same(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    """Equal to the bit, NaN to any NaN."""
    return len(a) == len(b) and all(
        (x == y and type(x) is type(y)) or _bits(x) == _bits(y) for x, y in zip(a, b, strict=True)
    )


def _bits(x: Any) -> Any:
    if not isinstance(x, float):
        return (type(x), x)
    return "nan" if math.isnan(x) else struct.pack("<d", x)
