"""Watches the champion's loss: one e-SR test stepped once a matured pane, and the incident that follows from it.

The baseline is the reference's. A new champion's test starts afresh, against the **same** baseline: the judge reads
no manifests, and a successor that is worse than what was once good enough should be an incident. The evidence it
inherits is none; an incident of its predecessor is resolved by the change.

Evidence is tempered by the reference's own design effect: rows of one day share their weather and count for less.

effect = mean log loss since the change began (e_detector.suspected) - mean log loss of the reference, in nats;
it pages from ``effect_error`` on (.01 nats stand for the one point of error of the specification). The loss of a
regression is its absolute error in scales (schemas/losses.py), for which the same floor stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

from driftloop.detectors import e_detector
from driftloop.schemas import bins
from driftloop.schemas.events import DriftDetected, IncidentChanged, OffsetRange, TestState
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.incidents import incidents
from driftloop.streams.judge.incidents.incidents import Incident
from driftloop.streams.judge.inputs.features import families
from driftloop.streams.judge.last_verdict import LastVerdict
from driftloop.streams.judge.metrics.tasks import loss_of
from driftloop.streams.judge.reference import LossBaseline, Reference
from driftloop.streams.judge.sums import Counts

NEVER = -1.0
"""An instant before all others: no alarm yet. (Infinities have no place in JSON.)"""
Told = DriftDetected | IncidentChanged


@dataclass(frozen=True, slots=True)
class MaturedPane:
    """The labels of one pane of the champion, all partitions and delays, when its horizon has passed.

    ``offsets_since``: source offsets of the champion's panes from a pane's start up to this one."""

    version: str
    start: float
    loss_counts: Counts
    loss_sum: float
    as_of: float
    offsets_since: Callable[[float], tuple[OffsetRange, ...]]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the estimates without labels say of a window of the champion (labels/estimate_watch.py)."""

    version: str
    end: float
    alarms: tuple[DriftDetected, ...]
    fallen: float | None
    reason: str
    offsets_since: Callable[[float], tuple[OffsetRange, ...]]


