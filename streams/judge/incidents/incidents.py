"""An incident: opened when the loss test alarms above the effect floor, resolved when the loss is back.

One of data quality (quality_watch.py) has the same life: every broken rule is an alarm, a window without one quiet.
A fall that is expected before labels are in (estimate_watch.py) is an alarm too. Until labels confirm it the incident
**is expected**: it is told, and nobody retrains on it. It is quiet as well when the estimate is back, or withdrawn.

    (calm, alarm)    -> open   opened          (open, alarm)    -> open  updated
    (calm, slight)   -> calm   -               (open, slight)   -> open  -
    (calm, quiet)    -> calm   -               (open, quiet)    -> calm  resolved
    (calm, replaced) -> calm   -               (open, replaced) -> calm  resolved

alarm: the test reached its threshold and the loss has risen by the floor or more, a rule is broken in as many of the
last windows as the monitor wants (quality_confirmed.py); slight: by less, in fewer. quiet: since the last alarm the
specification's ``quiet_windows`` have gone by, enough rows have matured, and their mean loss is back below the
baseline's bound or within the floor of its mean. replaced: another version is champion. A model has one such incident
at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from driftloop.schemas.events import DriftDetected, IncidentChanged, OffsetRange
from driftloop.schemas.headers import event_id, rfc3339
from driftloop.schemas.monitor.specification import MonitorSpecification

PERFORMANCE = "performance"
LOSS = "e_detector"
"""The detector of the loss (performance.py)."""
CALM, OPEN = "calm", "open"
ALARM, SLIGHT, QUIET, REPLACED = "alarm", "slight", "quiet", "replaced"
TRANSITIONS: dict[tuple[str, str], tuple[str, str]] = {
    (CALM, ALARM): (OPEN, "opened"),
    (CALM, SLIGHT): (CALM, ""),
    (CALM, QUIET): (CALM, ""),
    (CALM, REPLACED): (CALM, ""),
    (OPEN, ALARM): (OPEN, "updated"),
    (OPEN, SLIGHT): (OPEN, ""),
    (OPEN, QUIET): (CALM, "resolved"),
    (OPEN, REPLACED): (CALM, "resolved"),
}
"""(state, what happened) -> (next state, the change to tell, if any). A pair that is not here is a bug."""
EVIDENCE_MOST = 16


@dataclass(frozen=True, slots=True)
class Incident:
    """Where a model stands. ``rows`` and ``loss``: matured since the last alarm.

    ``began_at``: event time at which the loss has risen, as the alarm that opened it dates it; the others are
    instants.
    """

    state: str = CALM
    identity: str = ""
    version: str = ""
    began_at: float = 0.0
    opened_at: float = 0.0
    alarm_at: float = 0.0
    told_at: float = 0.0
    rows: int = 0
    loss: float = 0.0
    evidence: tuple[DriftDetected, ...] = ()


def happen(incident: Incident, what: str) -> tuple[str, str]:
    """(next state, change); KeyError: no such transition, and nothing has changed."""
    return TRANSITIONS[incident.state, what]


def alarm(
    incident: Incident,
    found: DriftDetected,
    known: tuple[DriftDetected, ...],
    tell_every_seconds: float,
    kind: str = PERFORMANCE,
) -> tuple[Incident, str]:
    """The loss test has alarmed, or a rule is broken; ``known``: recent alarms of features, the evidence beside it.

    An open incident is told again at most every ``tell_every_seconds`` of event time.
    """
    state, change = happen(incident, ALARM if found.paging else SLIGHT)
    if state == CALM:
        return incident, change
    if change == "opened":
        own = () if kind == PERFORMANCE else (kind,)
        identity = event_id("incident", found.model, found.version, found.spec, found.as_of, *own)
        incident = Incident(OPEN, identity, found.version, found.window_start, found.as_of)
    elif change == "updated" and found.as_of < incident.told_at + tell_every_seconds:
        change = ""
    told_at = found.as_of if change else incident.told_at
    evidence = ranked((*incident.evidence, found, *known))
    after = replace(incident, alarm_at=found.as_of, told_at=told_at, rows=0, loss=0.0, evidence=evidence)
    return after, change


def is_expected(incident: Incident) -> bool:
    """It is open, and no labels have confirmed it."""
    return incident.state == OPEN and not any(e.detector == LOSS and e.paging for e in incident.evidence)


def expected_sentence(version: str, alarms: tuple[DriftDetected, ...]) -> str:
    """What a person reads first."""
    falls = " and ".join(f"{a.feature.removeprefix('estimated_')} {a.effect:.4f} lower" for a in alarms)
    since = rfc3339(alarms[0].window_start)
    return f"before labels are in, of {version} is expected: {falls} than in its reference, since {since}"


def attach(incident: Incident, evidence: tuple[DriftDetected, ...]) -> Incident:
    """What features have alarmed while it is open."""
    if incident.state == CALM or not evidence:
        return incident
    return replace(incident, evidence=ranked((*incident.evidence, *evidence)))


def matured(incident: Incident, rows: int, loss: float) -> Incident:
    """Rows have matured without an alarm; ``loss`` is their sum."""
    if incident.state == CALM:
        return incident
    return replace(incident, rows=incident.rows + rows, loss=incident.loss + loss)


def is_quiet(incident: Incident, specification: MonitorSpecification, now: float, loss_most: float) -> bool:
    """The loss is back: long enough, on enough rows, and low enough."""
    return (
        incident.state == OPEN
        and now >= incident.alarm_at + specification.quiet_windows * specification.window_seconds
        and incident.rows >= max(1, specification.minimum_rows)
        and incident.loss / incident.rows < loss_most
    )


def close(incident: Incident, what: str) -> tuple[Incident, str]:
    """``QUIET`` or ``REPLACED`` has happened."""
    state, change = happen(incident, what)
    return (Incident() if state == CALM else incident), change


def changed(
    specification: MonitorSpecification,
    incident: Incident,
    change: str,
    as_of: float,
    summary: str,
    offsets: tuple[OffsetRange, ...] = (),
    kind: str = PERFORMANCE,
) -> IncidentChanged:
    """The event of a ``change`` of the incident."""
    return IncidentChanged(
        model=specification.model,
        version=incident.version,
        spec=specification.spec,
        incident=incident.identity,
        kind=kind,
        change=change,
        opened_at=incident.opened_at,
        as_of=as_of,
        summary=summary,
        evidence=incident.evidence,
        offsets=offsets,
    )


def ranked(evidence: tuple[DriftDetected, ...]) -> tuple[DriftDetected, ...]:
    """Once each, the newest of a (detector, feature); loss first, then by how far the threshold was passed."""
    newest = {(e.detector, e.feature): e for e in sorted(evidence, key=lambda e: e.as_of)}
    order = sorted(
        newest.values(), key=lambda e: (e.detector != LOSS, -e.statistic / e.threshold, e.detector, e.feature)
    )
    return tuple(order[:EVIDENCE_MOST])


def sentence(loss_words: str, version: str, loss: float, reference: float, since: float, rows: int) -> str:
    """What a person reads first."""
    return (
        f"{loss_words} of {version} is {loss:.4f}, {loss - reference:+.4f} against its reference {reference:.4f}, "
        f"since {rfc3339(since)} over {rows} labelled predictions"
    )
