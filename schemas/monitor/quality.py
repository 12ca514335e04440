"""Rules of data quality as a monitor states them; what it leaves out is learned (streams/judge/quality/quality.py).

A rule is broken by a window, never by a record: shares of its rows, their number, how long ago the last one came, or
the last labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from driftloop.schemas.baseline.ranges import Range

RULES = ("missing", "out_of_range", "unseen", "type", "schema", "volume", "freshness", "duplicates", "labels")
_LATER = ("labels_seconds", "confirm")
AT_ONCE = (1, 1)
"""The first window that breaks a rule calls."""
SHARES = ("missing", "out_of_range", "unseen")
"""Rules about the rows of one feature, whose limit is a share."""


@dataclass(frozen=True, slots=True)
class FeatureRules:
    """Limits of one feature, shares of rows; None: as all features. ``low``, ``high``: its range, both allowed."""

    feature: str
    missing: float | None = None
    out_of_range: float | None = None
    unseen: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def range(self) -> Range | None:
        """None: learned, if the reference has one."""
        return None if self.low is None or self.high is None else (self.low, self.high)


NOTHING_SAID = FeatureRules("")
"""Of most features: made once, for every window asks several times."""


@dataclass(frozen=True, slots=True)
class QualityRules:
    """Limits that a person has set; None: learned. ``off``: rules that are not judged.

    ``volume_least``, ``volume_most``: predictions a window. ``type``, ``duplicates``: shares of rows.
    ``labels_seconds``: so long may fewer than half of the labels come that are expected. ``confirm``: (N, M), what
    breaks a rule in N of the last M windows calls somebody; None: the first window does.
    """

    off: tuple[str, ...] = ()
    missing: float | None = None
    out_of_range: float | None = None
    unseen: float | None = None
    type: float | None = None
    duplicates: float | None = None
    volume_least: float | None = None
    volume_most: float | None = None
    freshness_seconds: float | None = None
    features: tuple[FeatureRules, ...] = ()
    labels_seconds: float | None = None
    confirm: tuple[int, int] | None = None

    @property
    def confirmed_by(self) -> tuple[int, int]:
        """(N, M) of ``confirm``."""
        return self.confirm or AT_ONCE

    def of(self, feature: str) -> FeatureRules:
        """What is said of one feature."""
        return next((f for f in self.features if f.feature == feature), NOTHING_SAID)

    def limit(self, rule: str, feature: str) -> float | None:
        """The limit of a share: the feature's own, or that of all."""
        own: float | None = getattr(self.of(feature), rule)
        every: float | None = getattr(self, rule)
        return every if own is None else own

    def as_told(self) -> dict[str, Any]:
        """What the specification's JSON says: a rule that came later stands there only if it is set, so that a
        specification of before keeps its name."""
        return {k: v for k, v in asdict(self).items() if v is not None or k not in _LATER}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> QualityRules:
        features = tuple(FeatureRules(**f) for f in found["features"])
        confirm = found.get("confirm")
        both = None if confirm is None else (int(confirm[0]), int(confirm[1]))
        return cls(**{**found, "off": tuple(found["off"]), "features": features, "confirm": both})


LEARNED = QualityRules()
"""Of a monitor that says nothing."""
