"""One window, measured: sums in, the event out. Nothing here has a memory."""

from __future__ import annotations

from dataclasses import dataclass

from driftloop.schemas.events import FeatureDrift, TestState, WindowMeasured
from driftloop.schemas.specification import MonitorSpecification
from driftloop.streams.judge import delays, features, tasks
from driftloop.streams.judge.delays import DelayCurve
from driftloop.streams.judge.reference import Reference
from driftloop.streams.judge.sums import LABELS, Layout, Total, total
from driftloop.streams.judge.windows import LABELS_CLOSING, Window

OK, WARNING, DRIFT, UNKNOWN = "OK", "WARNING", "DRIFT", "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known beside the window when it is told. ``alarm``: (paging, what) of the tests, about it."""

    as_of: float
    closing: str
    tests: tuple[TestState, ...] = ()
    evidence: tuple[float, ...] = ()
    alarm: tuple[bool, str] | None = None
    open_incidents: tuple[str, ...] = ()
    totals: dict[str, int] | None = None
    partitions_idle: tuple[int, ...] = ()


def measure(
    specification: MonitorSpecification,
    layout: Layout,
    reference: Reference | None,
    curve: DelayCurve,
    window: Window,
    moment: Moment,
) -> WindowMeasured:
    """The window as of ``moment``; its revision is the window's."""
    sums = total(layout, (window.panes[start] for start in sorted(window.panes)))
    drifts: tuple[FeatureDrift, ...] = ()
    if reference is not None and sums.predictions:
        if window.drifts is None or window.drifts[0] != reference.name:
            current = features.histograms(layout, specification, sums.features)
            window.drifts = (reference.name, features.measure(specification, current, reference.features))
        drifts = features.with_evidence(specification, window.drifts[1], moment.evidence)
    status, reason = judge(specification, reference, sums, moment)
    return WindowMeasured(
        model=specification.model,
        version=window.group.version,
        role=window.group.role,
        spec=window.group.spec,
        reference=reference.name if reference else "",
        window_start=window.start,
        window_seconds=specification.window_seconds,
        closing=moment.closing,
        revision=window.revision,
        as_of=moment.as_of,
        status=status,
        status_reason=reason,
        predictions=sums.predictions,
        labelled=sums.labelled,
        coverage=sums.labelled / sums.predictions if sums.predictions else None,
        expected_final_coverage=_expected(specification, curve, window, sums, moment),
        metrics=tasks.performance(specification, layout.read_all(LABELS, sums.labels), sums.sums),
        features=drifts,
        tests=moment.tests,
        open_incidents=moment.open_incidents,
        totals=moment.totals or {},
        offsets=sums.offsets,
        partitions_idle=moment.partitions_idle,
    )


def judge(
    specification: MonitorSpecification, reference: Reference | None, sums: Total, moment: Moment
) -> tuple[str, str]:
    """(status, reason). What is not known is UNKNOWN, never OK."""
    if moment.alarm is not None:
        paging, what = moment.alarm
        return (DRIFT, what) if paging else (WARNING, f"{what}, below the effect floor")
    if not sums.predictions:
        return UNKNOWN, "no data"
    if reference is None:
        return UNKNOWN, "no reference: driftloop reference build"
    if sums.predictions < specification.minimum_rows:
        return UNKNOWN, f"{sums.predictions} predictions, fewer than {specification.minimum_rows}"
    return OK, ""


def _expected(
    specification: MonitorSpecification, curve: DelayCurve, window: Window, sums: Total, moment: Moment
) -> float | None:
    if moment.closing == LABELS_CLOSING and sums.predictions:
        return sums.labelled / sums.predictions
    edges = specification.delay_edges_seconds
    panes = []
    for start in sorted(window.panes):
        age = moment.as_of - start - specification.pane_seconds
        panes.append((window.panes[start].predictions, sum(edge <= age for edge in edges)))
    return delays.expected_coverage(curve, panes, sums.labelled, sums.predictions)
