"""What a page shows of the events of one side: a replay, or what was told live. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from driftloop.console.plot.axes import Point
from driftloop.console.replay.pipeline import Told
from driftloop.console.replay.verdict import last_windows
from driftloop.schemas.events import DriftDetected, IncidentChanged, WindowMeasured
from driftloop.streams.judge.incidents.incidents import LOSS


class IncidentSpan(NamedTuple):
    """``end`` None: open. ``summary``: the last that was said of it; ``silenced``: somebody wanted no call."""

    number: int
    kind: str
    start: float
    end: float | None
    summary: str
    silenced: bool


class Side(NamedTuple):
    """``windows``: the last revision of each, of champions, in order of time; ``revisions``: all, as told."""

    name: str
    windows: tuple[WindowMeasured, ...]
    revisions: tuple[WindowMeasured, ...]
    incidents: tuple[IncidentSpan, ...]
    alarms: tuple[DriftDetected, ...]


def side_of(name: str, told: Sequence[Told]) -> Side:
    windows = _of_champions(last_windows(told).values())
    changes = [one.event for one in told if isinstance(one.event, IncidentChanged)]
    alarms = tuple(one.event for one in told if isinstance(one.event, DriftDetected))
    return Side(name, windows, _of_champions(told), _spans(changes), alarms)


def _of_champions(told: Iterable[Told]) -> tuple[WindowMeasured, ...]:
    events = (one.event for one in told)
    return tuple(e for e in events if isinstance(e, WindowMeasured) and e.role == "champion")


def _spans(changes: Sequence[IncidentChanged]) -> tuple[IncidentSpan, ...]:
    by_id: dict[str, list[IncidentChanged]] = {}
    for change in changes:
        by_id.setdefault(change.incident, []).append(change)
    found = []
    for number, told in enumerate(by_id.values(), start=1):
        ends = [c.as_of for c in told if c.change == "resolved"]
        words = next((c.summary for c in reversed(told) if c.change != "resolved"), told[-1].summary)
        silenced = any(c.silenced is not None for c in told)
        found.append(
            IncidentSpan(number, told[0].kind, told[0].opened_at, ends[-1] if ends else None, words, silenced)
        )
    return tuple(found)


def middle(window: WindowMeasured) -> float:
    return window.window_start + window.window_seconds / 2


def tests_of(side: Side) -> dict[str, list[tuple[float, float, float]]]:
    """By test of evidence (as_of, log statistic, log threshold). A test begins anew where it alarms, so windows tell
    what is left of it then: what it had reached stands in the alarm. Alarms of features say what each had, so of all
    together it is known that they reached the threshold, and no more."""
    steps: dict[str, dict[float, tuple[float, float]]] = {}
    for window in side.revisions:
        for test in window.tests:
            if test.threshold > 1:  # a detector that the monitor names says yes or no, 1 or 0
                steps.setdefault(test.name, {})[window.as_of] = (test.statistic, test.threshold)
    for alarm in side.alarms:
        if alarm.detector in steps:
            reached = alarm.statistic if alarm.detector == LOSS else alarm.threshold
            before, _ = steps[alarm.detector].get(alarm.as_of, (0.0, 0.0))
            steps[alarm.detector][alarm.as_of] = (max(reached, before), alarm.threshold)
    return {
        name: [(time, math.log(max(statistic, 1e-300)), math.log(threshold)) for time, (statistic, threshold) in by]
        for name, by in ((name, sorted(found.items())) for name, found in steps.items())
    }


def named_alarms(side: Side) -> dict[str, list[DriftDetected]]:
    """By detector that the monitor names, its alarms; none of a detector that has told none."""
    tests = tests_of(side)
    found: dict[str, list[DriftDetected]] = {}
    for alarm in side.alarms:
        if alarm.detector not in tests:
            found.setdefault(alarm.detector, []).append(alarm)
    return found


def metrics_of(side: Side) -> dict[str, list[tuple[float, float, float, float]]]:
    """By metric (time, value, low, high)."""
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for window in side.windows:
        for name, metric in window.metrics.items():
            found.setdefault(name, []).append((middle(window), metric.value, metric.low, metric.high))
    return found


def evidence_of(side: Side) -> dict[str, list[Point]]:
    """By feature the log evidence against it, window by window; a gap where a window does not tell it."""
    found: dict[str, list[Point]] = {f.feature: [] for window in side.windows for f in window.features}
    for window in side.windows:
        here = {f.feature: max(0.0, f.log_evidence) for f in window.features}
        for name, points in found.items():
            points.append((middle(window), here.get(name)))
    return found


def feature_threshold(side: Side) -> list[Point]:
    """The least log threshold of a test of features, window by window."""
    found: list[Point] = []
    for window in side.windows:
        known = [math.log(t.threshold) for t in window.tests if t.name != LOSS and t.threshold > 1]
        found.append((middle(window), min(known, default=None)))
    return found
