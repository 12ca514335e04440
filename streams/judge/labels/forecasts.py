"""How sure an expected final coverage is: from the errors that such forecasts have made before.

A forecast of closing k (so many delay edges have passed) is kept until the window's horizon; then its error is known.

    chance   u q (1 - q) / n^2     u predictions without a label yet, each labelled with chance q; n predictions
    beyond   decayed mean over windows of  error^2 - chance,  at least 0: days differ, habits change
    interval forecast +- max(t(.975; windows - 1) * sqrt(chance + beyond), largest error + 1.96 * sqrt(chance))

None before five windows have ended: a binomial interval alone would be far too sure where whole days are late. The
largest error, which fades as the rest does, stands for days that are few and far off: a dozen windows do not know
their variance. Measured in tests/judge/test_delays.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from driftloop.streams.judge.labels.delays import DelayCurve, kept
from driftloop.streams.judge.metrics.intervals import Z

WINDOWS_LEAST = 5


class Forecast(NamedTuple):
    """Final coverage as expected at one closing, and how far chance alone may take it (variance)."""

    value: float
    chance: float


def forecast(expected: float, labelled: int, predictions: int) -> Forecast:
    """Of a window with so many labels so far; ``expected`` final coverage, ``predictions`` > 0."""
    open_ = predictions - labelled
    q = min(1.0, max(0.0, (expected * predictions - labelled) / open_)) if open_ > 0 else 0.0
    return Forecast(expected, open_ * q * (1 - q) / predictions**2)


@dataclass(slots=True)
class Errors:
    """By closing, all decayed: windows that have ended, the sum of what their squared errors had beyond chance, and
    the largest error."""

    windows: list[float] = field(default_factory=list)
    beyond: list[float] = field(default_factory=list)
    largest: list[float] = field(default_factory=list)

    def learn(self, window_seconds: float, forecasts: dict[int, Forecast], final: float) -> None:
        """A window has ended with coverage ``final``."""
        keep = kept(window_seconds)
        more = [0.0] * max([0, *(k + 1 - len(self.windows) for k in forecasts)])
        self.windows = [w * keep for w in self.windows] + more
        self.beyond = [b * keep for b in self.beyond] + more
        self.largest = [e * keep for e in self.largest] + more
        for k, made in forecasts.items():
            error = abs(made.value - final)
            self.windows[k] += 1.0
            self.beyond[k] += error**2 - made.chance
            self.largest[k] = max(self.largest[k], error)

    def interval(self, k: int, made: Forecast) -> tuple[float, float] | None:
        """(low, high) of a forecast of closing ``k``; None: too few have been checked."""
        if k >= len(self.windows) or self.windows[k] < WINDOWS_LEAST - 0.5:
            return None
        beyond = max(0.0, self.beyond[k] / self.windows[k])
        usual = student(self.windows[k] - 1) * math.sqrt(made.chance + beyond)
        half = max(usual, self.largest[k] + Z * math.sqrt(made.chance))
        return max(0.0, made.value - half), min(1.0, made.value + half)


@dataclass(slots=True)
class Delays:
    """What is known of a model's delays, under delay buckets with these ``edges``."""

    edges: tuple[float, ...] = ()
    curve: DelayCurve = field(default_factory=lambda: DelayCurve.empty(0))
    errors: Errors = field(default_factory=Errors)

    def under(self, edges: tuple[float, ...]) -> Delays:
        """The same under these edges: other ones make everything unknown."""
        return self if edges == self.edges else Delays(edges, DelayCurve.empty(len(edges)))

    def to_json(self) -> dict[str, Any]:
        """Beside the curve itself: by class, and the errors."""
        return {"classes": self.curve.classes, "errors": asdict(self.errors)}

    @classmethod
    def from_json(cls, curve: Sequence[Any], found: Mapping[str, Any]) -> Delays:
        predictions, labelled, edges = curve
        known = DelayCurve(predictions, labelled, found.get("classes", []))
        return cls(tuple(edges), known, Errors(**found.get("errors", {})))


def student(degrees: float, z: float = Z) -> float:
    """97.5 % quantile of t by its expansion (Abramowitz & Stegun 26.7.5), 2 % off from four degrees on.

    >>> round(student(4), 2), round(student(29), 3)
    (2.77, 2.045)
    """
    v = degrees
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )
