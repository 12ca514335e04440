"""What a monitor file says about the task: classes, scales of a regression, values, what may be retrained.

task = "multiclass"
classes = ["cat", "dog", "bird"]

task = "regression"
[label]              # left out: `driftloop reference build` finds centre, scale and edges
centre = 250.0       # a usual label
scale = 50.0         # how far labels lie from each other; raised to a power of two
quantiles = [0.9]    # whose losses are told; left out: .1 and .9

[value]
most = 1000.0        # values of outcomes are summed, those beyond +-1000 clipped and counted
"""

from __future__ import annotations

import math
from typing import cast

from driftloop.schemas.monitor.toml_reader import Table
from driftloop.schemas.outcome import CLASSES_MOST, TASKS, Scales, Task, power_of_two_above

SCALE_LEAST, SCALE_MOST = 1e-100, 1e100
QUANTILES_MOST = 9
VALUE_MOST_LEAST, VALUE_MOST_MOST = 1e-9, 1e15
_CLASSES = {"binary": 'classes = ["repaid", "default"]', "multiclass": 'classes = ["cat", "dog", "bird"]'}


def read_task(root: Table) -> tuple[Task, tuple[str, ...]]:
    """(task, classes). Errors: ConfigError."""
    task = cast(Task, root.one_of("task", "binary", TASKS, 'task = "binary"'))
    if task == "regression":
        if root.get("classes", None, "") is not None:
            root.refuse("classes", "has no meaning for a regression: its labels are numbers", 'task = "regression"')
        return task, ()
    classes = root.strings("classes", ..., _CLASSES[task])
    if task == "binary" and len(classes) != 2:
        more = 'task = "multiclass"' if len(classes) > 2 else _CLASSES[task]
        root.refuse("classes", f"names {len(classes)} classes, not two", more)
    if not 2 <= len(classes) <= CLASSES_MOST:
        root.refuse("classes", f"names {len(classes)} classes, not 2 to {CLASSES_MOST}", _CLASSES[task])
    if any(not 0 < len(name) <= 200 for name in classes):
        root.refuse("classes", "has a name that is empty or longer than 200 characters", _CLASSES[task])
    return task, classes


def read_scales(root: Table, task: Task) -> Scales | None:
    """What [label] says of a regression; None for the other tasks. Errors: ConfigError."""
    if task != "regression":
        if root.get("label", None, "") is not None:
            root.refuse("label", f"has no meaning for task {task}", 'task = "regression"')
        return None
    table = root.table("label", "[label]\n              scale = 50.0")
    _check_quantiles(table)
    told = table.get("scale", None, "scale = 50.0")
    centre = table.number("centre", 0.0, -1e300, 1e300, "centre = 250.0")
    if told is None and table.get("centre", None, "") is not None:
        table.refuse("centre", "needs a scale beside it", "scale = 50.0")
    scale = None if told is None else table.number("scale", ..., SCALE_LEAST, SCALE_MOST, "scale = 50.0")
    table.done()
    if scale is None:
        return Scales()
    return Scales(centre, power_of_two_above(scale))


def _check_quantiles(table: Table) -> None:
    example = "quantiles = [0.1, 0.9]"
    told = table.get("quantiles", [], example)
    if not isinstance(told, list) or not all(isinstance(q, float) and 0.0 < q < 1.0 for q in told):
        table.refuse("quantiles", f"is {told!r}, not a list of numbers between 0 and 1", example)
    if len(told) > QUANTILES_MOST or len(set(told)) < len(told):
        table.refuse("quantiles", f"names one twice, or more than {QUANTILES_MOST}", example)


def read_quantiles(root: Table) -> tuple[float, ...]:
    """The quantiles of [label], which ``read_scales`` has checked."""
    return tuple(root.table("label", "").get("quantiles", [], "")) if root.get("label", None, "") else ()


def read_value_most(root: Table) -> float | None:
    """The bound of [value]; None: values are not summed. Errors: ConfigError."""
    if root.get("value", None, "") is None:
        return None
    table = root.table("value", "[value]\n              most = 1000.0")
    most = table.number("most", ..., VALUE_MOST_LEAST, VALUE_MOST_MOST, "most = 1000.0")
    table.done()
    return most if math.isfinite(most) else None


def check_retraining(root: Table, task: Task, mode: str, trainer: str) -> None:
    """Errors: ConfigError where the policy wants a model trained that no trainer can train yet."""
    if task == "binary":
        return
    key, told = ("mode", mode) if mode != "observe" else ("trainer", trainer)
    if told and (mode != "observe" or trainer):
        root.table("retrain", "").refuse(
            key, f"is {told!r}, but trainers know binary models alone: a {task} model is observed", 'mode = "observe"'
        )
