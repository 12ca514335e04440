"""One window, measured: sums in, the event out. Nothing here has a memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from driftloop.schemas.events import Estimate, FeatureDrift, LabelDelay, TestState, WindowMeasured
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.editions import Edition
from driftloop.streams.judge.inputs import features
from driftloop.streams.judge.labels import delays, estimates, forecasts
from driftloop.streams.judge.labels.estimates import NOT_WATCHED, Trust
from driftloop.streams.judge.labels.forecasts import Delays
from driftloop.streams.judge.ledger import CHAMPION
from driftloop.streams.judge.metrics import fairness, segmented, tasks
from driftloop.streams.judge.metrics.tasks import Measured
from driftloop.streams.judge.reference import Reference
from driftloop.streams.judge.sums import FEATURES, LABELS, Total, total
from driftloop.streams.judge.windows import LABELS_CLOSING, Drifts, Numbers, Window, closings_passed

Panes = list[tuple[int, int]]
"""(predictions, delay buckets that have passed) of each pane, in order of time."""
OK, WARNING, DRIFT, UNKNOWN = "OK", "WARNING", "DRIFT", "UNKNOWN"


class Moment(NamedTuple):
    """What is known beside the window when it is told. ``alarm``: (paging, what) of the tests, about it. ``unknown``:
    why the features cannot be judged; ``remark``: what is said although all is well; ``blind_below``: what would not
    be found; ``trust``: in estimates without labels."""

    as_of: float
    closing: str
    tests: tuple[TestState, ...] = ()
    evidence: tuple[float, ...] = ()
    alarm: tuple[bool, str] | None = None
    unknown: str = ""
    remark: str = ""
    blind_below: float | None = None
    trust: Trust = NOT_WATCHED
    open_incidents: tuple[str, ...] = ()
    quality_incidents: tuple[str, ...] = ()
    totals: dict[str, int] | None = None
    partitions_idle: tuple[int, ...] = ()


class Coverage(NamedTuple):
    """``expected``: at the horizon, with its interval; None: not known."""

    now: float | None
    expected: float | None
    low: float | None
    high: float | None


def measure(
    edition: Edition, reference: Reference | None, known: Delays, window: Window, moment: Moment
) -> WindowMeasured:
    """The window as of ``moment``; its revision is the window's. Notes its forecast, learns from it at the end."""
    specification = edition.specification
    numbers = _numbers_of(edition, window)
    sums = numbers.sums
    drifts: tuple[FeatureDrift, ...] = ()
    if reference is not None and sums.predictions:
        drifts = _drifts(edition, reference, window, sums, moment.evidence)
    status, reason = judge(specification, reference, sums, moment)
    panes = _panes(specification, window, moment.as_of)
    coverage = _coverage(specification, known, window, sums, panes, moment)
    estimated, estimate_reason = _estimated(edition, window, sums, moment.trust)
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
        coverage=coverage.now,
        expected_final_coverage=coverage.expected,
        metrics=numbers.metrics,
        features=drifts,
        tests=moment.tests,
        open_incidents=moment.open_incidents,
        totals=moment.totals or {},
        offsets=sums.offsets,
        partitions_idle=moment.partitions_idle,
        expected_final_coverage_low=coverage.low,
        expected_final_coverage_high=coverage.high,
        label_delays=_label_delays(specification, known, sums, panes),
        segments=numbers.segments,
        segments_omitted=segmented.omitted(specification),
        fairness=numbers.fairness,
        quality=window.quality,
        quality_incidents=moment.quality_incidents,
        blind_below=moment.blind_below,
        estimated=estimated,
        estimate_reason=estimate_reason,
    )


def sums_of(edition: Edition, windows: Sequence[Window]) -> Total:
    """Of windows together; of one, as it is mostly, those with which it is told in a moment."""
    if len(windows) == 1:
        return _numbers_of(edition, windows[0]).sums
    return total(edition.layout, (pane for window in windows for pane in window.panes.values()))


