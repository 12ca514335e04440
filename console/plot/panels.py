"""The charts and tables of a page, one function each; the replay is a full line, what was told live a dashed one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from driftloop.console.plot import told
from driftloop.console.plot.axes import LEFT, RIGHT, WIDTH, Point, Span, Values, short, values_over
from driftloop.console.plot.drawing import (
    AXIS,
    area,
    band,
    block,
    chart,
    figure,
    instants,
    levels,
    line,
    name,
)
from driftloop.console.plot.markup import Element, el
from driftloop.console.plot.told import IncidentSpan, Side
from driftloop.console.replay.report import Sensitivity
from driftloop.schemas.events import DecisionRecorded
from driftloop.schemas.headers import rfc3339

ROW, STRIP = 26.0, 14.0
FEATURE_ROW = 34.0
LANES_MOST = 6
CLASSES = ("trial", "live")
"""Of the sides, in their order."""


class Lane(NamedTuple):
    """Incidents that do not overlap."""

    until: float
    incidents: list[IncidentSpan]


def under(by_side: Sequence[Any]) -> list[tuple[Any, str]]:
    """With their classes, the replay last: it is drawn over what was told live."""
    return list(zip(by_side, CLASSES, strict=False))[::-1]


def states(sides: Sequence[Side], span: Span, trainings: Sequence[DecisionRecorded]) -> Element:
    """Status of every window, incidents below it, then the trainings."""
    marks: list[Element] = []
    y = 6.0
    for side in sides:
        marks += [name(f"{side.name}: windows", y + 11), *_stretches(side, span, y)]
        y += ROW
        lanes = _lanes(side.incidents, span.end)
        marks.append(name("incidents", y + 11))
        for lane in lanes[:LANES_MOST]:
            marks += [mark for one in lane.incidents for mark in _incident(one, span, y)]
            y += STRIP + 4
        y += 10 if lanes else ROW
        for detector, alarms in told.named_alarms(side).items():
            marks.append(name(detector, y + 11))
            for a in alarms:
                said = f"{a.detector} of {a.feature or 'the model'}, {rfc3339(a.window_start)}"
                marks.append(block(span, a.window_start, a.window_start + a.window_seconds, y, STRIP, "DRIFT", said))
            y += ROW
    if trainings:
        marks.append(name("trainings", y + 11))
        marks += [block(span, t.as_of, t.as_of, y, STRIP, "training", f"{t.trigger}: {t.reason}") for t in trainings]
        y += ROW
    counted = "; ".join(f"{s.name}: {len(s.windows)} windows, {len(s.incidents)} incidents" for s in sides)
    return chart("Windows and incidents", counted, y + AXIS, instants(span, 2, y), *marks)


def _stretches(side: Side, span: Span, y: float) -> Iterable[Element]:
    """Windows one after the other with one status are one block."""
    first = None
    for window, after in zip(side.windows, (*side.windows[1:], None), strict=True):
        first = first or window
        end = window.window_start + window.window_seconds
        if after is None or after.status != first.status or after.window_start > end:
            said = f"{rfc3339(first.window_start)} to {rfc3339(end)}: {first.status} {first.status_reason}"
            yield block(span, first.window_start, end, y, STRIP, first.status, said)
            first = None


def _lanes(incidents: Sequence[IncidentSpan], end: float) -> list[Lane]:
    lanes: list[Lane] = []
    for one in sorted(incidents, key=lambda i: i.start):
        at = next((i for i, lane in enumerate(lanes) if lane.until <= one.start), len(lanes))
        before = lanes[at].incidents if at < len(lanes) else []
        lanes[at : at + 1] = [Lane(one.end or end, [*before, one])]
    return lanes


def _incident(one: IncidentSpan, span: Span, y: float) -> Iterable[Element]:
    end = one.end or span.end
    until = rfc3339(one.end) if one.end else "still open"
    said = f"{one.number}. {one.kind}, {rfc3339(one.start)} to {until}: {one.summary}"
    yield block(span, one.start, end, y, STRIP, "silenced" if one.silenced else "incident", said)
    if span.x(end) - span.x(one.start) > 14:
        yield el("text", str(one.number), x=(span.x(one.start) + span.x(end)) / 2, y=y + 11, class_="number")


def budget(sides: Sequence[Side], span: Span, budget_seconds: float) -> Element:
    """Incidents opened so far beside what the budget allows of false ones."""
    bottom = 104.0
    steps = [_steps(side, span) for side in sides]
    allowed = (span.end - span.start) / budget_seconds
    most = max([allowed, *(s[-1][1] for s in steps)])
    values = Values(0.0, max(1.0, most * 1.08), 8.0, bottom)
    marks = [levels(values, 0.0, float(max(1, round(most)))), name("incidents opened", 60)]
    marks.append(line([(span.start, 0.0), (span.end, allowed)], span, values, "threshold"))
    marks.append(figure(f"allowed {allowed:.1f}", values.y(allowed) + 4))
    for found, class_ in under(steps):
        marks.append(line(found, span, values, class_))
    counted = ", ".join(f"{s.name} {len(s.incidents)}" for s in sides)
    told_ = f"Incidents opened: {counted}; the budget allows {allowed:.1f} false ones in this time."
    return chart("Incidents against the budget", told_, bottom + AXIS, instants(span, 8, bottom), *marks)


def _steps(side: Side, span: Span) -> list[tuple[float, float]]:
    """Corners of the count of incidents, from the left end to the right."""
    found = [(span.start, 0.0)]
    for number, start in enumerate(sorted(i.start for i in side.incidents), start=1):
        found += [(start, number - 1.0), (start, float(number))]
    return [*found, (span.end, found[-1][1])]


def test(test_name: str, sides: Sequence[Side], span: Span) -> Element:
    """Log evidence of one test against its threshold: where it crosses, it alarms."""
    bottom, known = 94.0, [told.tests_of(side).get(test_name, []) for side in sides]
    thresholds: list[Point] = [(t, h) for t, _, h in (known[0] or known[-1])]
    rows: list[list[Point]] = [[(t, max(0.0, s)) for t, s, _ in found] for found in known]
    values = values_over([v for points in (*rows, thresholds) for _, v in points], 8.0, bottom, zero=True)
    highest = max((v for points in rows[:1] for _, v in points if v is not None), default=None)
    threshold = thresholds[-1][1] if thresholds else None
    marks = [levels(values, 0.0), name(test_name, 54), line(thresholds, span, values, "threshold")]
    marks += [line(points, span, values, class_) for points, class_ in under(rows)]
    marks.append(figure(f"at most {short(highest)}", bottom))
    if threshold is not None:
        marks.append(figure(f"alarm at {short(threshold)}", values.y(threshold) + 4, "figure hot"))
    told_ = f"Log evidence of {test_name}, at most {short(highest)}; it alarms at {short(threshold)}."
    return chart(f"Test {test_name}", told_, bottom + AXIS, instants(span, 8, bottom), *marks)


def metric(metric_name: str, sides: Sequence[Side], span: Span) -> Element:
    """One metric with its 95 % interval."""
    bottom, known = 78.0, [told.metrics_of(side).get(metric_name, []) for side in sides]
    own = known[0]
    values = values_over([v for found in known for _, v, *_ in found], 8.0, bottom)
    marks = [name(metric_name, 46), levels(values, values.low, values.high)]
    marks.append(band([(t, low) for t, _, low, _ in own], [(t, high) for t, *_, high in own], span, values, "band"))
    for found, class_ in under(known):
        marks.append(line([(t, v) for t, v, *_ in found], span, values, class_))
    last = own[-1][1] if own else None
    if last is not None:
        marks.append(figure(f"last {short(last)}", values.y(last) + 4))
    told_ = f"{metric_name} of {len(own)} windows, last {short(last)}, with a band of 95 %."
    return chart(f"Metric {metric_name}", told_, bottom + AXIS, instants(span, 8, bottom), *marks)


def features(shown: Sequence[Sensitivity], sides: Sequence[Side], span: Span) -> Element:
    """Log evidence against each feature, one row each, on one scale; dotted: what all of them together alarm at."""
    evidence = [told.evidence_of(side) for side in sides]
    threshold = told.feature_threshold(sides[0])
    most = max([s.log_evidence for s in shown] + [v for _, v in threshold if v is not None], default=1.0)
    marks: list[Element] = []
    for i, one in enumerate(shown):
        values = Values(0.0, max(most, 1e-9) * 1.05, i * FEATURE_ROW + 4, (i + 1) * FEATURE_ROW)
        points = evidence[0].get(one.feature, [])
        marks += [name(one.feature, values.bottom - 10), levels_line(values)]
        marks += [area(points, span, values, "area"), line(threshold, span, values, "threshold")]
        for found, class_ in under(evidence):
            marks.append(line(found.get(one.feature, []), span, values, class_))
        said = f"{short(one.log_evidence)}, {one.effect:+.2f} {one.unit}"
        marks.append(figure(said, values.bottom - 10, "figure hot" if one.alarms else "figure"))
    bottom = len(shown) * FEATURE_ROW
    told_ = "; ".join(f"{s.feature} at most {short(s.log_evidence)}" for s in shown[:10])
    axis = instants(span, 0, bottom)
    return chart("Log evidence by feature, strongest first", told_, bottom + AXIS, axis, *marks)


def levels_line(values: Values) -> Element:
    y = values.bottom
    return el("g", el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y), class_="axis")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Element:
    """A plain table."""
    body = [el("tr", *(el("td", cell) for cell in row)) for row in rows]
    top = el("thead", el("tr", *(el("th", cell, scope="col") for cell in head)))
    return el("div", el("table", top, el("tbody", *body)), class_="wide")
