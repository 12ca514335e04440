"""What events and the parts they are made of have in common, dataclasses (events.py) and tuples (event_parts.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any


def is_record(value: Any) -> bool:
    """An event or a part, or the class of one."""
    return is_dataclass(value) or hasattr(value, "_fields")


def names_of(record: Any) -> tuple[str, ...]:
    """The fields of a record, or of the class of one, in their order."""
    return tuple(f.name for f in fields(record)) if is_dataclass(record) else record._fields


def defaults_of(record: Any) -> Mapping[str, Any]:
    """What fields that may be left out hold then."""
    if not is_dataclass(record):
        return record._field_defaults  # type: ignore[no-any-return]
    made = {f.name: f.default_factory() for f in fields(record) if f.default_factory is not MISSING}
    return {f.name: f.default for f in fields(record) if f.default is not MISSING} | made
