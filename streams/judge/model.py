"""One model: panes in, at instants of event time; windows, alarms and incidents out.

    step(now):  1 panes that are due count      2 the champion is who serves     3 what people silence counts
                4 panes whose horizon has passed step the loss test    5 windows that close step the feature test and
                are told    6 what is over is forgotten

Instants are known beforehand (a pane's emitted_at, its end + horizon, a window's end + delay edges), and a step looks
at nothing later than its instant. So what comes out is a function of the panes alone, however they came.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import DriftDetected, IncidentChanged, Pane, SilenceChanged, TestState, WindowMeasured
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge import saving, windows
from driftloop.streams.judge.champion import Champion, next_champion
from driftloop.streams.judge.editions import Edition, Editions
from driftloop.streams.judge.incidents import incidents
from driftloop.streams.judge.incidents.evidence import Evidence, Scene, ends_at
from driftloop.streams.judge.incidents.performance import Expected, MaturedPane, Performance
from driftloop.streams.judge.incidents.silencing import Silencing
from driftloop.streams.judge.inputs import input_watch
from driftloop.streams.judge.inputs.feature_records import FeatureRecords
from driftloop.streams.judge.inputs.input_watch import InputWatch
from driftloop.streams.judge.inputs.named_watch import NamedWatch
from driftloop.streams.judge.inspection import inspect_counts, inspect_place
from driftloop.streams.judge.labels.estimate_watch import EstimateWatch
from driftloop.streams.judge.labels.estimates import NOT_WATCHED
from driftloop.streams.judge.ledger import CHAMPION, HISTORY, Ledger
from driftloop.streams.judge.merge import LeftOut
from driftloop.streams.judge.metrics.measured import Moment, measure, sums_of
from driftloop.streams.judge.metrics.tasks import loss_of
from driftloop.streams.judge.quality import quality_telling
from driftloop.streams.judge.quality.counter_alarms import CounterAlarms
from driftloop.streams.judge.quality.quality_watch import Judged, QualityWatch
from driftloop.streams.judge.reference import Lookup, Reference
from driftloop.streams.judge.state import Group, Kept, Records, Store, key
from driftloop.streams.judge.sums import COUNTERS, FEATURES, LABELS, PAIRED, PaneSums
from driftloop.streams.judge.waiting import Waiting
from driftloop.streams.judge.windows import FEATURES_CLOSING, LABELS_CLOSING, Window

EMPTY_WINDOWS_MOST = 100
"""So many windows in a row are told without data; then the clock waits for the next prediction."""
ALARMS_WINDOWS = 2
"""Alarms are remembered for the horizon and so many windows."""
Told = WindowMeasured | DriftDetected | IncidentChanged | SilenceChanged


@dataclass(slots=True)
class Clock:
    """``next_end``: the end of the next window that is told even if it is empty, None: it waits for a prediction.
    ``empty``: so many have been, in a row."""

    next_end: float | None = None
    empty: int = 0


class ModelJudge:
    """The state of one model. ``store`` takes the records that change."""

    def __init__(self, model: str, lookup: Lookup, store: Store, detectors: Collection[str] = ()) -> None:
        self.model = model
        self.lookup = lookup
        self.store = store
        self.editions = Editions(model, lookup)
        self.ledger = Ledger(self.editions, store)
        self.waiting = Waiting(store)
        self.champion: Champion | None = None
        self.clock = Clock()
        self.performance = Performance()
        self.inputs = InputWatch()
        self.feature_records = FeatureRecords()
        self.quality = QualityWatch()
        self.silences = Silencing()
        self.named = NamedWatch(detectors)
        self.evidence = Evidence()
        self.estimates = EstimateWatch()
        self.alarms: tuple[DriftDetected, ...] = ()
        self.reference_name = ""
        self.counters = CounterAlarms()

    def wait(self, pane: Pane, kept: Kept, due: float) -> None:
        """Take a pane that will count at ``due``. Errors: BadRecord, and nothing has changed.

        Panes of champion beside challenger, and of segments that are not judged, are read past: no window tells them.
        """
        if pane.kind == PAIRED:
            return
        if pane.kind not in (FEATURES, LABELS, COUNTERS):
            raise BadRecord("wrong-kind", f"a pane of {pane.model} is of kind {pane.kind!r}")
        edition = self.editions[pane.spec]
        if pane.kind != COUNTERS:
            if pane.segment and (pane.role == HISTORY or pane.segment not in edition.segments):
                return
            edition.layout_of(pane).check(pane)
            inspect_place(pane, edition.specification)
        if isinstance(kept, bytes):
            inspect_counts(pane)
        self.waiting.put(pane, kept, due)

    def next_instant(self) -> float:
        """The first at which something happens; infinity: nothing is known of."""
        end = math.inf if self.clock.next_end is None else self.clock.next_end
        return min(self.waiting.next_instant(), end, self.ledger.next_instant())

    def step(self, now: float, idle: LeftOut = LeftOut()) -> Iterator[Told]:  # noqa: B008 (a tuple)
        """Work off the instant ``now``, which is the next. ``idle``: partitions that were left out."""
        for told in self._work_off(now, idle):
            if isinstance(told, IncidentChanged):
                told = self._explained(told, now, idle)  # noqa: PLW2901
            yield self.silences.marked(told)
        yield from self.silences.again(now)

    def _work_off(self, now: float, idle: LeftOut) -> Iterator[Told]:
        served = self._apply(now)
        if self.counters.spec:
            counted = self.editions[self.counters.spec].specification
            yield from self.counters.alarms(counted, self.ledger.totals.told(), now)
        yield from self._crown(served, now)
        if self.champion is not None:
            specification = self.editions[self.champion.spec].specification
            yield from self.silences.hear(self.lookup.orders(self.model), specification, now)
        reference = self._reference()
        for group, start, sums in self.ledger.matured(now):
            yield from self._mature(group, start, sums, reference, now)
        yield from self._close(reference, now, idle)
        self.ledger.forget(now, self.model)

    def _explained(self, told: IncidentChanged, now: float, idle: LeftOut) -> IncidentChanged:
        quality, is_quality = self.quality, told.kind == quality_telling.KIND
        incident = quality.incident if is_quality else self.performance.incident
        reference = self.lookup.reference(self.model, told.spec)
        span = now, incident.began_at, ends_at(told)
        known = quality.standing, idle, quality.missing_labels
        return self.evidence.explain(told, Scene(self.editions[told.spec], self.ledger, reference, *span, *known))

    def _apply(self, now: float) -> dict[float, set[tuple[str, str]]]:
        """Count the panes that are due; who served as champion in which pane."""
        served: dict[float, set[tuple[str, str]]] = {}
        for run in self.waiting.runs(now):
            pane = run[0].pane
            if pane.kind == COUNTERS:
                for waiting in run:
                    self.ledger.totals.count(waiting.pane.partition, waiting.pane.counts)
                    self.counters.saw(waiting.pane)
            elif self.ledger.apply(run, now) and pane.kind == FEATURES and pane.role == CHAMPION:
                served.setdefault(pane.pane_start, set()).add((pane.version, pane.spec))
        return served

    def _crown(self, served: Mapping[float, set[tuple[str, str]]], now: float) -> Iterator[Told]:
        for start in sorted(served):
            before = self.champion
            self.champion = champion = next_champion(before, start, served[start])
            specification = self.editions[champion.spec].specification
            if before is None or (before.version, before.spec) != (champion.version, champion.spec):
                yield from self.performance.replaced(specification, now, champion.version)
            if before is None or before.spec != champion.spec:
                self.inputs = input_watch.watch_of(specification)
            end = windows.start_of(specification, start) + specification.window_seconds
            if self.clock.next_end is None or (before is not None and before.spec != champion.spec):
                late = max(0, math.ceil((now - end) / specification.window_seconds))
                self.clock.next_end = end + late * specification.window_seconds

    def _reference(self) -> Reference | None:
        """The baselines of the champion; another reference than before makes both tests start anew."""
        if self.champion is None:
            return None
        reference = self.lookup.reference(self.model, self.champion.spec)
        name = reference.name if reference else ""
        if name != self.reference_name:
            self.reference_name = name
            self.performance.test = None
            self.inputs.restart()
        return reference

    def _mature(
        self, group: Group, start: float, sums: PaneSums, reference: Reference | None, now: float
    ) -> Iterator[Told]:
        champion = self.champion
        if champion is None or group != Group(champion.version, CHAMPION, champion.spec):
            return
        edition = self.editions[group.spec]
        specification, layout = edition.specification, edition.layout
        if start < champion.since or self.silences.maintenance(start, start + specification.pane_seconds):
            return
        own = self.named.matured(edition, group.version, reference, start, sums, now)
        yield from self._recorded(specification, own, now)
        if reference is None or "loss" not in layout.places[LABELS]:
            return
        pane = MaturedPane(
            version=group.version,
            start=start,
            loss_counts=layout.read(LABELS, sums.labels, "loss"),
            loss_sum=sums.sum_of(loss_of(specification).total),
            as_of=now,
            offsets_since=lambda since: self.ledger.offsets(group, since, start),
        )
        known = (*self._recent(specification, now), *self.quality.incident.evidence)
        told = self.performance.mature(specification, reference, pane, known)
        self._note(specification, (event for event in told if isinstance(event, DriftDetected)), now)
        yield from told

    def _close(self, reference: Reference | None, now: float, idle: LeftOut) -> Iterator[Told]:
        closing = self.ledger.closing(now)
        champion = self.champion
        if champion is not None:
            edition = self.editions[champion.spec]
            end = self.clock.next_end
            for start in sorted({w.start for c, w in closing if c == FEATURES_CLOSING and w.group.role == CHAMPION}):
                yield from self._close_inputs(edition, champion, reference, start, idle)
            if end is not None and end <= now:
                start = end - edition.specification.window_seconds
                if not any(w.group.role == CHAMPION for c, w in closing if c == FEATURES_CLOSING):
                    group = Group(champion.version, CHAMPION, champion.spec)
                    closing.append((FEATURES_CLOSING, self.ledger.empty_window(group, start, self.model)))
                    yield from self._close_inputs(edition, champion, reference, start, idle)
                    self._tick(empty=True, edition=edition)
                else:
                    self._tick(empty=False, edition=edition)
        for what, window in closing:
            measured = self._measure(what, window, reference, now, idle)
            yield measured
            self.ledger.told(window, self.model)
            specification = self.editions[measured.spec].specification
            yield from self._recorded(specification, self.named.measured(specification, measured), now)
            if what == LABELS_CLOSING and window.group.role == CHAMPION:
                self._remember(window)

    def _remember(self, window: Window) -> None:
        both = (self.performance.incident, self.quality.incident)
        since = min((incident.began_at for incident in both if incident.state == incidents.OPEN), default=None)
        self.evidence.past.learn(self.editions[window.group.spec].specification, window, since)
        self.store.put(key("past", self.model), self.evidence.past.to_bytes)

    def _tick(self, empty: bool, edition: Edition) -> None:
        """A window of the champion has ended."""
        assert self.clock.next_end is not None
        count = self.clock.empty + 1 if empty else 0
        self.clock = Clock(self.clock.next_end + edition.specification.window_seconds, count)
        if count >= EMPTY_WINDOWS_MOST:
            self.clock = Clock()

    def _close_inputs(
        self, edition: Edition, champion: Champion, reference: Reference | None, start: float, idle: LeftOut
    ) -> Iterator[Told]:
        """The predictions of a window are complete: data quality first, then the feature test."""
        specification, layout = edition.specification, edition.layout
        end, came = start + specification.window_seconds, self.ledger.labels_came
        if self.silences.maintenance(start, end):
            self.quality.pass_over(self.ledger.totals.told(), end, came)
            self.store.put(key("quality", self.model), self.quality.to_bytes)
            return
        found = self.ledger.champion_windows(start, champion.spec)
        sums = sums_of(edition, found)
        panes = tuple((at, pane.predictions) for window in found for at, pane in window.panes.items())
        due = self.ledger.labels_due(specification, self.quality.gaps.looked_at, end)
        judged = Judged(
            champion.version,
            start,
            sums,
            panes,
            self.ledger.totals.told(),
            due,
            came,
            idle.heard,
            lambda since: self.ledger.champion_offsets(champion.spec, since, start),
        )
        broken, told = self.quality.close(specification, layout, reference, judged)
        self.store.put(key("quality", self.model), self.quality.to_bytes)
        for window in found:
            window.quality = broken
        self.performance.attach(tuple(event for event in told if isinstance(event, DriftDetected)))
        yield from told
        named = self.named.inputs(edition, champion.version, reference, start, found)
        yield from self._recorded(specification, named, end)
        if reference is None or not found:
            return
        alone = {window.group.version for window in found} == {champion.version}
        alarms = self.inputs.close(edition, reference, champion.version, start, sums, alone)
        falls = tuple(self.estimates.close(edition, champion.version, reference, start, found))
        alarms += falls
        self.performance.attach(tuple(alarms))
        self._note(specification, alarms, end)
        yield from alarms
        yield from self._expect(specification, champion, falls, end)

    def _expect(
        self, specification: MonitorSpecification, champion: Champion, alarms: tuple[DriftDetected, ...], end: float
    ) -> Iterator[Told]:
        """What the estimates say of a window that has closed may be an incident."""
        group = Group(champion.version, CHAMPION, champion.spec)
        expected = Expected(
            champion.version,
            end,
            alarms,
            self.estimates.fallen,
            self.estimates.reason,
            lambda since: self.ledger.offsets(group, since, end),
        )
        known = (*self._recent(specification, end), *self.quality.incident.evidence)
        yield from self.performance.expect(specification, expected, known)

    def _measure(
        self, closing: str, window: Window, reference: Reference | None, now: float, idle: LeftOut
    ) -> WindowMeasured:
        edition = self.editions[window.group.spec]
        specification, champion = edition.specification, self.champion
        whose = champion is not None and window.group == Group(champion.version, CHAMPION, champion.spec)
        fits = reference if champion is not None and champion.spec == window.group.spec else None
        moment = Moment(
            as_of=now,
            closing=closing,
            tests=self._tests(edition, reference, now) if whose else (),
            evidence=self.inputs.features.evidence if whose else (),
            alarm=self._alarm(specification, window) if whose else None,
            unknown=self._unknown(specification, fits, whose),
            remark=_joined(self.inputs.features.remark(), self.named.remark(specification, now)) if whose else "",
            blind_below=self.inputs.features.blind_below if whose else None,
            trust=self.estimates.trust.now(specification, reference, window.group.version) if whose else NOT_WATCHED,
            open_incidents=self.performance.open,
            quality_incidents=self.quality.open,
            totals=self.ledger.totals.told(),
            partitions_idle=idle.partitions,
        )
        told = measure(edition, fits, self.ledger.delays.under(specification.delay_edges_seconds), window, moment)
        if whose and not self.silences.maintenance(window.start, window.start + specification.window_seconds):
            self.estimates.trust.mature(edition, reference, told, window)
        return told

    def _tests(self, edition: Edition, reference: Reference | None, now: float) -> tuple[TestState, ...]:
        own = self.named.told(edition.specification, now)
        if reference is None:
            return own
        loss = self.performance.told(edition.specification, reference, now)
        return (*(() if loss is None else (loss,)), *self.inputs.told(edition, now), *own)

    def _unknown(self, specification: MonitorSpecification, reference: Reference | None, whose: bool) -> str:
        features = self.inputs.features.unknown(specification, reference) if reference is not None else ""
        return _joined(features, self.named.unknown(specification) if whose else "")

    def _alarm(self, specification: MonitorSpecification, window: Window) -> tuple[bool, str] | None:
        """(paging, what) of the incident, the broken rules or the alarms that this window is part of."""
        end = window.start + specification.window_seconds
        incident = self.performance.incident
        if incident.state == incidents.OPEN and end > incident.began_at:
            return True, "a performance incident is open"
        if self.quality.open and window.panes and end > self.quality.incident.began_at:
            return True, "a data quality incident is open"
        drift = self.inputs.features.incident(end) if window.panes else None
        own = [a for a in self.alarms if a.window_start < end and window.start < a.window_start + a.window_seconds]
        if drift is None and own:
            drift = any(a.paging for a in own), "drift of " + ", ".join(dict.fromkeys(a.feature for a in own))
        if drift is not None and drift[0]:
            return drift
        if (waits := quality_telling.waits(specification, window.quality)) and window.panes:
            return False, waits
        return drift and (False, f"{drift[1]}, below the effect floor")

    def _recent(self, specification: MonitorSpecification, now: float) -> tuple[DriftDetected, ...]:
        """Alarms as long as a window that they are about may be told, and an incident may want them as evidence."""
        since = now - specification.horizon_seconds - ALARMS_WINDOWS * specification.window_seconds
        return tuple(alarm for alarm in self.alarms if alarm.as_of > since)

    def _note(self, specification: MonitorSpecification, alarms: Iterable[DriftDetected], now: float) -> None:
        self.alarms = incidents.ranked((*self._recent(specification, now), *alarms))

    def _recorded(
        self, specification: MonitorSpecification, alarms: list[DriftDetected], now: float
    ) -> list[DriftDetected]:
        """Alarms of detectors that the monitor names: evidence of what is open, a window's status where they page."""
        self.performance.attach(tuple(alarms))
        if paging := [alarm for alarm in alarms if alarm.paging]:
            self._note(specification, paging, now)
        return alarms

    def save(self) -> None:
        """Put what no pane or window record says into the store."""
        saving.save(self)

    def restore(self, records: Records) -> None:
        """Back from the state records of this model."""
        saving.restore(self, records)


def _joined(*sentences: str) -> str:
    return "; ".join(filter(None, sentences))
