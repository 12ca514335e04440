"""A replay as one page of HTML. Pure: the same replay gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from driftloop.console.plot import panels
from driftloop.console.plot.axes import Span, short
from driftloop.console.plot.markup import Element, el, written
from driftloop.console.plot.style import STYLE
from driftloop.console.plot.told import IncidentSpan, Side, metrics_of, side_of, tests_of
from driftloop.console.replay import report
from driftloop.console.replay.report import Replayed, Sensitivity
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.headers import rfc3339

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""No script runs and nothing is fetched, whatever a name holds."""
FEATURES_MOST = 30
"""Drawn; the others stand in a table."""
METRICS_FIRST = ("log_loss", "accuracy", "auc", "rmse", "mae", "f1", "brier")
METRICS_MOST = 4
ROWS_MOST = 500
STATUSES = ("OK", "WARNING", "DRIFT", "UNKNOWN")


def write_page(file: Path, found: Replayed) -> None:
    """ConfigError: the file cannot be written."""
    try:
        file.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error}", "name a file in a folder that is there") from error


def page(found: Replayed) -> str:
    """All of it. Live is shown beside a specification or a reference that is not the live one."""
    own = side_of("replay" if found.is_live else "on trial", found.told)
    sides = [own]
    if not found.is_live and found.live:
        sides.append(side_of("live", found.live))
    spec = found.specification
    body = el("main", *_head(found, own))
    if own.windows:
        for part in _charts(found, sides):
            body.append(part)
    else:
        body.append(el("p", "No window of a champion has closed."))
    title = f"Replay of {spec.model}"
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", title),
        el("style", STYLE),
    )
    return written(el("html", head, el("body", body), lang="en"))


def _head(found: Replayed, own: Side) -> Iterator[Element]:
    spec = found.specification
    whose = "the live specification" if found.is_live else "a specification or reference on trial"
    yield el("h1", f"Replay of {spec.model}")
    if own.windows:
        last = own.windows[-1]
        until = rfc3339(last.window_start + last.window_seconds)
        yield el("p", f"{rfc3339(own.windows[0].window_start)} to {until}, {whose} ({spec.spec})", class_="quiet")
    facts = {
        "records": f"{found.records:,}",
        "windows": f"{len(own.windows):,}",
        "incidents": f"{len(own.incidents):,}",
        "alarms": f"{len(report.drifts(found)):,}",
        "trainings": f"{len(found.trainings):,}",
    }
    yield el("dl", *(el("div", el("dt", key), el("dd", value)) for key, value in facts.items()))
    for line in report.verdict_lines(found):
        yield el("p", line)


def _charts(found: Replayed, sides: Sequence[Side]) -> Iterator[Element]:
    spec, own = found.specification, sides[0]
    windows = [w for side in sides for w in side.windows]
    span = Span(min(w.window_start for w in windows), max(w.window_start + w.window_seconds for w in windows))
    yield el("h2", "Windows and incidents")
    yield _keys(sides)
    yield _figure(panels.states(sides, span, found.trainings))
    yield _figure(
        panels.budget(sides, span, spec.budget_seconds),
        "Incidents opened so far; dotted: false ones allowed.",
    )
    if any(side.incidents for side in sides):
        rows = [(side.name, *_incident(i)) for side in sides for i in side.incidents]
        yield _more(f"{len(rows)} incidents", ("", "", "kind", "opened", "resolved", "what"), rows)
    if tests := list(dict.fromkeys(name for side in sides for name in tests_of(side))):
        yield el("h2", "Evidence against thresholds")
        yield el(
            "p",
            "Log evidence of each test when it was known; at the dotted line it alarms, and begins anew.",
            class_="quiet",
        )
        for name in tests:
            yield _figure(panels.test(name, sides, span))
    if sensitivities := report.sensitivities(own.windows, own.alarms):
        yield from _features(sensitivities, sides, span)
    yield from _metrics(sides, span)


def _features(found: Sequence[Sensitivity], sides: Sequence[Side], span: Span) -> Iterator[Element]:
    yield el("h2", "Features")
    said = "Log evidence against each, the strongest first; on the right its most, and the shift of that window. "
    said += "Dotted: where the evidence of all features together alarms; a feature that an alarm named is red."
    yield el("p", said, class_="quiet")
    yield _figure(panels.features(found[:FEATURES_MOST], sides, span))
    rows = [
        (f.feature, short(f.log_evidence), f"{f.effect:+.3f} {f.unit}", rfc3339(f.at), str(f.alarms)) for f in found
    ]
    yield _more(
        f"All {len(found)} features", ("feature", "log evidence", "shift", "in the window of", "alarms"), rows
    )


def _metrics(sides: Sequence[Side], span: Span) -> Iterator[Element]:
    known = {name for side in sides for name in metrics_of(side)}
    names = [*(m for m in METRICS_FIRST if m in known), *sorted(known - set(METRICS_FIRST))]
    if not names:
        return
    yield el("h2", "Metrics")
    yield el("p", "By window of prediction, with a band of 95 %.", class_="quiet")
    for name in names[:METRICS_MOST]:
        yield _figure(panels.metric(name, sides, span))
    if names[METRICS_MOST:]:
        charts = [_figure(panels.metric(name, sides, span)) for name in names[METRICS_MOST:]]
        yield el("details", el("summary", f"{len(charts)} more metrics"), *charts)


def _incident(one: IncidentSpan) -> tuple[str, ...]:
    until = rfc3339(one.end) if one.end else "open"
    return str(one.number), one.kind, rfc3339(one.start), until, one.summary


def _keys(sides: Sequence[Side]) -> Element:
    def key(mark: Element, text: str) -> Element:
        return el("li", el("svg", mark, viewBox="0 0 24 10", aria_hidden="true"), text)

    keys = [key(el("rect", width=24, height=10, class_=status), status) for status in STATUSES]
    keys.append(key(el("rect", width=24, height=10, class_="incident"), "incident"))
    if len(sides) > 1:
        for side, class_ in zip(sides, panels.CLASSES, strict=True):
            keys.append(key(el("path", d="M0 5H24", class_=f"line {class_}"), side.name))
    return el("ul", *keys, class_="keys")


def _figure(picture: Element, caption: str = "") -> Element:
    return el("figure", picture, el("figcaption", caption) if caption else None)


def _more(summary: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Element:
    left = f"; the first {ROWS_MOST}" if len(rows) > ROWS_MOST else ""
    return el("details", el("summary", summary + left), panels.table(head, rows[:ROWS_MOST]))
