"""Watches features with a season (detectors/seasonal/): every window against the same hours of the reference.

An incident of the detector is one drift here. It is told when it opens; while it goes on, again after a day, and as
soon as it is large enough to call a person. Between alarms of an open incident windows say DRIFT too. Windows with
few rows go in as they are: the detector adds them up to periods that say something. Where the season is not known
nothing alarms, and every window says why.

Scores are watched with the features, as one more, while the version serves whose scores the reference has; while
another does they are not, and the window says so: a successor's scores are right to be others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from driftloop.detectors import seasonal
from driftloop.detectors.seasonal import Judgement, Monitor, Pane, Unknown
from driftloop.schemas.events import DriftDetected, TestState
from driftloop.schemas.monitor.season import SeasonBaseline
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.incidents.performance import NEVER
from driftloop.streams.judge.inputs import features, season
from driftloop.streams.judge.inputs.features import LOG_EVIDENCE_LEAST
from driftloop.streams.judge.inputs.season import DAY_SECONDS
from driftloop.streams.judge.reference import Reference
from driftloop.streams.judge.sums import Counts, Layout

DETECTOR = "seasonal"


@dataclass(slots=True)
class _Known:
    """The monitor of a specification and a reference, made once."""

    of: tuple[str, str]
    monitor: Monitor | Unknown


@dataclass(slots=True)
class SeasonWatch:
    """A FeatureWatch (feature_watch.py). ``opened_at``: start of the window that opened the incident, ``names`` its
    features, ``told_at`` its last alarm that was told; NEVER and (): all is calm. ``said``: the detector's sentence.
    ``home``: the version whose scores have a season, ``foreign``: why scores are not watched; empty: they are.
    """

    test: seasonal.State | None = None
    steps: int = 0
    statistic: float = 0.0
    threshold: float = 0.0
    evidence: tuple[float, ...] = ()
    alarmed_at: float = NEVER
    opened_at: float = NEVER
    told_at: float = NEVER
    paging: bool = False
    names: tuple[str, ...] = ()
    said: str = ""
    blind_below: float | None = None
    home: str = ""
    foreign: str = ""
    _known: _Known | None = field(default=None, compare=False)

    def restart(self) -> None:
        self.test, self.steps, self.statistic, self.threshold, self.evidence = None, 0, 0.0, 0.0, ()
        self.alarmed_at, self.said, self.blind_below = NEVER, "", None
        self.home = self.foreign = ""
        self._calm()

    def close(
        self,
        specification: MonitorSpecification,
        reference: Reference,
        layout: Layout,
        version: str,
        window_start: float,
        counts: Counts,
        rows: int,  # noqa: ARG002 (few rows are the detector's affair)
        alone: bool,
    ) -> list[DriftDetected]:
        monitor = self._monitor(specification, reference)
        if isinstance(monitor, Unknown):
            return []
        known = reference.season
        assert known is not None, "there is no monitor without it"
        self._whose_scores(known, version, alone)
        pane = Pane(window_start, season.counts_of(specification, known, layout, counts, not self.foreign))
        self.test, judgement = seasonal.step(monitor, self.test or seasonal.start(monitor), pane)
        self.steps += 1
        self.statistic, self.threshold = judgement.statistic, judgement.threshold
        self.blind_below = judgement.blind_below
        own = _log_evidence(monitor, judgement)
        self.evidence = tuple(own.get(f.name, LOG_EVIDENCE_LEAST) for f in specification.features)
        if not judgement.is_open:
            self._calm()
        if judgement.said or not judgement.is_open:
            self.said = judgement.said
        if not (judgement.alarmed and judgement.is_open):  # at the end of an incident nobody is called
            return []
        return self._alarms(specification, version, window_start, judgement, own)

    def _alarms(
        self,
        specification: MonitorSpecification,
        version: str,
        window_start: float,
        judgement: Judgement,
        own: Mapping[str, float],
    ) -> list[DriftDetected]:
        """One event a feature that reached the threshold by itself, and always the strongest; none where the incident
        has been told and is no larger."""
        now = window_start + specification.window_seconds
        names = features.strongest(own, judgement.threshold)
        found = [_event(specification, version, window_start, judgement, name, own[name]) for name in names]
        pages = any(alarm.paging for alarm in found)
        news = self.opened_at == NEVER or now >= self.told_at + DAY_SECONDS or (pages and not self.paging)
        if self.opened_at == NEVER:
            self.opened_at = window_start
        self.alarmed_at, self.paging = now, self.paging or pages
        self.names = tuple(dict.fromkeys((*self.names, *(alarm.feature for alarm in found))))
        if not news:
            return []
        self.told_at = now
        return found

    def told(self, specification: MonitorSpecification, as_of: float) -> TestState | None:
        """``alarmed``: within the last window."""
        if not self.steps:
            return None
        recent = self.alarmed_at > as_of - specification.window_seconds
        return TestState(DETECTOR, self.statistic, self.threshold, self.steps, recent)

    def incident(self, window_end: float) -> tuple[bool, str] | None:
        if self.opened_at == NEVER or window_end <= self.opened_at:
            return None
        return self.paging, f"drift of {', '.join(self.names)}" + (f" ({self.said})" if self.said else "")

    def unknown(self, specification: MonitorSpecification, reference: Reference) -> str:
        monitor = self._monitor(specification, reference)
        return f"{monitor.reason}; {monitor.hint}" if isinstance(monitor, Unknown) else ""

    def remark(self) -> str:
        return "; ".join(filter(None, (self.said, self.foreign)))

    def _whose_scores(self, known: SeasonBaseline, version: str, alone: bool) -> None:
        """Where nothing names the version that the reference is of, it is the first champion's."""
        self.home = self.home or known.version or version
        serves = version if alone else "more than one version"
        said = f"scores are not watched: their season is that of {self.home}, and {serves} serves"
        self.foreign = said if known.score_bins and (not alone or version != self.home) else ""

    def _monitor(self, specification: MonitorSpecification, reference: Reference) -> Monitor | Unknown:
        of = specification.spec, reference.name
        if self._known is None or self._known.of != of:
            self._known = _Known(of, season.monitor_of(specification, reference.season))
        return self._known.monitor

    def _calm(self) -> None:
        self.opened_at, self.told_at, self.paging, self.names = NEVER, NEVER, False, ()

    def to_records(self) -> dict[str, bytes]:
        return seasonal.to_records(self.test) if self.test else {}

    def to_json(self) -> dict[str, Any]:
        return {
            "season": {
                "steps": self.steps,
                "statistic": self.statistic,
                "threshold": self.threshold,
                "evidence": list(self.evidence),
                "alarmed_at": self.alarmed_at,
                "opened_at": self.opened_at,
                "told_at": self.told_at,
                "paging": self.paging,
                "names": list(self.names),
                "said": self.said,
                "blind_below": self.blind_below,
                "home": self.home,
                "foreign": self.foreign,
            }
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any], test: Mapping[str, bytes]) -> SeasonWatch:
        """``test``: its records, or all of it in one under "", as an older judge wrote it. A state of another version
        of the detector is no state: it starts anew from the reference."""
        try:
            state = seasonal.from_bytes(test[""]) if "" in test else seasonal.from_records(test) if test else None
        except (ValueError, KeyError):
            return cls()
        return cls(test=state, **{**found, "evidence": tuple(found["evidence"]), "names": tuple(found["names"])})


def _log_evidence(monitor: Monitor, judgement: Judgement) -> dict[str, float]:
    """By feature, scores last: what it were if it were alone, which is how it compares with the threshold."""
    names = [histogram.name for histogram in monitor.watched.histograms]
    share = math.log(len(names))
    parts = zip(names, judgement.parts, strict=True)
    return {name: max(part + share, LOG_EVIDENCE_LEAST) for name, part in parts}


def _event(
    specification: MonitorSpecification,
    version: str,
    window_start: float,
    judgement: Judgement,
    name: str,
    log_evidence: float,
) -> DriftDetected:
    shift = next(shift for shift in judgement.shifts if shift.feature == name)
    effect, test = (abs(shift.size), shift.unit), (DETECTOR, judgement.threshold)
    paging = effect[0] >= specification.effect_sd
    return features.detected(specification, version, window_start, test, name, log_evidence, effect, paging)
