"""Watches the estimates without labels of a champion: an alarm where they fall below the reference's own.

    z = (estimate of the reference - estimate of the window) / sqrt(between + variance of the window's)

ranked among the windows of the reference and those so far (window_csr.py), for accuracy and AUC: honest if windows
are exchangeable. ``between``: how far the reference's windows lie apart beyond what their rows explain: the traffic
of a window does not matter. With a season hours differ by right, and windows are first added up to whole days. An
alarm of ``effect_error`` or more is above the floor; an estimate that has not fallen at all is none. While the
estimates are withdrawn (estimate_trust.py) nothing is ranked, and ranking begins anew afterwards.

It is part of the monitor's budget: it has a quarter of what the features' family may use (features.py). An alarm
above the floor opens an incident, until labels say what it is (incidents/performance.py).
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from driftloop.detectors import binned_cbpe, window_csr
from driftloop.detectors.binned_cbpe import Calibration
from driftloop.schemas.baseline.calibration import CalibrationBaseline
from driftloop.schemas.events import DriftDetected
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.editions import Edition
from driftloop.streams.judge.inputs import features
from driftloop.streams.judge.inputs.whole_days import ends_a_step, step_seconds
from driftloop.streams.judge.labels import estimates
from driftloop.streams.judge.labels.estimate_trust import EstimateTrust
from driftloop.streams.judge.metrics.intervals import Floats
from driftloop.streams.judge.reference import Reference
from driftloop.streams.judge.state import Records, Store, key
from driftloop.streams.judge.sums import FEATURES, Counts
from driftloop.streams.judge.windows import Window
from numpy.typing import NDArray

DETECTOR = "cbpe"
RANKED = ("accuracy", "auc")
_DECIMALS = 6
WINDOWS_MOST = 512
"""Scores remembered: 8 kB."""


@dataclass(slots=True)
class EstimateWatch:
    """``of``: reference and champion of what is ranked. ``carried``: rows by bin of the score that wait for more
    windows; None: none do. ``fallen``: how far the last window is below the reference in the figure that has fallen
    most, None: it was not ranked; ``reason``: why there is no estimate."""

    trust: EstimateTrust = field(default_factory=EstimateTrust)
    test: window_csr.State | None = None
    carried: Counts | None = None
    of: tuple[str, str] = ("", "")
    fallen: float | None = None
    reason: str = ""

    def close(
        self,
        edition: Edition,
        version: str,
        reference: Reference,
        start: float,
        found: Sequence[Window],
    ) -> list[DriftDetected]:
        """The predictions of a window are complete; ``found``: every champion's, of which that of ``version`` counts.
        Alarms, strongest first."""
        specification = edition.specification
        panes = [pane for window in found if window.group.version == version for pane in window.panes.values()]
        trust = self.trust.now(specification, reference, version)
        self.fallen, self.reason = None, trust.reason
        if self.of != self.trust.of or trust.reason:
            self.test, self.carried, self.of = None, None, self.trust.of
        if trust.reason or trust.calibration is None or not panes:
            return []
        counts: Counts = np.sum([edition.layout.read(FEATURES, p.features, "score") for p in panes], axis=0)
        if self.carried is not None:
            counts = counts + self.carried
        if counts.sum() < specification.minimum_rows or not ends_a_step(specification, start):
            self.carried = counts
            return []
        self.carried = None
        return self._rank(specification, reference, trust.calibration, version, start, counts)

    def _rank(
        self,
        specification: MonitorSpecification,
        reference: Reference,
        calibration: Calibration,
        version: str,
        start: float,
        counts: Counts,
    ) -> list[DriftDetected]:
        falls = falls_of(specification, calibration, counts)
        self.fallen = max((fall for fall in falls.sizes.tolist() if not math.isnan(fall)), default=0.0)
        known = reference.calibration
        assert known is not None, "it is what trust stands on"
        ties = [window_csr.uniform_of(specification.model, DETECTOR, name, start) for name in RANKED]
        settings = _settings(
            len(RANKED),
            features.budgets_of_estimates(specification)
            * specification.budget_seconds
            / specification.window_seconds,
        )
        state = self.test or _begin(specification, known, settings)
        self.test, verdict = window_csr.step(
            settings, state, window_csr.Scores(falls.ranked(np.array(known.between)).tolist(), ties)
        )
        if not verdict.alarmed:
            return []
        self.test = window_csr.start(settings)
        least = min(max(verdict.parts), math.log(verdict.threshold))
        strong = [
            (part, name, fall) for part, name, fall in zip(verdict.parts, RANKED, falls.sizes.tolist(), strict=True)
        ]
        return [
            features.detected(
                specification,
                version,
                start,
                (DETECTOR, verdict.threshold),
                f"estimated_{name}",
                part,
                (fall, "share"),
                paging=fall >= specification.effect_error,
            )
            for part, name, fall in sorted(strong, key=lambda one: (-one[0], one[1]))
            if part >= least and fall > 0
        ]

    def save(self, store: Store, model: str) -> None:
        """Where nothing can be estimated there is no record."""
        if self.trust.of[0]:
            store.put_json(key("estimates", model), self.to_json)

    @classmethod
    def restored(cls, records: Records) -> EstimateWatch:
        found = records.get("estimates", [])
        return cls.from_json(json.loads(found[0].value)) if found else cls()

    def to_json(self) -> dict[str, Any]:
        return {
            "of": list(self.of),
            "trust": self.trust.to_json(),
            "test": self.test and base64.b64encode(window_csr.to_bytes(self.test)).decode(),
            "carried": None if self.carried is None else self.carried.tolist(),
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> EstimateWatch:
        test = found["test"] and window_csr.from_bytes(base64.b64decode(found["test"]))
        carried = None if found["carried"] is None else np.asarray(found["carried"], np.int64)
        return cls(EstimateTrust.from_json(found["trust"]), test, carried, (found["of"][0], found["of"][1]))


@lru_cache(maxsize=64)
def _settings(figures: int, windows: float) -> window_csr.Settings:
    return window_csr.Settings(figures, max(1.0, windows), windows_most=WINDOWS_MOST)


def _begin(
    specification: MonitorSpecification, known: CalibrationBaseline, settings: window_csr.Settings
) -> window_csr.State:
    """With the windows of the reference to be ranked among, where they are as long."""
    nothing = window_csr.start(settings)
    if not known.falls or known.window_seconds != step_seconds(specification):
        return nothing
    return nothing._replace(scores=np.array(known.falls, np.float64))


class Falls(NamedTuple):
    """By figure of ``RANKED``, NaN where it cannot be told: how far a window is below the reference, and the variance
    that its rows explain."""

    sizes: Floats
    variances: Floats

    def ranked(self, between: Floats) -> Floats:
        """In standard deviations."""
        spread = between + self.variances
        return np.asarray(
            np.divide(self.sizes, np.sqrt(spread), out=np.full(len(RANKED), math.nan), where=spread > 0)
        )


def falls_of(specification: MonitorSpecification, calibration: Calibration, counts: Counts | Floats) -> Falls:
    usual, now = (estimates.figures(specification, calibration, n, RANKED) for n in (calibration.rows, counts))
    anew = binned_cbpe.drawn_anew(calibration, counts)
    sizes = [usual[n].value - now[n].value if n in now and n in usual else math.nan for n in RANKED]
    return Falls(np.array(sizes), np.array([anew.get(name, math.nan) for name in RANKED]))


def with_windows(
    specification: MonitorSpecification, known: CalibrationBaseline, windows: NDArray[np.int64]
) -> CalibrationBaseline:
    """A reference's calibration with its own windows, [windows, bins of the score], those with enough rows."""
    enough = [counts for counts in windows if counts.sum() >= specification.minimum_rows][-WINDOWS_MOST // 2 :]
    found = [falls_of(specification, estimates.calibration_of(known), counts) for counts in enough]
    if len(found) < 2:
        return replace(known, window_seconds=step_seconds(specification), between=(0.0,) * len(RANKED))
    sizes, variances = (np.array(part) for part in zip(*found, strict=True))
    between = np.nan_to_num(np.maximum(0.0, sizes.var(axis=0) - variances.mean(axis=0)))
    ranked = np.round([one.ranked(between) for one in found], _DECIMALS)
    told = tuple(tuple(None if math.isnan(v) else v for v in row) for row in ranked.tolist())
    return replace(known, window_seconds=step_seconds(specification), between=tuple(between.tolist()), falls=told)
