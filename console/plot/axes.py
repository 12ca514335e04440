"""Where an instant and a value lie in a chart, which of them are named, and which may be left out. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

WIDTH, LEFT, RIGHT = 960.0, 176.0, 112.0
"""Of every chart, so that instants stand one above the other all down the page."""
COLUMNS = 672
"""Of one unit of a viewBox each; more points than twice as many cannot be told apart."""
TICKS_MOST = 7
_HOUR, _DAY = 3_600.0, 86_400.0
_STEPS = (_HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240)

Point = tuple[float, float | None]
"""Event time, value; None: there is none, and a line has a gap."""


class Span(NamedTuple):
    """Event time on the horizontal axis."""

    start: float
    end: float

    def x(self, time: float) -> float:
        share = (time - self.start) / max(self.end - self.start, 1e-9)
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """(instant, name) of a few round instants, UTC."""
        length = self.end - self.start
        step = next((s for s in _STEPS if length / s <= TICKS_MOST), None)
        if step is None:
            yield from self._months()
            return
        form = "%d %b %H:%M" if step < _DAY else "%d %b %Y" if length > 300 * _DAY else "%d %b"
        first = math.ceil(self.start / step) * step
        for k in range(int((self.end - first) // step) + 1):
            yield first + k * step, datetime.fromtimestamp(first + k * step, UTC).strftime(form)

    def _months(self) -> Iterator[tuple[float, str]]:
        first, last = (datetime.fromtimestamp(t, UTC) for t in self)
        count = 12 * (last.year - first.year) + last.month - first.month
        each = next((m for m in _MONTHS if count / m <= TICKS_MOST), _MONTHS[-1])
        for month in range(12 * first.year + first.month, 12 * last.year + last.month):
            at = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
            if month % each == 0 and at.timestamp() <= self.end:
                yield at.timestamp(), at.strftime("%b %Y")


class Values(NamedTuple):
    """Values on the vertical axis, from ``low`` at ``bottom`` to ``high`` at ``top``."""

    low: float
    high: float
    top: float
    bottom: float

    def y(self, value: float) -> float:
        share = (value - self.low) / max(self.high - self.low, 1e-12)
        return self.bottom - min(1.0, max(0.0, share)) * (self.bottom - self.top)


def values_over(points: Sequence[float | None], top: float, bottom: float, zero: bool = False) -> Values:
    """Room for all of them and a little more; with ``zero`` from 0 on."""
    finite = [v for v in points if v is not None and math.isfinite(v)] or [0.0, 1.0]
    low, high = (0.0 if zero else min(finite)), max(finite)
    margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return Values(low if zero else low - margin, high + margin, top, bottom)


def thinned(points: Sequence[Point], span: Span) -> list[Point]:
    """The lowest and the highest of each column, in order of time; gaps stay where a whole column is one.

    >>> thinned([(0.0, 1.0), (0.1, 9.0), (0.2, 2.0), (1e6, 3.0)] * 1, Span(0.0, 1e6))
    [(0.0, 1.0), (0.1, 9.0), (0.2, 2.0), (1000000.0, 3.0)]
    """
    if len(points) <= 2 * COLUMNS:
        return list(points)
    columns: dict[int, list[Point]] = {}
    for point in points:
        columns.setdefault(int(span.x(point[0])), []).append(point)
    found: list[Point] = []
    for column in columns.values():
        some = [point for point in column if point[1] is not None]
        ends = {min(some, key=_value), max(some, key=_value)} if some else {column[0]}
        found += sorted(ends, key=lambda point: point[0])
    return found


def _value(point: Point) -> float:
    return math.nan if point[1] is None else point[1]


def short(value: float | None) -> str:
    """A number as it is read.

    >>> short(0.12345), short(1234567.0), short(12.0), short(None)
    ('0.123', '1,234,567', '12', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
