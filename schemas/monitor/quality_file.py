"""The [quality] of a monitor file; every key may be left out, its limit is learned then.

[quality]
missing = 0.05                       # share of rows, of any feature
unseen = 0.02                        # share of rows with a category that the reference does not have
type = 0.01                          # share of labels and decisions that are no class, of vectors that are none
duplicates = 0.02                    # share of records that repeat an id
volume = [100, 100000]               # predictions a window, least and most
freshness = "2 h"                    # from the last prediction to the end of the window
labels = "2 d"                       # so long may fewer than half of the labels come that are expected
off = ["freshness"]                  # rules that are not judged
confirm = "2 of 3"                   # windows that break a rule until somebody is called; left out: the first does

[quality.features.amount]
missing = 0.2
range = [0.0, 1e6]                   # both ends are allowed
out_of_range = 0.001                 # share of rows beyond it
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from driftloop.schemas.monitor.quality import RULES, FeatureRules, QualityRules
from driftloop.schemas.monitor.toml_reader import Table

if TYPE_CHECKING:
    from driftloop.schemas.monitor.specification import Feature

CONFIRM_MOST = 100
_CONFIRM = re.compile(r"\s*(\d{1,3}) of (\d{1,3})\s*")
EXAMPLE = "[quality]\n              missing = 0.05"
_OWN = "amount = { missing = 0.2, range = [0.0, 1e6] }"


def read_quality(root: Table, features: Sequence[Feature]) -> QualityRules | None:
    """What [quality] says; None: nothing. Errors: ConfigError, the first mistake."""
    if root.get("quality", None, "") is None:
        return None
    table = root.table("quality", EXAMPLE)
    off = table.strings("off", (), 'off = ["freshness"]')
    for name in off:
        if name not in RULES:
            table.refuse("off", f"names {name!r}, which is no rule ({', '.join(RULES)})", 'off = ["freshness"]')
    volume = _pair(table, "volume", "volume = [100, 100000]")
    fresh, labels = table.get("freshness", None, ""), table.get("labels", None, "")
    found = QualityRules(
        off=off,
        missing=_share(table, "missing"),
        out_of_range=_share(table, "out_of_range"),
        unseen=_share(table, "unseen"),
        type=_share(table, "type"),
        duplicates=_share(table, "duplicates"),
        volume_least=None if volume is None else volume[0],
        volume_most=None if volume is None else volume[1],
        freshness_seconds=None if fresh is None else table.seconds("freshness", ..., 'freshness = "2 h"'),
        features=_features(table.table("features", _OWN), {f.name: f for f in features}),
        labels_seconds=None if labels is None else table.seconds("labels", ..., 'labels = "2 d"'),
        confirm=_confirm(table),
    )
    table.done()
    return found


def _confirm(table: Table) -> tuple[int, int] | None:
    """(N, M); None where the first window calls."""
    example = 'confirm = "2 of 3"'
    told = table.text("confirm", "1 of 1", example)
    found = _CONFIRM.fullmatch(told)
    needed, windows = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= needed <= windows <= CONFIRM_MOST:
        table.refuse("confirm", f"is {told!r}, not N of the last M windows, {CONFIRM_MOST} at most", example)
    return None if needed == 1 else (needed, windows)


def _features(table: Table, known: dict[str, Feature]) -> tuple[FeatureRules, ...]:
    found = []
    for name in table.keys():  # noqa: SIM118 (a Table is no mapping)
        if name not in known:
            table.refuse(name, f"is no feature of this monitor ({', '.join(known)})", _OWN)
        own = table.table(name, _OWN)
        span = _pair(own, "range", "range = [0.0, 1e6]")
        if span is not None and known[name].kind != "numeric":
            own.refuse("range", f"has no meaning for a feature that is {known[name].kind}", "missing = 0.2")
        unseen = _share(own, "unseen")
        if unseen is not None and known[name].kind != "categorical":
            own.refuse("unseen", f"has no meaning for a feature that is {known[name].kind}", "missing = 0.2")
        low, high = span or (None, None)
        found.append(FeatureRules(name, _share(own, "missing"), _share(own, "out_of_range"), unseen, low, high))
        own.done()
    return tuple(found)


def _share(table: Table, key: str) -> float | None:
    example = f"{key} = 0.05"
    return None if table.get(key, None, example) is None else table.number(key, ..., 0.0, 1.0, example)


def _pair(table: Table, key: str, example: str) -> tuple[float, float] | None:
    told = table.get(key, None, example)
    if told is None:
        return None
    numbers = isinstance(told, list) and all(isinstance(x, int | float) and not isinstance(x, bool) for x in told)
    if not numbers or len(told) != 2 or not -1e300 <= told[0] < told[1] <= 1e300:
        table.refuse(key, f"is {told!r}, not two numbers that ascend", example)
    return float(told[0]), float(told[1])