def _numbers_of(edition: Edition, window: Window) -> Numbers:
    """What its panes say, worked out once until the next one comes."""
    found = window.numbers = window.numbers or _numbers(edition, window)
    return found


def _numbers(edition: Edition, window: Window) -> Numbers:
    specification, layout = edition.specification, edition.layout
    sums = total(layout, (window.panes[start] for start in sorted(window.panes)))
    labels = Measured(layout.read_all(LABELS, sums.labels), sums.sums, sums.counts, sums.decisions)
    return Numbers(
        sums,
        tasks.performance(specification, labels),
        segmented.measure(specification, edition.segment_layout, edition.segments, window.segments),
        fairness.measure(specification, edition.segment_layout, window.segments),
    )


def _drifts(
    edition: Edition, reference: Reference, window: Window, sums: Total, evidence: tuple[float, ...]
) -> tuple[FeatureDrift, ...]:
    specification, known = edition.specification, window.drifts
    if known is None or known.reference != reference.name:
        current = edition.layout.read_features(sums.features)
        measured = features.measure(specification, current, reference.features)
    elif known.evidence == evidence:
        return known.told
    else:
        measured = known.measured
    told = features.with_evidence(specification, measured, evidence)
    window.drifts = Drifts(reference.name, measured, evidence, told)
    return told


def _estimated(edition: Edition, window: Window, sums: Total, trust: Trust) -> tuple[dict[str, Estimate], str]:
    known = window.estimated
    if known is None or known[0].calibration is not trust.calibration or known[0].reason != trust.reason:
        score = edition.layout.read(FEATURES, sums.features, "score")
        window.estimated = known = trust, estimates.told(edition.specification, trust, score, sums.decisions)
    return known[1]


def judge(
    specification: MonitorSpecification, reference: Reference | None, sums: Total, moment: Moment
) -> tuple[str, str]:
    """(status, reason). What is not known is UNKNOWN, never OK."""
    if moment.alarm is not None:
        paging, what = moment.alarm
        return (DRIFT if paging else WARNING), what
    if not sums.predictions:
        return UNKNOWN, "no data"
    if reference is None:
        return UNKNOWN, "no reference: driftloop reference build"
    if sums.predictions < specification.minimum_rows:
        return UNKNOWN, f"{sums.predictions} predictions, fewer than {specification.minimum_rows}"
    if moment.unknown:
        return UNKNOWN, moment.unknown
    return OK, moment.remark


def _coverage(
    specification: MonitorSpecification, known: Delays, window: Window, sums: Total, panes: Panes, moment: Moment
) -> Coverage:
    if not sums.predictions:
        return Coverage(None, None, None, None)
    now = sums.labelled / sums.predictions
    if moment.closing == LABELS_CLOSING:
        if window.forecasts and window.group.role == CHAMPION:
            known.errors.learn(specification.window_seconds, window.forecasts, now)
        window.forecasts = {}
        return Coverage(now, now, now, now)
    expected = delays.expected_coverage(known.curve, panes, sums.labelled, sums.predictions)
    if expected is None:
        return Coverage(now, None, None, None)
    closing = closings_passed(specification, window.start, moment.as_of)
    made = window.forecasts[closing] = forecasts.forecast(expected, sums.labelled, sums.predictions)
    low, high = known.errors.interval(closing, made) or (None, None)
    return Coverage(now, expected, low, high)


def _panes(specification: MonitorSpecification, window: Window, as_of: float) -> Panes:
    edges = specification.delay_edges_seconds
    ages = [(start, as_of - start - specification.pane_seconds) for start in sorted(window.panes)]
    return [(window.panes[start].predictions, bisect_right(edges, age)) for start, age in ages]


def _label_delays(
    specification: MonitorSpecification, known: Delays, sums: Total, panes: Panes
) -> tuple[LabelDelay, ...]:
    if not sums.predictions:
        return ()
    found = [sum(labelled) for labelled in sums.by_class.tolist()]
    known_of = known.curve.known_of
    return tuple(
        [LabelDelay(label, found[code], known_of(code, panes)) for code, label in enumerate(specification.classes)]
    )
