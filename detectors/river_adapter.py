"""Any drift detector of river, by name, behind the same step. river is imported here only, and only on demand.

Bound: **none is stated by their authors for a run length**; see notes in docs/architecture.md and measure on your
data. What this adapter adds: a value that is no finite number is left out (one NaN blinds river's ADWIN, PageHinkley
and DDM for good), FHDDM is given 1 - x (it watches for a fall, its documentation says errors), and the state goes to
bytes. The bytes are river's pickle, read by an unpickler that knows river's classes and nothing else; they belong to
the version of river that wrote them.

>>> settings = Settings("ADWIN", (("delta", 0.002),))
>>> state, verdict = step(settings, start(settings), [0.0] * 500 + [1.0] * 100)
>>> verdict.alarmed, round(estimate(state), 1)
(True, 1.0)
"""

from __future__ import annotations

import copy
import importlib
import inspect
import io
import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from driftloop.detectors.scanning import Found, Positions, verdict_of
from driftloop.detectors.verdict import Verdict

BOUND = "none stated"
_PLACES = ("river.drift", "river.drift.binary")
_WATCH_A_FALL = frozenset({"FHDDM"})
_PLAIN_CLASSES = frozenset(
    {("collections", "deque"), ("random", "Random"), ("numpy", "dtype"), ("numpy._core.multiarray", "scalar")}
)


@dataclass(frozen=True, slots=True)
class Settings:
    """``detector``: a class of river.drift or river.drift.binary; ``parameters``: (name, value) of its
    constructor."""

    detector: str
    parameters: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        _class_of(self.detector)


class State(NamedTuple):
    """river's object, ours alone; ``values`` it has seen, ``left_out`` it was spared."""

    detector: Any
    values: int
    left_out: int


def start(settings: Settings) -> State:
    """Nothing seen. TypeError: a parameter that river does not know."""
    return State(_class_of(settings.detector)(**dict(settings.parameters)), 0, 0)


def scan(settings: Settings, state: State, values: Sequence[float]) -> tuple[State, Found]:
    """Take values in, one after the other. The state given stays as it was."""
    detector = copy.deepcopy(state.detector)
    falling = settings.detector in _WATCH_A_FALL
    alarms, warnings, seen = [], [], 0
    for i, value in enumerate(np.asarray(values, dtype=np.float64).tolist()):
        if math.isfinite(value):
            detector.update(1.0 - value if falling else value)
            seen += 1
            if detector.drift_detected:
                alarms.append(i)
            if getattr(detector, "warning_detected", False):
                warnings.append(i)
    after = State(detector, state.values + seen, state.left_out + len(values) - seen)
    return after, Found(_positions(alarms), _positions(warnings))


def step(settings: Settings, state: State, values: Sequence[float]) -> tuple[State, Verdict]:
    """``scan``, of which only the number of alarms is told: ``statistic``, against a threshold of 1."""
    state, found = scan(settings, state, values)
    return state, verdict_of(found)


def _positions(found: list[int]) -> Positions:
    return np.array(found, dtype=np.int64)


def estimate(state: State) -> float | None:
    """The mean of the values that the detector holds to be current (ADWIN); None where it has no such thing."""
    found = getattr(state.detector, "estimation", None)
    return None if found is None else float(found)


def to_bytes(state: State) -> bytes:
    return pickle.dumps(tuple(state), protocol=4)


def from_bytes(data: bytes) -> State:
    """ValueError: the bytes name something that is no part of a detector."""
    found = _Careful(io.BytesIO(data)).load()
    return State(*found)


def parameters_of(name: str) -> tuple[str, ...]:
    """Names of what its constructor takes. ValueError: there is no such detector."""
    return tuple(inspect.signature(_class_of(name)).parameters)


def _class_of(name: str) -> Any:
    for place in _PLACES:
        found = getattr(importlib.import_module(place), name, None)
        if isinstance(found, type) and hasattr(found, "drift_detected"):
            return found
    raise ValueError(f"river has no drift detector {name!r} in {' or '.join(_PLACES)}")


def _attribute(owner: Any, name: str) -> Any:
    """What a pickle may do with getattr: take a method of river's (it pickles its own bound methods so)."""
    kind = owner if isinstance(owner, type) else type(owner)
    if kind.__module__.startswith("river.") and not name.startswith("__") and callable(getattr(kind, name, None)):
        return getattr(owner, name)
    raise ValueError(f"a detector's state asks for {name!r} of a {kind.__module__}.{kind.__qualname__}")


class _Careful(pickle.Unpickler):
    """Finds river's classes and a few plain ones."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):
            return _attribute
        if module.split(".", maxsplit=1)[0] == "river" or (module, name) in _PLAIN_CLASSES:
            found = super().find_class(module, name)
            if isinstance(found, type) or (module, name) in _PLAIN_CLASSES:
                return found
        raise ValueError(f"a detector's state names {module}.{name}, which is no part of one")
