"""Watches data quality: the rules once a window of the champion, and the incident that follows from what they find.

An incident opens with the first rule that is broken, is told again (at most once a window) while some are, and is
resolved when two windows in a row (``[alarms] hold``) broke none. A monitor may want N of M windows to break a rule
before it calls (quality_confirmed.py). It is of kind ``data_quality``, and no reason to retrain: a model must
not learn a broken pipeline (retrainer/triggers.py). Rules are no sequential test and take nothing from the budget:
quality.py says how seldom they are wrong.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from driftloop.schemas.codec import canonical_json
from driftloop.schemas.events import DriftDetected, IncidentChanged, OffsetRange, QualityBroken
from driftloop.schemas.monitor.quality import LEARNED
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.incidents import incidents
from driftloop.streams.judge.incidents.incidents import Incident
from driftloop.streams.judge.labels import label_gaps
from driftloop.streams.judge.labels.label_gaps import LabelGaps, Look, Stopped
from driftloop.streams.judge.quality import quality, quality_confirmed
from driftloop.streams.judge.quality.limits import Limits
from driftloop.streams.judge.quality.quality import Facts
from driftloop.streams.judge.quality.quality_confirmed import Calls, Lately
from driftloop.streams.judge.quality.quality_history import History, Past
from driftloop.streams.judge.quality.quality_telling import KIND, detected, sentence
from driftloop.streams.judge.reference import Reference
from driftloop.streams.judge.sums import Layout, Total

COUNTED = ("labelled", "unlabelled", "duplicates")
"""Running totals of a model of which a window's share is what they gained since the window before; a source that was
set back begins again, and gains nothing meanwhile."""
OF_RECORDS = ("volume", "freshness", "duplicates")
NO_REFERENCE: Mapping[str, Sequence[int]] = {}
Told = DriftDetected | IncidentChanged


@dataclass(frozen=True, slots=True)
class Judged:
    """One window that has closed, of all champions: its sums, its panes (start, predictions), totals as of then.
    ``labels_due``, ``labels_came``, ``heard``: as a Look has them (labels/label_gaps.py). ``offsets_since``: of the
    panes of windows from a start up to this one."""

    version: str
    start: float
    sums: Total
    panes: tuple[tuple[float, int], ...]
    totals: Mapping[str, int]
    labels_due: float = 0.0
    labels_came: int = 0
    heard: float = 1.0
    offsets_since: Callable[[float], tuple[OffsetRange, ...]] = lambda _since: ()


@dataclass(slots=True)
class QualityWatch:
    """``counted``: the totals as of the last window; ``broken``: (rule, feature) of it; ``stopped``: labels have, as
    of its end; ``lately``: the last windows, where several must break a rule."""

    incident: Incident = field(default_factory=Incident)
    history: History = field(default_factory=History)
    counted: dict[str, int] = field(default_factory=dict)
    broken: tuple[tuple[str, str], ...] = ()
    gaps: LabelGaps = LabelGaps()  # noqa: RUF009 (frozen)
    stopped: Stopped | None = None
    lately: tuple[Lately, ...] = ()
    _limits: Limits | None = field(default=None, init=False, compare=False, repr=False)

    def close(
        self, specification: MonitorSpecification, layout: Layout, reference: Reference | None, window: Judged
    ) -> tuple[tuple[QualityBroken, ...], list[Told]]:
        """(what the window breaks, what is told of it)."""
        self._look(specification, window)
        facts = self._facts(specification, layout, window)
        usual = self.history.usual(window.start, specification.window_seconds)
        found = quality.check(self._limits_of(specification, reference), usual, facts)
        repeats, records = facts.duplicates
        odd = any(b.rule in OF_RECORDS for b in found)
        share = repeats / records if records else 0.0
        self.history.learn(Past(window.start, facts.predictions, facts.silent_seconds, share, odd))
        broken = tuple((b.rule, b.feature) for b in found)
        confirmed_by = (specification.quality or LEARNED).confirmed_by
        self.lately, calls = quality_confirmed.step(self.lately, Lately(window.start, broken), confirmed_by)
        told = self._alarm(specification, window, found, calls) if found else self._quiet(specification, window)
        self.broken = broken
        return found, told

    def pass_over(self, totals: Mapping[str, int], end: float, labels_came: int) -> None:
        """A window is not judged: what it has counted is not the next one's."""
        self.counted = {name: totals.get(name, 0) for name in COUNTED}
        self.gaps = label_gaps.passed_over(self.gaps, end, labels_came)

    def _limits_of(self, specification: MonitorSpecification, reference: Reference | None) -> Limits:
        counts = reference.features if reference is not None else NO_REFERENCE
        if self._limits is None or not self._limits.fit(specification, counts):
            self._limits = Limits(specification, counts)
        return self._limits

    def _look(self, specification: MonitorSpecification, window: Judged) -> None:
        rules = specification.quality or LEARNED
        look = Look(
            now=window.start + specification.window_seconds,
            window_seconds=specification.window_seconds,
            due=window.labels_due,
            came=window.labels_came,
            horizon_seconds=specification.horizon_seconds,
            limit_seconds=rules.labels_seconds,
            heard=window.heard,
        )
        self.gaps, self.stopped = label_gaps.step(self.gaps, look)

    def _facts(self, specification: MonitorSpecification, layout: Layout, window: Judged) -> Facts:
        gained = {name: max(0, window.totals.get(name, 0) - self.counted.get(name, 0)) for name in COUNTED}
        first = not self.counted
        self.counted = {name: window.totals.get(name, 0) for name in COUNTED}
        labels = gained["labelled"] + gained["unlabelled"]
        records = window.sums.predictions + labels + gained["duplicates"]
        end = window.start + specification.window_seconds
        last = max((start for start, predictions in window.panes if predictions), default=-math.inf)
        names = [f.name for f in specification.features if f.kind == "embedding"]
        return Facts(
            predictions=window.sums.predictions,
            features=layout.read_features(window.sums.features),
            decisions=window.sums.decisions,
            broken={name: window.sums.counts.get(f"broken:{name}", 0) for name in names},
            labels=(0, 0) if first else (gained["unlabelled"], labels),
            duplicates=(0, 0) if first else (gained["duplicates"], records),
            silent_seconds=min(specification.window_seconds, end - last - specification.pane_seconds),
            stopped=self.stopped,
        )

    def _alarm(
        self, specification: MonitorSpecification, window: Judged, found: tuple[QualityBroken, ...], calls: Calls
    ) -> list[Told]:
        """An alarm is told when it is new, and when it comes to call."""
        alarms = {}
        for b in found:
            rule = b.rule, b.feature
            alarms[rule] = detected(
                specification, window.version, window.start, b, self.stopped, paging=rule in calls.rules
            )
        news = calls.rules - calls.known
        fresh = [alarm for rule, alarm in alarms.items() if rule not in self.broken or rule in news]
        first, *others = sorted(alarms.values(), key=lambda alarm: not alarm.paging)
        self.incident, change = incidents.alarm(
            self.incident, first, tuple(others), specification.window_seconds, KIND
        )
        offsets = window.sums.offsets
        if change == "opened" and calls.since < window.start:
            self.incident = replace(self.incident, began_at=min(self.incident.began_at, calls.since))
            offsets = window.offsets_since(calls.since)
        if not change:
            return [*fresh]
        end = window.start + specification.window_seconds
        summary = sentence(specification, found, window.start, self.stopped)
        return [*fresh, incidents.changed(specification, self.incident, change, end, summary, offsets, KIND)]

    def _quiet(self, specification: MonitorSpecification, window: Judged) -> list[Told]:
        before = self.incident = incidents.matured(self.incident, window.sums.predictions, 0.0)
        end = window.start + specification.window_seconds
        if not incidents.is_quiet(before, specification, end, math.inf):
            return []
        self.incident, change = incidents.close(before, incidents.QUIET)
        summary = f"data quality is back to normal: {specification.quiet_windows} windows broke no rule"
        return [incidents.changed(specification, before, change, end, summary, kind=KIND)]

    @property
    def standing(self) -> tuple[tuple[str, str], ...]:
        """(rule, feature) that the open incident is about, those of the last window first."""
        if self.incident.state != incidents.OPEN:
            return ()
        known = [(alarm.detector.removeprefix(f"{KIND}:"), alarm.feature) for alarm in self.incident.evidence]
        return tuple(dict.fromkeys((*self.broken, *known)))

    @property
    def missing_labels(self) -> tuple[float, float] | None:
        """(known, expected) of the labels, while they have stopped; None: they have not."""
        return (float(self.stopped.came), self.stopped.expected) if self.stopped is not None else None

    @property
    def open(self) -> tuple[str, ...]:
        """Its id while an incident is open."""
        return (self.incident.identity,) if self.incident.state == incidents.OPEN else ()

    def to_bytes(self) -> bytes:
        """A state record of its own: it changes once a window."""
        found: dict[str, Any] = {
            "incident": asdict(self.incident),
            "past": self.history.past,
            "gaps": self.gaps.to_json(),
        }
        found |= {"counted": self.counted, "broken": self.broken, "stopped": self.stopped}
        return canonical_json(found | ({"lately": self.lately} if self.lately else {})).encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> QualityWatch:
        found: dict[str, Any] = json.loads(raw)
        evidence = tuple(DriftDetected(**e) for e in found["incident"]["evidence"])
        return cls(
            Incident(**found["incident"] | {"evidence": evidence}),
            History([Past(*p) for p in found["past"]]),
            found["counted"],
            tuple((rule, feature) for rule, feature in found["broken"]),
            LabelGaps.from_json(found.get("gaps", {})),  # a state of before has seen none
            Stopped(*found["stopped"]) if found.get("stopped") else None,
            tuple(
                Lately(start, tuple((rule, feature) for rule, feature in broken))
                for start, broken in found.get("lately", ())
            ),
        )
