"""Watches features without a season: window conformal Shiryaev–Roberts over all of them, stepped once a window.

A window with fewer than ``minimum_rows`` predictions is not judged on nothing: it is joined with the next ones until
there are enough. After an alarm the test starts anew, the windows since then are its new normal; so a lasting change
alarms once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from driftloop.detectors import window_csr
from driftloop.detectors.verdict import Verdict
from driftloop.schemas.events import DriftDetected, TestState
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.incidents.performance import NEVER
from driftloop.streams.judge.inputs import features
from driftloop.streams.judge.last_verdict import LastVerdict
from driftloop.streams.judge.reference import Reference
from driftloop.streams.judge.sums import Counts, Layout


@dataclass(slots=True)
class ConformalWatch:
    """A FeatureWatch (feature_watch.py). ``carried``: counts of windows that were too small, with their
    predictions."""

    test: window_csr.State | None = None
    alarmed_at: float = NEVER
    carried: Counts | None = None
    carried_rows: int = 0
    evidence: tuple[float, ...] = ()
    blind_below: float | None = field(default=None, init=False, compare=False)
    _last: LastVerdict[window_csr.Settings, window_csr.State] = field(
        default_factory=lambda: LastVerdict(window_csr.verdict), init=False, compare=False, repr=False
    )

    def restart(self) -> None:
        self.test, self.alarmed_at, self.carried, self.carried_rows, self.evidence = None, NEVER, None, 0, ()

    def close(
        self,
        specification: MonitorSpecification,
        reference: Reference,
        layout: Layout,
        version: str,
        window_start: float,
        counts: Counts,
        rows: int,
        alone: bool,  # noqa: ARG002 (features are the same whoever scores them)
    ) -> list[DriftDetected]:
        if self.carried is not None:
            counts, rows = counts + self.carried, rows + self.carried_rows
        if rows < specification.minimum_rows:
            self.carried, self.carried_rows = counts.copy(), rows
            return []
        self.carried, self.carried_rows = None, 0
        current = layout.read_features(counts)
        settings = features.settings_of(specification)
        scores = features.scores(specification, window_start, current, reference.features)
        self.test, verdict = window_csr.step(settings, self.test or window_csr.start(settings), scores)
        self._last.keep(settings, self.test, verdict)
        self.evidence = tuple(max(part, features.LOG_EVIDENCE_LEAST) for part in verdict.parts)
        if not verdict.alarmed:
            return []
        found = _alarms(specification, reference, version, window_start, current, verdict)
        self.test, self.alarmed_at = window_csr.start(settings), window_start + specification.window_seconds
        return found

    def told(self, specification: MonitorSpecification, as_of: float) -> TestState:
        """The test as a window tells it. ``alarmed``: within the last window."""
        settings = features.settings_of(specification)
        verdict = self._last.of(settings, self.test or window_csr.start(settings))
        steps = self.test.steps if self.test else 0
        recent = self.alarmed_at > as_of - specification.window_seconds
        return TestState(features.DETECTOR, verdict.statistic, verdict.threshold, steps, recent)

    def incident(self, window_end: float) -> tuple[bool, str] | None:  # noqa: ARG002 (after an alarm it starts anew)
        return None

    def unknown(self, specification: MonitorSpecification, reference: Reference) -> str:  # noqa: ARG002
        return ""

    def remark(self) -> str:
        return ""

    def to_records(self) -> dict[str, bytes]:
        return {"": window_csr.to_bytes(self.test)} if self.test else {}

    def to_json(self) -> dict[str, Any]:
        return {
            "alarmed_at": self.alarmed_at,
            "carried": None if self.carried is None else self.carried.tolist(),
            "carried_rows": self.carried_rows,
            "evidence": list(self.evidence),
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any], test: bytes | None) -> ConformalWatch:
        carried = found["carried"]
        return cls(
            window_csr.from_bytes(test) if test else None,
            found["alarmed_at"],
            None if carried is None else np.asarray(carried, np.int64),
            found["carried_rows"],
            tuple(found["evidence"]),
        )


def _alarms(
    specification: MonitorSpecification,
    reference: Reference,
    version: str,
    window_start: float,
    current: Mapping[str, Counts],
    verdict: Verdict,
) -> list[DriftDetected]:
    measured = features.measure(specification, current, reference.features)
    drifts = {d.feature: d for d in features.with_evidence(specification, measured, verdict.parts)}
    test = (features.DETECTOR, verdict.threshold)
    found = []
    for name in features.strongest({name: drift.log_evidence for name, drift in drifts.items()}, verdict.threshold):
        drift = drifts[name]
        paging = features.is_above_floor(specification, drift, reference.features[name])
        effect = (drift.effect, drift.unit)
        found.append(
            features.detected(specification, version, window_start, test, name, drift.log_evidence, effect, paging)
        )
    return found
