"""Which column of a file holds what: defaults are the monitor's own names, options name others. Pure.

    event_time, score (of many classes score_<class> each), predicted, label; a feature's column has its name

Two columns may be absent: ``predicted`` (no error rate then) and ``label`` (no baseline of performance). Two more are
read where they are there: ``version``, the model's that predicted (its scores' calibration belongs to it), and, for a
replay of rows, ``label_time``: when each label became known.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from driftloop.schemas.errors import ConfigError
from driftloop.schemas.monitor.specification import MonitorSpecification

MORE = ("label_time", "version")
ABSENT = ("predicted", "label")
"""These may be."""


class Asked(NamedTuple):
    """What the options say: a column's name where it is not the default. ``features``: by the feature's name."""

    event_time: str | None = None
    score: str | None = None
    predicted: str | None = None
    label: str | None = None
    features: Mapping[str, str] = {}


class Named(NamedTuple):
    """The columns of a file: one by feature, the scores in the order of the classes; None: the file has none."""

    features: dict[str, str]
    scores: tuple[str, ...]
    event_time: str | None
    predicted: str | None
    label: str | None
    label_time: str | None = None
    version: str | None = None

    def wanted(self) -> list[str]:
        """All of them, each once."""
        roles = (self.event_time, self.predicted, self.label, self.label_time, self.version)
        return list(dict.fromkeys([*self.features.values(), *self.scores, *(name for name in roles if name)]))


def parse_columns(told: Sequence[str]) -> dict[str, str]:
    """Options such as ``amount=total``. ConfigError: one has another form.

    >>> parse_columns(["amount=total", "income=a = b"])
    {'amount': 'total', 'income': 'a = b'}
    """
    found: dict[str, str] = {}
    for one in told:
        name, _, column = one.partition("=")
        if not (name and column) or name in found:
            raise ConfigError(
                f"--column {one} is not FEATURE=COLUMN, once a feature", "for example --column amount=total"
            )
        found[name] = column
    return found


def name_columns(
    specification: MonitorSpecification, asked: Asked, present: Sequence[str], head: str, timed: bool
) -> Named:
    """``present``: the file's columns, ``head`` the place that names them; ``timed``: rows tell their event time.

    ConfigError: a feature nobody knows; a column that is not there, there twice, or another thing's too.
    """
    known = [f.name for f in specification.features]
    for feature, column in asked.features.items():
        if feature not in known:
            said = f"--column {feature}={column}: {feature} is no feature of {specification.model}"
            raise ConfigError(
                said, f"for example --column {_nearest(feature, known)}={column}; features are {', '.join(known)}"
            )
    columns = _Columns(present, head)
    features = {name: columns.find(asked.features.get(name, name), f"--column {name}=") for name in known}

    def role(name: str, told: str | None, why: str) -> str | None:
        option = f"--{name.replace('_', '-')} "
        if told is None and name in known:
            said = f"{name} is a feature of {specification.model}: which column is the {name} is not clear"
            raise ConfigError(
                said, f"say {option}COLUMN" + (f", or {option}'' if there is none" if name in ABSENT else "")
            )
        if told == "" or (told is None and name in ABSENT and name not in present):
            return None
        return columns.find(name if told is None else told, option, why)

    event_time = role("event_time", asked.event_time, _why_time(specification)) if timed else None
    scores = _scores(specification, asked, columns, known)
    more = [name if name in present and name not in known else None for name in MORE]
    predicted, label = role("predicted", asked.predicted, ""), role("label", asked.label, "")
    return Named(features, scores, event_time, predicted, label, *more)


def _scores(
    specification: MonitorSpecification, asked: Asked, columns: _Columns, known: Sequence[str]
) -> tuple[str, ...]:
    before = asked.score or "score"
    names = [f"{before}_{c}" for c in specification.classes] if specification.task == "multiclass" else [before]
    if asked.score is None and (both := set(names) & set(known)):
        said = f"{min(both)} is a feature of {specification.model}: which column is the score is not clear"
        raise ConfigError(
            said, "say --score COLUMN" + (" (of many classes: --score P for P_<class>)" if len(names) > 1 else "")
        )
    return tuple(columns.find(name, "--score ", ", what the model predicted") for name in names)


def _why_time(specification: MonitorSpecification) -> str:
    if specification.season is not None:
        return f", and the season of {specification.model} compares rows by their hours and weekdays"
    return ", the time of each prediction"


class _Columns:
    def __init__(self, present: Sequence[str], head: str) -> None:
        self._present, self._head = present, head

    def find(self, column: str, option: str, why: str = "") -> str:
        """The column itself, if it is there once."""
        if (times := self._present.count(column)) == 1:
            return column
        if times:
            raise ConfigError(f"{self._head}: the column {column} is there {times} times", "rename all but one")
        there = ", ".join(self._present)
        alone = ", or --at 2026-01-31 as that of all rows" if "event-time" in option and "season" not in why else ""
        raise ConfigError(
            f"{self._head}: there is no column {column}{why}",
            f"say which it is, for example {option}{_nearest(column, self._present)}{alone}; there are {there:.300}",
        )


def _nearest(name: str, among: Sequence[str]) -> str:
    return (difflib.get_close_matches(name, among, n=1, cutoff=0.4) or ["COLUMN"])[0]
