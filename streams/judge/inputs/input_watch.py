"""Everything that watches the inputs of a model's live predictions, stepped once a window.

    features one by one    feature_watch.py chooses by the monitor's season
    embeddings             vector_watch.py, beside it, in a family of its own

Its JSON is the feature watch's, with what the vectors' has beside it where that has seen something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from driftloop.schemas.events import DriftDetected, TestState
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.editions import Edition
from driftloop.streams.judge.inputs import feature_watch
from driftloop.streams.judge.inputs.conformal_watch import ConformalWatch
from driftloop.streams.judge.inputs.feature_watch import FeatureWatch
from driftloop.streams.judge.inputs.vector_watch import VectorWatch
from driftloop.streams.judge.reference import Reference
from driftloop.streams.judge.sums import Total


@dataclass(slots=True)
class InputWatch:
    features: FeatureWatch = field(default_factory=ConformalWatch)
    vectors: VectorWatch = field(default_factory=VectorWatch)

    def restart(self) -> None:
        """Another specification or reference: nothing seen is comparable."""
        self.features.restart()
        self.vectors.restart()

    def close(
        self, edition: Edition, reference: Reference, version: str, window_start: float, sums: Total, alone: bool
    ) -> list[DriftDetected]:
        """Step over one window that has closed; the alarms. ``alone``: no other version served in it."""
        specification, layout = edition.specification, edition.layout
        whose = (specification, reference, layout, version, window_start)
        return [
            *self.features.close(*whose, sums.features, sums.predictions, alone),
            *self.vectors.close(*whose, sums),
        ]

    def told(self, edition: Edition, as_of: float) -> tuple[TestState, ...]:
        """The tests as a window tells them."""
        one = self.features.told(edition.specification, as_of)
        return (*(() if one is None else (one,)), *self.vectors.told(edition.specification, edition.layout, as_of))

    def to_json(self) -> dict[str, Any]:
        """All but the features' test, whose bytes are records of their own."""
        vectors = self.vectors.to_json()
        return self.features.to_json() | ({} if vectors is None else {"vectors": vectors})


def watch_of(specification: MonitorSpecification) -> InputWatch:
    """A new one, which has seen nothing."""
    return InputWatch(feature_watch.watch_of(specification))


def restored(found: Mapping[str, Any], test: Mapping[str, bytes]) -> InputWatch:
    """Back from ``to_json`` and the records of the features' test."""
    own = {name: value for name, value in found.items() if name != "vectors"}
    return InputWatch(feature_watch.restored(own, test), VectorWatch.from_json(found.get("vectors")))
