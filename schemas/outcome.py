"""The three tasks: what a score is, which outcomes there are, how a truth's label is read.

    binary       score = P(classes[1])                       label: a class
    multiclass   one score a class, together 1               label: a class, 2 to 32 of them
    regression   score = the number predicted                label: a number

A prediction's schema follows from the task and the names of the classes (batches/prediction.py).
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from driftloop.schemas.errors import BadRecord
from numpy.typing import NDArray

Task = Literal["binary", "multiclass", "regression"]
TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")
CLASSES_MOST = 32
"""A confusion matrix of 33 x 33 takes 8 kB in a pane at worst, and a waiting prediction keeps four bytes a class."""
SCORES_SUM_SLACK = 1e-3
"""The scores of a prediction may miss 1 by so much: a softmax in half or single precision is off by less."""


@dataclass(frozen=True, slots=True)
class Scales:
    """How the numbers of a regression are counted; None until a reference has been built or the file has told it.

    ``centre``, ``scale``: sums are taken of (number - centre) in whole parts of the scale, a power of two; the loss
    of a prediction is its absolute error in scales. ``prediction_edges`` and ``label_edges``: of the two histograms.
    """

    centre: float | None = None
    scale: float | None = None
    prediction_edges: tuple[float, ...] | None = None
    label_edges: tuple[float, ...] | None = None

    @property
    def is_known(self) -> bool:
        """Labels can be folded."""
        return self.scale is not None

    @property
    def is_complete(self) -> bool:
        return self.is_known and self.prediction_edges is not None and self.label_edges is not None


def power_of_two_above(number: float) -> float:
    """The least power of two that is not below a finite number above 0.

    >>> power_of_two_above(50.0), power_of_two_above(0.25), power_of_two_above(64.0)
    (64.0, 0.25, 64.0)
    """
    mantissa, exponent = math.frexp(number)
    return math.ldexp(1.0, exponent - 1 if mantissa == 0.5 else exponent)


def score_fields(task: Task, classes: Sequence[str]) -> tuple[str, ...]:
    """Names of the scores on the wire: ``score``, or one a class, ``score_`` and its name.

    A name that Avro does not take is cleaned, and gets a hash so that two of them stay apart.

    >>> score_fields("multiclass", ("cat", "big dog"))
    ('score_cat', 'score_big_dog_85c045')
    """
    return tuple(map(_score_field, classes)) if task == "multiclass" else ("score",)


def _score_field(name: str) -> str:
    clean = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"score_{clean}" if clean == name else f"score_{clean}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def sound_scores(task: Task, score: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows have scores that can be true: f8[n], or f8[n, K] of multiclass."""
    if task == "binary":
        return np.asarray((score >= 0.0) & (score <= 1.0))
    if task == "regression":
        return np.isfinite(score)
    with np.errstate(invalid="ignore", over="ignore"):
        within = ((score >= 0.0) & (score <= 1.0)).all(axis=1)
        return np.asarray(within & (np.abs(score.sum(axis=1) - 1.0) <= SCORES_SUM_SLACK))


def unsound(task: Task, score: float | Sequence[float]) -> BadRecord:
    """What is wrong with the scores of a row that is not among ``sound_scores``."""
    if task == "regression":
        return BadRecord("score-not-a-number", f"score is {score!r}, not a finite number")
    if task == "binary":
        return BadRecord("score-not-a-probability", f"score is {score!r}, not a probability from 0 to 1")
    return BadRecord("score-not-a-probability", f"the scores {score!r} are not probabilities that add up to 1")


def check_scores(task: Task, classes: Sequence[str], score: float | Sequence[float]) -> None:
    """BadRecord ``score-not-a-probability`` or ``score-not-a-number`` where ``sound_scores`` would say no."""
    if sound_scores(task, np.asarray([score], np.float64))[0]:
        return
    if task == "regression":
        raise BadRecord("score-not-a-number", f"score is {score!r}", "the finite number that the model predicts")
    hint = f"one probability a class ({', '.join(classes)}), together 1 to within {SCORES_SUM_SLACK:g}"
    raise BadRecord("score-not-a-probability", f"the scores are {score!r}", hint)


def label_code(label: object, classes: Sequence[str]) -> int:
    """Index of the class that a truth names, -1 if it names none.

    A text must be a class. A number is the class that reads like it ("0", "1"); otherwise it is the index, unless
    classes are numbers themselves. Of two classes, false and true are 0 and 1, unless they are called so.

    >>> [label_code(x, ("repaid", "default")) for x in ("default", 1, 0.0, True, "1", 2, None)]
    [1, 1, 0, 1, -1, -1, -1]
    """
    if isinstance(label, str):
        return classes.index(label) if label in classes else -1
    if isinstance(label, bool):
        text = "true" if label else "false"
    elif isinstance(label, int | float) and abs(label) < 1e15 and label == int(label):
        text = str(int(label))
    else:
        text = repr(label)
    if text in classes:
        return classes.index(text)
    if not isinstance(label, int | float) or (isinstance(label, bool) and len(classes) != 2):
        return -1
    named = any(c.lstrip("-").isdigit() for c in classes) and not isinstance(label, bool)
    return int(label) if not named and label in range(len(classes)) else -1


def label_number(label: object) -> float:
    """The number that a regression's truth tells, NaN if it tells none.

    >>> [label_number(x) for x in (3, 2.5, "2.5", True, None)]
    [3.0, 2.5, nan, nan, nan]
    """
    if isinstance(label, bool) or not isinstance(label, int | float):
        return math.nan
    try:
        number = float(label)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def truth_code(label: object, task: Task, classes: Sequence[str]) -> int:
    """Index of the class; of a regression 0 for a number; -1 if the label says nothing that the task knows."""
    if task == "regression":
        return -1 if math.isnan(label_number(label)) else 0
    return label_code(label, classes)
