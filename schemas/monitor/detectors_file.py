"""The [[detector]] tables of a monitor file: detectors of the user's choice, beside those that keep the budget.

[[detector]]
name = "loss by ADWIN"
watch = "loss"                   # a series of named_detector.py
use = "adwin"                    # or "river:ADWIN", or "mypackage.detectors:step"
settings = { delta = 0.002 }
paging = false                   # its alarms are recorded; true: they call somebody, outside any budget

Whether there is such a detector, and whether these settings suit it, is asked where it can be started: `driftloop
monitor apply` does it (console/detectors.py), and the judge before its first value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from driftloop.schemas.monitor.named_detector import METRIC, OF_A_FEATURE, PLAIN, NamedDetector, Setting
from driftloop.schemas.monitor.toml_reader import Table
from driftloop.schemas.outcome import Task

if TYPE_CHECKING:
    from driftloop.schemas.monitor.specification import Feature

EXAMPLE = '[[detector]] with name = "loss by ADWIN", watch = "loss" and use = "adwin"'
DETECTORS_MOST = 64
RESERVED = (
    *("e_detector", "window_csr", "seasonal", "misplaced_keys", "join_overflow", "cbpe"),
    *("multivariate", "rff_mmd", "whitened_covariance"),
)
"""Names of the judge's own tests."""
QUALITY = "data_quality"
"""So the alarms of quality rules begin, which silences and the retrainer tell from drift by it."""
_NAME = re.compile(r"\S(.{0,78}\S)?")
_USE = re.compile(r"[a-z][a-z0-9_]*|[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_CLASSES = ("accuracy", "balanced_accuracy", "brier", "calibration_error", "f1", "log_loss", "precision", "recall")
METRICS: dict[Task, tuple[str, ...]] = {
    "binary": (*_CLASSES, "auc", "average_precision", "selection_rate", "value"),
    "multiclass": (*_CLASSES, "value"),
    "regression": ("bias", "mae", "rmse", "value"),
}
"""Of windows, by task; of a regression quantile_loss:<t> too."""
_NUMERIC = ("numeric", "embedding")


def read_detectors(root: Table, task: Task, features: Sequence[Feature]) -> tuple[NamedDetector, ...]:
    """All of them, in the order of the file. Errors: ConfigError, the first mistake."""
    found: dict[str, NamedDetector] = {}
    for table in root.tables("detector", EXAMPLE):
        name = _name(table, found)
        watch = table.text("watch", ..., 'watch = "loss"')
        _check_watch(table, watch, task, {f.name: f for f in features})
        use = table.text("use", ..., 'use = "adwin"')
        if not _USE.fullmatch(use):
            table.refuse("use", f"is {use!r}, no name, river:<class> or module:function", 'use = "adwin"')
        found[name] = NamedDetector(name, watch, use, _settings(table), _yes(table, "paging"))
        table.done()
    if len(found) > DETECTORS_MOST:
        root.refuse("detector", f"stands {len(found)} times, more than {DETECTORS_MOST}", "fewer of them")
    return tuple(found.values())


def _name(table: Table, known: dict[str, NamedDetector]) -> str:
    example = 'name = "loss by ADWIN"'
    name = table.text("name", ..., example)
    if not _NAME.fullmatch(name) or name in RESERVED or name.startswith(QUALITY):
        table.refuse("name", f"is {name!r}: 1 to 80 characters, none of {', '.join(RESERVED)}", example)
    if name in known:
        table.refuse("name", f"is {name!r}, as that of another detector is", example)
    return name


def _check_watch(table: Table, watch: str, task: Task, known: dict[str, Feature]) -> None:
    what, colon, of = watch.partition(":")
    if (what in PLAIN) == bool(colon) or what not in (*PLAIN, *OF_A_FEATURE, METRIC):
        all_of_them = [*PLAIN, *(f"{kind}:<name>" for kind in (*OF_A_FEATURE, METRIC))]
        table.refuse("watch", f"is {watch!r}, not one of {', '.join(all_of_them)}", 'watch = "loss"')
    if task == "regression" and what in ("error", "score"):
        table.refuse("watch", f"is {what!r}, which a regression does not have", 'watch = "metric:mae"')
    if what == METRIC and of not in METRICS[task] and not (task == "regression" and of.startswith("quantile_loss:")):
        example = f'watch = "metric:{METRICS[task][0]}"'
        table.refuse("watch", f"names {of!r}, no metric of {task} ({', '.join(METRICS[task])})", example)
    if what not in OF_A_FEATURE:
        return
    example = f'watch = "{what}:{next(iter(known))}"'
    if of not in known:
        table.refuse("watch", f"names {of!r}, which is no feature of this monitor ({', '.join(known)})", example)
    kind = known[of].kind
    if what == "feature" and kind not in _NUMERIC:
        table.refuse("watch", f"is {watch!r}, but a {kind} feature has no mean", f'watch = "distance:{of}"')
    if what == "unseen" and kind != "categorical":
        table.refuse("watch", f"is {watch!r}, but {of} is {kind}", f'watch = "missing:{of}"')


def _settings(table: Table) -> tuple[tuple[str, Setting], ...]:
    own = table.table("settings", "settings = { delta = 0.002 }")
    found: list[tuple[str, Setting]] = []
    for key in own.keys():  # noqa: SIM118 (a Table is no mapping)
        value: Any = own.get(key, ..., "")
        if not isinstance(value, str | float | int):  # bool is an int
            own.refuse(key, f"is {value!r}, not a number, a text, true or false", f"{key} = 1")
        found.append((key, value))
    return tuple(sorted(found))


def _yes(table: Table, key: str) -> bool:
    value = table.get(key, False, f"{key} = true")
    if not isinstance(value, bool):
        table.refuse(key, f"is {value!r}, not true or false", f"{key} = true")
    return bool(value)
