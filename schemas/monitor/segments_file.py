"""The [segments] of a monitor file: names of categorical features, or a table with the combinations that count; or a
number, by itself, in intervals.

[segments]
region = ["region"]
route = ["carrier", "origin"]
pilot = { features = ["carrier"], values = [["AA"], ["DL"]] }
amount = ["amount"]                                        # at the quartiles of the reference
age = { features = ["age"], cuts = [25, 65] }              # below 25, 25 to 65, 65 and above
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from driftloop.schemas.monitor.intervals import CUTS_MOST, as_told, intervals
from driftloop.schemas.monitor.segments import (
    FEATURES_MOST,
    SEGMENTATIONS_MOST,
    SEGMENTS_MOST,
    Combination,
    Segmentation,
)
from driftloop.schemas.monitor.toml_reader import Table

if TYPE_CHECKING:
    from driftloop.schemas.monitor.specification import Feature

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_EXAMPLE = 'route = ["carrier", "origin"]'
_VALUES = 'values = [["AA", "JFK"], ["DL", "ATL"]]'
_CUTS = 'amount = { features = ["amount"], cuts = [100, 500] }'


def compile_segments(table: Table, features: Sequence[Feature]) -> tuple[Segmentation, ...]:
    """The segmentations of a table. Errors: ConfigError, the first mistake."""
    kinds = {f.name: f.kind for f in features if f.kind != "embedding"}
    found = tuple(_segmentation(table, name, kinds) for name in table.keys())  # noqa: SIM118 (no mapping)
    if len(found) > SEGMENTATIONS_MOST:
        table.refuse(found[-1].name, f"is one too many: at most {SEGMENTATIONS_MOST}", _EXAMPLE)
    return found


def _segmentation(table: Table, name: str, kinds: Mapping[str, str]) -> Segmentation:
    if not _NAME.fullmatch(name):
        table.refuse(name, "is no name: up to 100 letters, digits, underscores, dots, dashes", _EXAMPLE)
    if not isinstance(table.get(name, ..., _EXAMPLE), dict):
        return Segmentation(name, _features(table, name, kinds))
    own = table.table(name, _EXAMPLE)
    features = _features(own, "features", kinds)
    told, cuts = own.get("values", None, _VALUES), own.get("cuts", None, _CUTS)
    is_number = kinds[features[0]] == "numeric"
    if is_number and told is not None:
        own.refuse("values", f"has no meaning for {features[0]}, a number: it is cut", _CUTS)
    if cuts is not None and not is_number:
        own.refuse("cuts", f"has no meaning for {features[0]}, which is categorical", _VALUES)
    values = None if told is None else _values(own, told, len(features))
    values = values if cuts is None else intervals(_cuts(own, cuts))
    own.done()
    return Segmentation(name, features, values)


def _features(table: Table, key: str, kinds: Mapping[str, str]) -> tuple[str, ...]:
    names = table.strings(key, ..., _EXAMPLE)
    if not 0 < len(names) <= FEATURES_MOST:
        table.refuse(key, f"names {len(names)} features, not 1 to {FEATURES_MOST}", _EXAMPLE)
    for name in names:
        if name not in kinds:
            known = ", ".join(sorted(kinds)) or "none is"
            table.refuse(key, f"names {name!r}, which is no categorical feature and no number ({known})", _EXAMPLE)
        if kinds[name] == "numeric" and len(names) > 1:
            table.refuse(key, f"names {name}, a number, beside others: it is cut by itself", _CUTS)
    return names


def _cuts(table: Table, told: Any) -> tuple[float, ...]:
    if not isinstance(told, list) or not all(
        isinstance(cut, int | float) and not isinstance(cut, bool) and math.isfinite(cut) for cut in told
    ):
        table.refuse("cuts", f"is {told!r}, not a list of numbers", _CUTS)
    cuts = tuple(as_told(float(cut)) for cut in told)
    if not 0 < len(cuts) <= CUTS_MOST:
        table.refuse("cuts", f"has {len(cuts)} cuts, not 1 to {CUTS_MOST}", _CUTS)
    if any(low >= high for low, high in pairwise(cuts)):
        table.refuse("cuts", "must ascend (told apart by twelve digits)", _CUTS)
    return cuts


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
