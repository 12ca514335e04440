"""One example of every event, made from the types of its fields: the same each time."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union

from driftloop.schemas import events
from driftloop.schemas.records import is_record, names_of
from hypothesis import strategies as st

TIMES = (1_357_034_400.0, 1_388_534_399.5)


def example(kind: Any, name: str = "event", depth: int = 0) -> Any:
    """A value of a type of events.py; numbers and texts follow from the field's name, so that no two fields agree."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_record(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: example(hints[name], name, depth + 1) for name in names_of(kind)})
    if kind == events.Label:
        return 1
    if origin in (Union, UnionType):
        return example(arguments[0], name, depth)
    if origin is tuple:
        return (example(arguments[0], name, depth), example(arguments[0], name + "'", depth))
    if origin in (dict, Mapping):
        return {name: example(arguments[1], name, depth)}
    seed = sum(map(ord, name)) + depth
    return {
        str: f"{name}é",
        int: seed,
        float: TIMES[seed % 2] if "time" in name or name.endswith(("_at", "as_of", "start")) else seed / 8,
        bool: seed % 2 == 0,
    }[kind]


def any_event(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type of events.py that Avro can hold."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_record(kind):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{name: any_event(hints[name]) for name in names_of(kind)})
    if kind == events.Label:
        return st.one_of(st.none(), any_event(str), any_event(float), any_event(int), st.booleans())
    if origin in (Union, UnionType):
        return st.one_of(*[any_event(a) if a is not type(None) else st.none() for a in arguments])
    if origin is tuple:
        return st.lists(any_event(arguments[0]), max_size=3).map(tuple)
    if origin in (dict, Mapping):
        return st.dictionaries(any_event(str), any_event(arguments[1]), max_size=3)
    return {
        str: st.text(st.characters(codec="utf-8"), max_size=8),
        int: st.integers(-(2**63), 2**63 - 1),
        float: st.floats(allow_nan=False) | st.just(math.inf),
        bool: st.booleans(),
    }[kind]