@dataclass(slots=True)
class Performance:
    """``test`` None: no pane has been judged in this time of the champion's."""

    test: e_detector.State | None = None
    alarmed_at: float = NEVER
    incident: Incident = field(default_factory=Incident)
    _last: LastVerdict[e_detector.Settings, e_detector.State] = field(
        default_factory=lambda: LastVerdict(e_detector.verdict), init=False, compare=False, repr=False
    )

    def replaced(self, specification: MonitorSpecification, as_of: float, champion: str) -> list[Told]:
        """Another version is champion from now on."""
        self.test, self.alarmed_at = None, NEVER
        before = self.incident
        self.incident, change = incidents.close(before, incidents.REPLACED)
        summary = f"{before.version} is no longer champion: {champion} is"
        return [incidents.changed(specification, before, change, as_of, summary)] if change else []

    def mature(
        self,
        specification: MonitorSpecification,
        reference: Reference,
        pane: MaturedPane,
        known: tuple[DriftDetected, ...],
    ) -> list[Told]:
        """Step the test over one pane. ``known``: recent alarms of features, to stand beside it as evidence."""
        rows, baseline = int(pane.loss_counts.sum()), reference.loss
        if not rows or baseline is None:
            return []
        settings = settings_of(specification, baseline)
        self.test, verdict = e_detector.step(
            settings,
            self.test or e_detector.start(settings),
            e_detector.Losses(pane.start, pane.loss_counts, pane.loss_sum),
        )
        self._last.keep(settings, self.test, verdict)
        if not verdict.alarmed:
            if not incidents.is_expected(self.incident) or pane.start >= self.incident.began_at:
                self.incident = incidents.matured(self.incident, rows, pane.loss_sum)
            return self._resolve(specification, baseline, pane)
        change = e_detector.suspected(self.test)
        self.test, self.alarmed_at = e_detector.start(settings), pane.as_of
        effect, loss = change.mean - baseline.mean, loss_of(specification)
        found = DriftDetected(
            model=specification.model,
            version=pane.version,
            spec=specification.spec,
            as_of=pane.as_of,
            window_start=change.since,
            window_seconds=pane.start + specification.pane_seconds - change.since,
            detector=incidents.LOSS,
            feature=loss.feature,
            statistic=verdict.statistic,
            threshold=verdict.threshold,
            effect=effect,
            unit=loss.unit,
            paging=effect >= specification.effect_error,
        )
        every = 0.0 if incidents.is_expected(self.incident) else specification.window_seconds
        self.incident, told = incidents.alarm(self.incident, found, known, every)
        if not told:
            return [found]
        summary = incidents.sentence(
            loss.words, pane.version, change.mean, baseline.mean, change.since, change.events
        )
        return [
            found,
            incidents.changed(
                specification,
                self.incident,
                told,
                pane.as_of,
                summary,
                pane.offsets_since(self.incident.began_at),
            ),
        ]

    def expect(
        self, specification: MonitorSpecification, now: Expected, known: tuple[DriftDetected, ...]
    ) -> list[Told]:
        """A fall that is expected before labels are in opens an incident, or goes on in one that labels have not
        confirmed. It ends when the estimate is withdrawn, or is back within the floor; labels may end it before."""
        before, seconds = self.incident, specification.window_seconds
        if (found := next((a for a in now.alarms if a.paging), None)) is not None:
            if before.state == incidents.OPEN and not incidents.is_expected(before):
                return []
            beside = tuple(
                alarm for alarm in known if alarm.detector != incidents.LOSS
            )  # of an incident that is over
            self.incident, told = incidents.alarm(before, found, (*now.alarms, *beside), seconds)
            offsets = now.offsets_since(self.incident.began_at)
            words = incidents.expected_sentence(self.incident.version, now.alarms)
            return [incidents.changed(specification, self.incident, told, now.end, words, offsets)] if told else []
        if not incidents.is_expected(before):
            return []
        words = f"what was expected is taken back: {now.reason}"
        if not now.reason:
            is_back = now.fallen is not None and now.fallen < specification.effect_error
            if not is_back or now.end < before.alarm_at + specification.quiet_windows * seconds:
                return []
            words = f"back to normal: what is expected is {now.fallen:+.4f} below the reference"
        self.incident, change = incidents.close(before, incidents.QUIET)
        return [incidents.changed(specification, before, change, now.end, words)]

    @property
    def open(self) -> tuple[str, ...]:
        """Its id while an incident is open that labels have confirmed: one that asks for a fit."""
        stands = self.incident.state == incidents.OPEN and not incidents.is_expected(self.incident)
        return (self.incident.identity,) if stands else ()

    def attach(self, evidence: tuple[DriftDetected, ...]) -> None:
        """Alarms of features while the incident is open are evidence of it."""
        self.incident = incidents.attach(self.incident, evidence)

    def told(self, specification: MonitorSpecification, reference: Reference, as_of: float) -> TestState | None:
        """The test as a window tells it, None without a baseline. ``alarmed``: within the last window."""
        if reference.loss is None:
            return None
        settings = settings_of(specification, reference.loss)
        verdict = self._last.of(settings, self.test or e_detector.start(settings))
        steps = self.test.steps if self.test else 0
        recent = self.alarmed_at > as_of - specification.window_seconds
        return TestState(incidents.LOSS, verdict.statistic, verdict.threshold, steps, recent)

    def _resolve(self, specification: MonitorSpecification, baseline: LossBaseline, pane: MaturedPane) -> list[Told]:
        loss_most = max(baseline.upper, baseline.mean + specification.effect_error)
        before = self.incident
        if not incidents.is_quiet(before, specification, pane.as_of, loss_most):
            return []
        self.incident, change = incidents.close(before, incidents.QUIET)
        mean = before.loss / before.rows
        words = loss_of(specification).words
        summary = incidents.sentence(words, pane.version, mean, baseline.mean, before.alarm_at, before.rows)
        return [incidents.changed(specification, before, change, pane.as_of, "back to normal: " + summary)]

    def to_json(self) -> dict[str, Any]:
        """All but the test, whose bytes are a record of their own."""
        return {"alarmed_at": self.alarmed_at, "incident": asdict(self.incident)}

    @classmethod
    def from_json(cls, found: dict[str, Any], test: bytes | None) -> Performance:
        evidence = tuple(DriftDetected(**e) for e in found["incident"]["evidence"])
        return cls(
            e_detector.from_bytes(test) if test else None,
            found["alarmed_at"],
            Incident(**found["incident"] | {"evidence": evidence}),
        )


def settings_of(specification: MonitorSpecification, baseline: LossBaseline) -> e_detector.Settings:
    """Its run length is counted in panes: one false alarm in as many budgets as there are families."""
    return _settings(
        baseline.upper,
        max(1.0, families(specification) * specification.budget_seconds / specification.pane_seconds),
        1.0 / baseline.design_effect,
    )


@lru_cache(maxsize=64)
def _settings(mean: float, threshold: float, temper: float) -> e_detector.Settings:
    return e_detector.Settings(mean, threshold, tuple(bins.loss_floor().tolist()), temper=temper)
