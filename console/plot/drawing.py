"""Lines, bands, strips and their axes. A chart says in words what it shows: a title, a description."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from driftloop.console.plot.axes import LEFT, RIGHT, WIDTH, Point, Span, Values, short, thinned
from driftloop.console.plot.markup import Child, Element, el

AXIS = 22.0
"""Height of the row of instants."""
NAME_MOST = 24
"""Characters that fit on the left."""


def chart(title: str, description: str, height: float, *marks: Child) -> Element:
    """A figure of all marks, named for who cannot see it."""
    number = hashlib.sha256(title.encode()).hexdigest()[:8]
    return el(
        "svg",
        el("title", title, id=f"t{number}"),
        el("desc", description, id=f"d{number}"),
        *marks,
        viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
        role="img",
        aria_labelledby=f"t{number} d{number}",
    )


def name(text: str, y: float) -> Element:
    """What a row is, on its left; all of a long name is told where the pointer rests."""
    cut = text if len(text) <= NAME_MOST else text[: NAME_MOST - 1] + "…"
    return el("text", cut, el("title", text), x=LEFT - 10, y=y, class_="name")


def figure(text: str, y: float, class_: str = "figure") -> Element:
    """A figure on the right of a row."""
    return el("text", text, x=WIDTH - RIGHT + 8, y=y, class_=class_)


def instants(span: Span, top: float, bottom: float) -> Element:
    """Round instants: a line each, named at the bottom."""
    group = el("g", class_="axis")
    for at, text in span.ticks():
        x = span.x(at)
        group.append(el("line", x1=x, x2=x, y1=top, y2=bottom))
        group.append(el("text", text, x=x, y=bottom + 14, text_anchor="middle"))
    return group


def levels(values: Values, *told: float) -> Element:
    """Some values, named on the left."""
    group = el("g", class_="axis")
    for value in told:
        y = values.y(value)
        group.append(el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))
        group.append(el("text", short(value), x=LEFT - 6, y=y + 3.5, text_anchor="end"))
    return group


def line(points: Sequence[Point], span: Span, values: Values, class_: str) -> Element:
    """From point to point, with gaps; a point between two gaps is a dot."""
    parts, pen = [], False
    kept = thinned(points, span)
    for i, (time, value) in enumerate(kept):
        if value is not None:
            alone = not pen and (i + 1 == len(kept) or kept[i + 1][1] is None)
            parts.append(f"{'L' if pen else 'M'}{span.x(time):.1f} {values.y(value):.1f}" + ("h.1" if alone else ""))
        pen = value is not None
    return el("path", d="".join(parts), class_=f"line {class_}")


def area(points: Sequence[Point], span: Span, values: Values, class_: str) -> Element:
    """The room between a line and the bottom."""
    kept = [(t, v) for t, v in thinned(points, span) if v is not None]
    if not kept:
        return el("path", d="", class_=class_)
    top = "L".join(f"{span.x(t):.1f} {values.y(v):.1f}" for t, v in kept)
    ends = f"M{span.x(kept[0][0]):.1f} {values.bottom:.1f}L{top}L{span.x(kept[-1][0]):.1f} {values.bottom:.1f}Z"
    return el("path", d=ends, class_=class_)


def band(low: Sequence[Point], high: Sequence[Point], span: Span, values: Values, class_: str) -> Element:
    """The room between two lines."""
    above, below = ([(t, v) for t, v in thinned(p, span) if v is not None] for p in (high, low))
    round_ = [f"{span.x(t):.1f} {values.y(v):.1f}" for t, v in [*above, *reversed(below)]]
    return el("path", d=f"M{'L'.join(round_)}Z" if round_ else "", class_=class_)


def block(span: Span, start: float, end: float, y: float, height: float, class_: str, told: str) -> Element:
    """A stretch of time; what it is, is told where the pointer rests."""
    x, to = span.x(start), span.x(end)
    return el("rect", el("title", told), x=x, y=y, width=max(1.0, to - x), height=height, class_=class_)
