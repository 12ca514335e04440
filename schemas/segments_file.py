"""The [segments] of a monitor file: names of categorical features, or a table with the combinations that count.

[segments]
region = ["region"]
route = ["carrier", "origin"]
pilot = { features = ["carrier"], values = [["AA"], ["DL"]] }
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from driftloop.schemas.segments import FEATURES_MOST, SEGMENTATIONS_MOST, SEGMENTS_MOST, Combination, Segmentation
from driftloop.schemas.toml_reader import Table

if TYPE_CHECKING:
    from driftloop.schemas.specification import Feature

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_EXAMPLE = 'route = ["carrier", "origin"]'
_VALUES = 'values = [["AA", "JFK"], ["DL", "ATL"]]'


def compile_segments(table: Table, features: Sequence[Feature]) -> tuple[Segmentation, ...]:
    """The segmentations of a table. Errors: ConfigError, the first mistake."""
    categorical = {f.name for f in features if f.kind == "categorical"}
    found = tuple(_segmentation(table, name, categorical) for name in table.keys())  # noqa: SIM118 (no mapping)
    if len(found) > SEGMENTATIONS_MOST:
        table.refuse(found[-1].name, f"is one too many: at most {SEGMENTATIONS_MOST}", _EXAMPLE)
    return found


def _segmentation(table: Table, name: str, categorical: set[str]) -> Segmentation:
    if not _NAME.fullmatch(name):
        table.refuse(name, "is no name: up to 100 letters, digits, underscores, dots, dashes", _EXAMPLE)
    if not isinstance(table.get(name, ..., _EXAMPLE), dict):
        return Segmentation(name, _features(table, name, categorical))
    own = table.table(name, _EXAMPLE)
    features = _features(own, "features", categorical)
    told = own.get("values", None, _VALUES)
    values = None if told is None else _values(own, told, len(features))
    own.done()
    return Segmentation(name, features, values)


def _features(table: Table, key: str, categorical: set[str]) -> tuple[str, ...]:
    names = table.strings(key, ..., _EXAMPLE)
    if not 0 < len(names) <= FEATURES_MOST:
        table.refuse(key, f"names {len(names)} features, not 1 to {FEATURES_MOST}", _EXAMPLE)
    for name in names:
        if name not in categorical:
            known = ", ".join(sorted(categorical)) or "none is"
            table.refuse(key, f"names {name!r}, which is no categorical feature ({known})", _EXAMPLE)
    return names


def _values(table: Table, told: Any, width: int) -> tuple[Combination, ...]:
    if not isinstance(told, list) or not all(
        isinstance(v, list) and len(v) == width and all(isinstance(part, str) for part in v) for v in told
    ):
        table.refuse("values", f"is {told!r}, not a list of lists of {width} texts each", _VALUES)
    values = [tuple(value) for value in told]
    if not 0 < len(values) <= SEGMENTS_MOST:
        table.refuse("values", f"has {len(values)} combinations, not 1 to {SEGMENTS_MOST}", _VALUES)
    if len(set(values)) < len(values):
        table.refuse("values", "names the same combination twice", _VALUES)
    return tuple(values)
