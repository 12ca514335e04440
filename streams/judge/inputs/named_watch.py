"""Runs the detectors that a monitor names over their series (named_series.py), each by itself.

An alarm is a ``DriftDetected`` under the detector's name, at most one a closing. It is recorded: no budget holds it,
so it pages only where the monitor says ``paging``, and a window tells it in a remark. ``effect``: the value less the
mean of those before it since the detector began.

A detector that raises, or answers nonsense, is out until the monitor changes. One that cannot be started here (a
module that is not allowed, or not installed) is out as long as that is so. Either way every window says why, and what
would be OK is UNKNOWN: somebody counts on that detector. The others go on.

All begin anew with another specification, those about the champion with another version, those beside a reference
with another one. A window is looked at once: corrections that come later change its numbers, not the series.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from driftloop.detectors import by_name
from driftloop.detectors.by_name import Runner
from driftloop.schemas.codec import canonical_json
from driftloop.schemas.events import DriftDetected, TestState, WindowMeasured
from driftloop.schemas.headers import rfc3339
from driftloop.schemas.monitor.named_detector import FAILED, OF_A_MODEL, REFERENCED, UNITS, NamedDetector
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.editions import Edition
from driftloop.streams.judge.incidents.performance import NEVER
from driftloop.streams.judge.inputs import named_series as series
from driftloop.streams.judge.reference import Reference
from driftloop.streams.judge.sums import PaneSums, total
from driftloop.streams.judge.windows import LABELS_CLOSING, Window


@dataclass(slots=True)
class Watched:
    """Where one detector stands: what it keeps, how many values it has had, their sum; ``last``: start of the pane or
    window of the newest. ``failed``: why it is out."""

    state: str = ""
    steps: int = 0
    total: float = 0.0
    last: float = NEVER
    alarmed_at: float = NEVER
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """One of a series: its pane or window, and when it was found."""

    start: float
    seconds: float
    as_of: float
    number: float


class NamedWatch:
    """``allowed``: modules whose functions may be imported (DRIFTLOOP_DETECTORS)."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = allowed
        self._runners: dict[NamedDetector, Runner | str] = {}
        self.whose = ("", "", "")
        """Specification, champion, reference of what is known."""
        self.watched: dict[str, Watched] = {}
        self._is_written = False

    def inputs(
        self, edition: Edition, version: str, reference: Reference | None, start: float, windows: Sequence[Window]
    ) -> list[DriftDetected]:
        """The predictions of a window are complete."""
        specification = edition.specification
        if not self._serve(specification, version, reference.name if reference else ""):
            return []
        if not any(series.comes_with(d) == series.INPUTS for d in specification.detectors):
            return []
        seconds, end = specification.pane_seconds, start + specification.window_seconds
        starts = [start + k * seconds for k in range(round(specification.window_seconds / seconds))]
        panes = {at: total(edition.layout, [w.panes[at] for w in windows if at in w.panes]) for at in starts}

        def values(detector: NamedDetector) -> Iterator[Value]:
            for at, pane in panes.items():
                found = series.of_inputs(edition, reference, detector, pane)
                if found is not None:
                    yield Value(at, seconds, end, found)

        return self._step(specification, version, series.INPUTS, values)

    def matured(
        self, edition: Edition, version: str, reference: Reference | None, start: float, pane: PaneSums, now: float
    ) -> list[DriftDetected]:
        """The horizon of a pane of the champion has passed."""
        specification = edition.specification
        if not self._serve(specification, version, reference.name if reference else ""):
            return []

        def values(detector: NamedDetector) -> Iterator[Value]:
            found = series.of_labels(edition, detector, pane)
            if found is not None:
                yield Value(start, specification.pane_seconds, now, found)

        return self._step(specification, version, series.LABEL, values)

    def measured(self, specification: MonitorSpecification, window: WindowMeasured) -> list[DriftDetected]:
        """A window has been told; only one of the champion whose horizon has passed says something here."""
        whose = (window.spec, window.version)
        if window.closing != LABELS_CLOSING or window.role != "champion" or whose != self.whose[:2]:
            return []

        def values(detector: NamedDetector) -> Iterator[Value]:
            found = series.of_window(window, detector)
            if found is not None:
                yield Value(window.window_start, window.window_seconds, window.as_of, found)

        return self._step(specification, window.version, series.WINDOW, values)

    def told(self, specification: MonitorSpecification, as_of: float) -> tuple[TestState, ...]:
        """As a window tells them, in the order of the monitor: the statistic is whether it has just alarmed."""
        found = []
        for detector in specification.detectors:
            watched = self.watched.get(detector.name, Watched())
            recent = _is_recent(watched, specification, as_of)
            found.append(TestState(detector.name, float(recent), 1.0, watched.steps, recent))
        return tuple(found)

    def unknown(self, specification: MonitorSpecification) -> str:
        """Which are out, and why; empty: none."""
        return "; ".join(filter(None, (self._out(d) for d in specification.detectors)))

    def remark(self, specification: MonitorSpecification, as_of: float) -> str:
        """Which have just alarmed without a call."""
        known = [d for d in specification.detectors if not d.paging and d.name in self.watched]
        names = [d.name for d in known if _is_recent(self.watched[d.name], specification, as_of)]
        return f"recorded, held by no budget: {', '.join(names)}" if names else ""

    def _serve(self, specification: MonitorSpecification, version: str, reference: str) -> bool:
        """Begin anew what is about something else. False: no detector is named."""
        before, self.whose = self.whose, (specification.spec, version, reference)
        if before[0] != specification.spec:
            self.watched = {}
            self._runners = {}
        for detector in specification.detectors:
            what, _ = detector.series
            other = (what in OF_A_MODEL and before[1] != version) or (what in REFERENCED and before[2] != reference)
            if other or detector.name not in self.watched:
                self.watched[detector.name] = Watched()
        return bool(specification.detectors)

    def _step(
        self,
        specification: MonitorSpecification,
        version: str,
        when: str,
        values_of: Callable[[NamedDetector], Iterator[Value]],
    ) -> list[DriftDetected]:
        told = []
        for detector in specification.detectors:
            if series.comes_with(detector) != when or self._out(detector):
                continue
            watched = self.watched[detector.name]
            values = [v for v in values_of(detector) if v.start > watched.last and math.isfinite(v.number)]
            found = self._scanned(detector, watched, values) if values else None
            if found is not None:
                told.append(_event(specification, version, detector, *found))
        return told

    def _scanned(
        self, detector: NamedDetector, watched: Watched, values: Sequence[Value]
    ) -> tuple[Value, float] | None:
        """(the first value that alarms, its effect)."""
        runner = self._runner(detector)
        assert isinstance(runner, Runner)
        found = runner.scan(base64.b64decode(watched.state), [v.number for v in values])
        alarm = None
        for at, value in enumerate(values[: found.taken]):
            if at in found.alarms and alarm is None:
                alarm = value, value.number - watched.total / max(watched.steps, 1)
                watched.alarmed_at = value.as_of
            watched.total, watched.steps, watched.last = watched.total + value.number, watched.steps + 1, value.start
        watched.state = base64.b64encode(found.state).decode()
        if found.error:
            failing = values[found.taken]
            watched.failed = f"{found.error} (at {failing.number:g}, the value since {rfc3339(failing.start)})"
        return alarm

    def _out(self, detector: NamedDetector) -> str:
        runner = self._runner(detector)
        watched = self.watched.get(detector.name)
        why = runner if isinstance(runner, str) else watched.failed if watched is not None else ""
        return f"{FAILED}{detector.name!r} is out: {why}" if why else ""

    def _runner(self, detector: NamedDetector) -> Runner | str:
        """Made once; a sentence where it cannot be."""
        if detector not in self._runners:
            try:
                self._runners[detector] = by_name.find(detector.use, self._allowed)(dict(detector.settings))
            except ValueError as error:
                self._runners[detector] = str(error)
        return self._runners[detector]

    def to_bytes(self) -> bytes | None:
        """A state record of its own; None while there is nothing to say."""
        if not self.watched and not self._is_written:
            return None
        self._is_written = True
        found = {name: asdict(watched) for name, watched in self.watched.items()}
        return canonical_json({"whose": self.whose, "watched": found}).encode()

    def restore(self, raw: bytes) -> None:
        """Back from ``to_bytes``."""
        found: Mapping[str, Any] = json.loads(raw)
        self._is_written = True
        spec, version, reference = found["whose"]
        self.whose = spec, version, reference
        self.watched = {name: Watched(**watched) for name, watched in found["watched"].items()}


def _is_recent(watched: Watched, specification: MonitorSpecification, as_of: float) -> bool:
    return watched.alarmed_at > as_of - specification.window_seconds


def _event(
    specification: MonitorSpecification, version: str, detector: NamedDetector, value: Value, effect: float
) -> DriftDetected:
    return DriftDetected(
        model=specification.model,
        version=version,
        spec=specification.spec,
        as_of=value.as_of,
        window_start=value.start,
        window_seconds=value.seconds,
        detector=detector.name,
        feature=detector.watch,
        statistic=1.0,
        threshold=1.0,
        effect=effect,
        unit=UNITS[detector.series[0]],
        paging=detector.paging,
    )
