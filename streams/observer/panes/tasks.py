"""Which task a specification has (task.py)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.observer.panes.sketch import Codes
from driftloop.streams.observer.panes.task import Floats, Task
from driftloop.streams.observer.panes.task_binary import BinaryTask
from driftloop.streams.observer.panes.task_multiclass import MulticlassTask
from driftloop.streams.observer.panes.task_regression import RegressionTask
from driftloop.streams.observer.panes.value import ValuedTask


def task_of(spec: MonitorSpecification) -> Task:
    """The task of a specification."""
    task: Task
    if spec.task == "binary":
        task = BINARY
    elif spec.task == "multiclass":
        task = _multiclass(len(spec.classes))
    else:
        assert spec.scales is not None, "a compiled regression has scales, known or not"
        task = RegressionTask(spec.scales)
    return task if spec.value_most is None else ValuedTask(task, len(spec.classes), spec.value_most)


BINARY = BinaryTask()


@lru_cache(100)
def _multiclass(classes: int) -> MulticlassTask:
    """One for all models of so many classes: they are folded together."""
    return MulticlassTask(classes)


def decisions(spec: MonitorSpecification, scores: Floats) -> Codes:
    """The class that the scores speak for, int64[n]: P above one half, the most probable; 0 of a regression."""
    if spec.task == "binary":
        return (scores >= 0.5).astype(np.int64)
    if spec.task == "multiclass":
        return np.asarray(scores.astype(np.float32).argmax(axis=1))
    return np.zeros(len(scores), np.int64)
