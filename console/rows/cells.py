"""A column of a chunk as what the monitor takes it for. A cell that is none of it is refused by its place. Pure."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, NoReturn

import numpy as np
from driftloop.console.rows.source import Places, Values
from driftloop.schemas.batches.batch import event_time_fault
from driftloop.schemas.batches.vectors import vector_bytes
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.monitor.specification import Feature
from driftloop.schemas.outcome import label_code
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_MILLISECONDS = 1e11
"""Seconds beyond the year 5138: these are milliseconds, or less."""


class Cells(NamedTuple):
    """One column of a chunk."""

    places: Places
    column: str
    values: Values

    def is_empty(self, row: int) -> bool:
        """None, NaN or NaT."""
        value = self.values[row]
        return value is None or bool(value != value)  # noqa: PLR0124 (what is not a number is not itself)

    def refuse(self, row: int, why: str, hint: str) -> NoReturn:
        """ConfigError: this cell cannot be used."""
        value = self.values[row]
        plain = value.item() if isinstance(value, np.generic) else value
        raise ConfigError(f"{self.places.of(row)}: {self.column} is {plain!r:.80}, {why}", hint)


def numbers(cells: Cells) -> Floats:
    """f8[n], NaN where a cell is empty."""
    if isinstance(cells.values, np.ndarray) and cells.values.dtype.kind in "fiu":
        return cells.values.astype(np.float64)
    if isinstance(cells.values, np.ndarray):
        cells.refuse(0, "not a number", "leave the cell empty where the number is missing")
    try:
        return np.array([math.nan if v is None else float(v) for v in cells.values])
    except (ValueError, TypeError, OverflowError):
        wrong = next(i for i, v in enumerate(cells.values) if not _is_number(v))
        cells.refuse(wrong, "not a number", "leave a cell empty where the number is missing")


def _is_number(value: Any) -> bool:
    try:
        float(0.0 if value is None else value)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def texts(cells: Cells, seen: dict[str, str]) -> NDArray[Any]:
    """object[n] of str | None; whole numbers as they are written. ``seen``: one object for equal texts."""
    found = np.empty(len(cells.values), object)
    for row, value in enumerate(_plain(cells.values)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, str | int):
            cells.refuse(row, "not a category", "write categories as texts, the ones that the app sends")
        text = value if isinstance(value, str) else str(value)
        found[row] = seen.setdefault(text, text)
    return found


def times(cells: Cells, may_be_empty: bool = False) -> Floats:
    """Event times, f8[n]: seconds since the epoch, or instants; a text is ISO 8601, UTC where it names no zone.
    NaN where a cell ``may_be_empty`` and is."""
    values = cells.values
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        instants = values.astype("datetime64[us]")
        found = np.where(np.isnat(instants), np.nan, instants.astype(np.int64) / 1e6)
    elif isinstance(values, np.ndarray):
        found = numbers(cells)
    else:
        found = np.array([_instant(v) for v in values])
    now_ms = int(time.time() * 1000)
    with np.errstate(invalid="ignore"):
        suspects = ~((found > 946_684_800.0) & (found < now_ms / 1000.0))
    for row in np.flatnonzero(suspects).tolist():
        if may_be_empty and cells.is_empty(row):
            continue
        if fault := event_time_fault(float(found[row]), now_ms):
            late = "seconds are wanted: are these milliseconds?" if found[row] > _MILLISECONDS else ""
            cells.refuse(
                row, f"no event time: {fault[0]}", late or "seconds since 1970, or such as 2026-01-31T10:00Z"
            )
    return found


def _instant(value: Any) -> float:
    """NaN: it is none."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return math.nan
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    return float(value) if isinstance(value, int | float) else math.nan


def codes(cells: Cells, classes: Sequence[str]) -> NDArray[np.int8]:
    """Index of the class that each cell names; -1: it is empty. A text may be a number or a truth value (CSV)."""
    known: dict[Any, int] = {}
    found = np.full(len(cells.values), -1, np.int8)
    for row, value in enumerate(_plain(cells.values)):
        if value is None:
            continue
        key = (type(value), value)
        if key not in known:
            known[key] = _code(value, classes)
        if known[key] < 0:
            cells.refuse(row, f"none of the classes {', '.join(classes)}", "leave it empty where it is not known")
        found[row] = known[key]
    return found


def _code(value: Any, classes: Sequence[str]) -> int:
    code = label_code(value, classes)
    if code < 0 and isinstance(value, str):
        told: Mapping[str, Any] = {"true": True, "false": False}
        number = _number(value)
        code = label_code(told.get(value.lower(), number), classes)
    return code


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def outcomes(cells: Cells) -> Floats:
    """Labels of a regression, f8[n]: finite, or NaN where a cell is empty."""
    found = numbers(cells)
    if (wrong := np.flatnonzero(np.isinf(found))).size:
        cells.refuse(int(wrong[0]), "not finite", "leave it empty where the outcome is not known")
    return found


def vectors(cells: Cells, feature: Feature) -> NDArray[np.float32]:
    """f4[n, width] of an embedding, NaN where a cell is empty; a text is a JSON list."""
    found = []
    for row, value in enumerate(cells.values):
        try:
            found.append(vector_bytes(feature, json.loads(value) if isinstance(value, str) else value))
        except (BadRecord, ValueError) as error:
            cells.refuse(
                row, f"no embedding: {getattr(error, 'message', error)}", f"a list of {feature.width} numbers"
            )
    return np.frombuffer(b"".join(found), "<f4").reshape(len(found), feature.width)


def _plain(values: Values) -> list[Any]:
    """Python's own values, None for NaN."""
    if not isinstance(values, np.ndarray):
        return values
    missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
    return [None if gone else value for value, gone in zip(values.tolist(), missing.tolist(), strict=True)]
