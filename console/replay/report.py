"""A replay in words: what it read, what it would have told, how that compares with the budget and with what was
told live. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from driftloop.console.replay.pipeline import Told
from driftloop.console.replay.verdict import Verdict, last_windows
from driftloop.schemas.events import DecisionRecorded, DriftDetected, IncidentChanged, WindowMeasured
from driftloop.schemas.headers import rfc3339
from driftloop.schemas.monitor.specification import MonitorSpecification

LISTED_MOST = 20
REASONS_MOST = 5
DAY_SECONDS = 86_400.0


class Replayed(NamedTuple):
    """``is_live``: with the live specification and reference; only then there is a ``verdict``. ``live``: what was
    told live under the live specification, in the same span. ``reach``: from the first window to the end of the last
    that the replay has told, be they in the span or not; None: it has told none."""

    specification: MonitorSpecification
    is_live: bool
    records: int
    seconds: float
    dead_letters: int
    told: tuple[Told, ...]
    trainings: tuple[DecisionRecorded, ...]
    verdict: Verdict | None
    live: tuple[Told, ...] = ()
    reach: tuple[float, float] | None = None


class Sensitivity(NamedTuple):
    """How near one feature came to an alarm: the window with the most log evidence against it, the shift (``unit``)
    in that window, and how many ``alarms`` named the feature."""

    feature: str
    effect: float
    unit: str
    log_evidence: float
    at: float
    alarms: int = 0

    @property
    def nearness(self) -> tuple[float, float]:
        return self.log_evidence, abs(self.effect)


def windows_of(found: Replayed) -> list[WindowMeasured]:
    """The last revision of every window of a champion, in order of time."""
    last = (one.event for one in last_windows(found.told).values())
    return [w for w in last if isinstance(w, WindowMeasured) and w.role == "champion"]


def drifts(found: Replayed) -> list[DriftDetected]:
    """Alarms that the budget is about: not those of detectors that the monitor names."""
    named = {detector.name for detector in found.specification.detectors}
    return [alarm for alarm in _events(found, DriftDetected) if alarm.detector not in named]


def opened(found: Replayed) -> list[IncidentChanged]:
    return [e for e in _events(found, IncidentChanged) if e.change == "opened"]


def unknown(windows: Sequence[WindowMeasured]) -> Counter[str]:
    """Windows of which nothing is known, by the reason."""
    return Counter(window.status_reason for window in windows if window.status == "UNKNOWN")


def sensitivities(windows: Sequence[WindowMeasured], alarms: Sequence[DriftDetected]) -> list[Sensitivity]:
    """By feature, the window with the most evidence against it; the strongest feature first."""
    best: dict[str, Sensitivity] = {}
    named = Counter(alarm.feature for alarm in alarms)
    for window in windows:
        for f in window.features:
            one = Sensitivity(f.feature, f.effect, f.unit, f.log_evidence, window.window_start, named[f.feature])
            before = best.get(f.feature)
            if before is None or one.nearness > before.nearness:
                best[f.feature] = one
    return sorted(best.values(), key=lambda s: (-s.log_evidence, s.feature))


def lines(found: Replayed) -> Iterator[str]:
    """For a person."""
    spec, windows = found.specification, windows_of(found)
    per_second = found.records / max(found.seconds, 1e-9)
    yield (
        f"{spec.model}: {found.records:,} records in {found.seconds:.1f} s ({per_second:,.0f} a second), "
        f"specification {spec.spec}{' (live)' if found.is_live else ''}, {found.dead_letters} could not be read"
    )
    if not windows:
        yield _without_windows(found)
        return
    yield from _alarms(found, windows)
    yield from _beside_live(found)
    yield from _sensitivity(windows, drifts(found))
    yield from _trainings(found)
    yield from verdict_lines(found)


def _without_windows(found: Replayed) -> str:
    if found.reach is None:
        return "no window of a champion has closed: are there predictions, and does event time pass a window's end?"
    first, end = map(rfc3339, found.reach)
    return f"no window of a champion begins between --from and --to: there are windows from {first} to {end}"


def _alarms(found: Replayed, windows: Sequence[WindowMeasured]) -> Iterator[str]:
    spec, incidents = found.specification, opened(found)
    days = (windows[-1].window_start + spec.window_seconds - windows[0].window_start) / DAY_SECONDS
    allowed = days * DAY_SECONDS / spec.budget_seconds
    named = {detector.name for detector in spec.detectors}
    alarms = drifts(found)
    yield (
        f"{len(windows)} windows over {days:.1f} days: {len(incidents)} incidents opened, {len(alarms)} alarms "
        f"({sum(d.paging for d in alarms)} above the paging floor); the budget allows {allowed:.1f} false ones"
    )
    for reason, count in unknown(windows).most_common(REASONS_MOST):
        way_out = "" if found.is_live or not reason.startswith("no reference") else ", or --reference rows.csv here"
        yield f"  {count} of the windows are UNKNOWN: {reason}{way_out}"
    if named:
        own = [drift.detector for drift in _events(found, DriftDetected) if drift.detector in named]
        counts = ", ".join(f"{name} {own.count(name)}" for name in sorted(named))
        yield f"  alarms of detectors of your choice, which no budget holds: {counts}"
    for incident in incidents[:LISTED_MOST]:
        yield f"  {rfc3339(incident.as_of)} {incident.kind}: {incident.summary}"
    if len(incidents) > LISTED_MOST:
        yield f"  and {len(incidents) - LISTED_MOST} more"


def _beside_live(found: Replayed) -> Iterator[str]:
    """What was told live of the same time, beside a specification or reference on trial."""
    if not found.is_live and found.live:
        live = found._replace(told=found.live)
        incidents, alarms = len(opened(live)), len(drifts(live))
        yield f"live told of {len(windows_of(live))} windows: {incidents} incidents opened, {alarms} alarms"


def _sensitivity(windows: Sequence[WindowMeasured], alarms: Sequence[DriftDetected]) -> Iterator[str]:
    threshold = {t.name: math.log(t.threshold) for w in windows for t in w.tests if t.threshold > 1}
    if threshold:
        yield "log evidence that alarms: " + ", ".join(f"{name} {at:.1f}" for name, at in sorted(threshold.items()))
    found = sensitivities(windows, alarms)
    for one in found[:LISTED_MOST]:
        shift = f"shift {one.effect:+.3f} {one.unit}"
        yield f"  {one.feature}: {one.log_evidence:.1f} in {rfc3339(one.at)}, {shift}, {one.alarms} alarms"
    if len(found) > LISTED_MOST:
        yield f"  and {len(found) - LISTED_MOST} more features with less"


def _trainings(found: Replayed) -> Iterator[str]:
    if not found.specification.retrain.mode:
        return
    yield f"{len(found.trainings)} trainings would have been started (none is run; each is taken for rejected)"
    for started in found.trainings[:LISTED_MOST]:
        yield f"  {rfc3339(started.as_of)} {started.trigger}: {started.reason}"


def verdict_lines(found: Replayed) -> Iterator[str]:
    """Identical to what was told live, or the first difference; nothing where there is nothing to compare."""
    if found.verdict is None:
        return
    v = found.verdict
    if not v.windows:
        yield "nothing was told live under this specification: there is nothing to compare"
    elif v.difference:
        yield f"NOT identical to what was told live: {v.difference}"
    else:
        yield f"identical: {v.windows} windows, {v.alarms} alarms and incidents, sha256 {v.sha256}"
    if v.ahead:
        yield f"{v.ahead} events are still to be told live"


def as_json(found: Replayed) -> dict[str, Any]:
    """For scripts."""
    windows = windows_of(found)
    return {
        "model": found.specification.model,
        "specification": found.specification.spec,
        "live": found.is_live,
        "records": found.records,
        "records_per_second": found.records / max(found.seconds, 1e-9),
        "dead_letters": found.dead_letters,
        "windows": len(windows),
        "unknown": dict(unknown(windows)),
        "incidents": [
            {"opened_at": i.opened_at, "as_of": i.as_of, "kind": i.kind, "summary": i.summary} for i in opened(found)
        ],
        "alarms": len(drifts(found)),
        "sensitivity": [one._asdict() for one in sensitivities(windows, drifts(found))],
        "trainings": [{"as_of": t.as_of, "trigger": t.trigger, "reason": t.reason} for t in found.trainings],
        "verdict": None if found.verdict is None else found.verdict._asdict(),
    }


def _events(found: Replayed, kind: type[Any]) -> list[Any]:
    return [one.event for one in found.told if isinstance(one.event, kind)]
