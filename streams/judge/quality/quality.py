"""Which rules of data quality one window breaks: a pure function of its rows, the reference, and the weeks before.

    missing, unseen    share of rows, a feature          limit  u + max(.02, u), at most halfway from u to 1
    type               share of decisions and labels that are no class, of vectors that are none: the same with u = 0
    duplicates         share of records that repeat an id: the same, u the most of the windows before
    schema             a feature that is missing in every row, and was there in the reference
    out_of_range       share beyond the range that the reference has shown (ranges.py): u + max(.002, u);
                       beyond one that the monitor declares: .005
    volume             predictions: two fifths of what is usual then, or two and a half times (quality_history.py);
                       none at all is an outage (UNKNOWN), and breaks a limit of the monitor's own alone
    freshness          time without a prediction at the window's end: twice the longest before, and two panes
    labels             fewer than half of those that the delay curve expects came, for longer than a window and twice
                       the longest such gap before (labels/label_gaps.py)

u is the upper end of what the reference has. A share breaks its limit when the lower end of its own interval does;
both ends four standard errors out (``SURE``), so with a floor of two points a stationary stream breaks none: in
simulation no window of 1,040 weeks with 20 features, traffic with weekends, a quarter of the features missing in
shares that change from day to day (benchmarks/quality.py, 40 seeds; so below .003 a week at 95 %). A limit of the
monitor's own (schemas/monitor/quality_file.py) replaces the learned one; it too must be broken for sure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from driftloop.schemas.baseline.ranges import Range
from driftloop.schemas.events import QualityBroken
from driftloop.schemas.monitor.quality import LEARNED, QualityRules
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.streams.judge.labels.label_gaps import HALF, Stopped
from driftloop.streams.judge.metrics.intervals import Counts, share
from driftloop.streams.judge.quality.quality_history import Usual

SURE = 4.0
"""Standard errors: one in 30,000 beyond it by chance. A model of 100 features asks 200 such questions a window."""
FLOOR, RELATIVE = 0.02, 1.0
"""Two points more than usual, or twice as much: below that it is drift, if anything, and detectors see it. Half as
much again was too little: shares differ from day to day (3 false incidents a month in benchmarks/quality.py)."""
DECLARED_RANGE, LEARNED_RANGE = 0.005, 0.002
"""The learned one lies far out, where nothing is but what is wrong; a declared one may be as tight as it likes."""
ROWS_LEAST = 30
BROKEN_MOST = 32
"""Told of one window, the clearest of each rule first."""
LIMITS_KEPT_MOST = 4_096
"""They follow from the reference alone, and every window asks for all of them anew."""

Edges = tuple[float, ...] | None


class Facts(NamedTuple):
    """One window, all champions together. ``features``: counts by name. ``decisions``: by code, the last no class.

    ``broken``: vectors that are none, by embedding. ``labels``: (that are no class, all), ``duplicates``: (repeats,
    records), both since the window before. ``silent_seconds``: at its end without a prediction. ``stopped``: labels
    have, as of its end.
    """

    predictions: int
    features: Mapping[str, Counts]
    decisions: Counts
    broken: Mapping[str, int]
    labels: tuple[int, int]
    duplicates: tuple[int, int]
    silent_seconds: float
    stopped: Stopped | None = None


def check(
    specification: MonitorSpecification, reference: Mapping[str, Sequence[int]], usual: Usual, facts: Facts
) -> tuple[QualityBroken, ...]:
    """What is broken, rule by rule. ``reference``: counts by feature; without it only the monitor's limits hold."""
    rules = specification.quality or LEARNED
    found = [*_of_rows(specification, rules, reference, facts), *_of_records(rules, usual, facts)]
    found += [*_volume(rules, usual, facts), *_freshness(specification, rules, usual, facts), *_labels(facts)]
    return tuple(b for b in found if b.rule not in rules.off)[:BROKEN_MOST]


@lru_cache(LIMITS_KEPT_MOST)
def learned_limit(hits: int, rows: int, floor: float = FLOOR) -> float:
    """What a share may reach that was ``hits`` of ``rows``.

    >>> round(learned_limit(0, 100_000), 4), round(learned_limit(30_000, 100_000), 3), round(learned_limit(9, 10), 3)
    (0.0202, 0.612, 0.997)
    """
    upper = share(hits, rows, SURE)[2]
    return min(upper + max(floor, RELATIVE * upper), (1 + upper) / 2)


def broken_share(
    rule: str, feature: str, hits: int, rows: int, limit: float | None, usual: float
) -> Iterator[QualityBroken]:
    """The share, where it is for sure above its limit; None: there is no limit."""
    if limit is None or rows < ROWS_LEAST or hits / rows <= limit:  # a lower end lies above no share
        return
    if share(hits, rows, SURE)[1] > limit:
        yield QualityBroken(rule, feature, hits / rows, limit, usual, "share", rows)


def _of_rows(
    specification: MonitorSpecification, rules: QualityRules, reference: Mapping[str, Sequence[int]], facts: Facts
) -> Iterator[QualityBroken]:
    for feature in specification.features:
        counts = facts.features.get(feature.name)
        if counts is None or not counts.any():
            continue
        own = _sides(counts, reference.get(feature.name))
        yield from _missing(rules, feature, own)
        if feature.kind == "categorical":
            yield from _share(rules, "unseen", feature, own, -2)
        elif feature.kind == "numeric":
            yield from _outside(rules, feature, own)


class _Sides(NamedTuple):
    """One feature in the window and in the reference, None: it has no such bins. Plain numbers, for a handful of
    additions costs less than a call of numpy."""

    counts: Sequence[int]
    rows: int
    before: Sequence[int] | None
    known: int


def _sides(counts: Counts, before: Sequence[int] | None) -> _Sides:
    now, known = counts.tolist(), sum(before or ())
    if before is None or len(before) != len(now) or not known:
        return _Sides(now, sum(now), None, 0)
    return _Sides(now, sum(now), before, known)


def _missing(rules: QualityRules, feature: Feature, own: _Sides) -> Iterator[QualityBroken]:
    usual = 1.0 if own.before is None else own.before[-1] / own.known
    if own.counts[-1] == own.rows >= ROWS_LEAST and usual < 0.5 and "schema" not in rules.off:
        yield QualityBroken("schema", feature.name, 1.0, 1.0, usual, "share", own.rows)
    else:
        yield from _share(rules, "missing", feature, own, -1)


def _share(rules: QualityRules, rule: str, feature: Feature, own: _Sides, at: int) -> Iterator[QualityBroken]:
    """Of one bin of the feature's histogram."""
    limit = rules.limit(rule, feature.name)
    usual = own.before[at] / own.known if own.before is not None else 0.0
    if limit is None and own.before is not None:
        limit = learned_limit(own.before[at], own.known)
    yield from broken_share(rule, feature.name, own.counts[at], own.rows, limit, usual)


def range_of(rules: QualityRules, feature: Feature) -> Range | None:
    """What is allowed of a number: declared, or else learned; None: anything."""
    return rules.of(feature.name).range or feature.range


def _outside(rules: QualityRules, feature: Feature, own: _Sides) -> Iterator[QualityBroken]:
    """Beyond its range, of the rows that have a value."""
    span, limit = range_of(rules, feature), rules.limit("out_of_range", feature.name)
    if span is None:
        return
    hits, rows = _beyond(feature.edges, own.counts, span)
    usual, known = (0, 0) if own.before is None else _beyond(feature.edges, own.before, span)
    if limit is None and rules.of(feature.name).range is not None:
        limit = DECLARED_RANGE
    elif limit is None and own.before is not None:
        limit = learned_limit(usual, known, LEARNED_RANGE)
    yield from broken_share("out_of_range", feature.name, hits, rows, limit, usual / max(1, known))


def _beyond(edges: Edges, counts: Sequence[int], span: Range) -> tuple[int, int]:
    """(values outside, values): bin k > 0 begins at edge k - 1, and the ends are among the edges."""
    rows, begins = sum(counts) - counts[-1], edges or ()
    inside = counts[1 + bisect_left(begins, span[0]) : 1 + bisect_right(begins, span[1])]
    return rows - sum(inside), rows


def _of_records(rules: QualityRules, usual: Usual, facts: Facts) -> Iterator[QualityBroken]:
    limit = FLOOR if rules.type is None else rules.type
    if len(facts.decisions):
        yield from broken_share("type", "decision", int(facts.decisions[-1]), facts.predictions, limit, 0.0)
    yield from broken_share("type", "label", *facts.labels, limit, 0.0)
    for name, hits in facts.broken.items():
        yield from broken_share("type", name, hits, facts.predictions, limit, 0.0)
    most = rules.duplicates
    if most is None:
        most = usual.duplicates + max(FLOOR, RELATIVE * usual.duplicates)
    yield from broken_share("duplicates", "", *facts.duplicates, most, usual.duplicates)


def _volume(rules: QualityRules, usual: Usual, facts: Facts) -> Iterator[QualityBroken]:
    """A count may be so far above what it is by chance: n + z^2 / 2 + z sqrt(n + z^2 / 4), and so far below.

    A window without any prediction is UNKNOWN, not little volume: only a limit of the monitor's own is broken by it.
    """
    n, half = facts.predictions, SURE * SURE / 2
    margin = SURE * (n + half / 2) ** 0.5
    least, most = rules.volume_least, rules.volume_most
    if least is not None or most is not None:
        low, high = least or 0.0, np.inf if most is None else most
        if not low <= n <= high:
            yield QualityBroken("volume", "", n, low if n < low else high, usual.volume or 0.0, "predictions", n)
    elif usual.volume is not None and n:
        if n + half + margin < usual.volume_least:
            yield QualityBroken("volume", "", n, usual.volume_least, usual.volume, "predictions", n)
        elif n + half - margin > usual.volume_most:
            yield QualityBroken("volume", "", n, usual.volume_most, usual.volume, "predictions", n)


def _freshness(
    specification: MonitorSpecification, rules: QualityRules, usual: Usual, facts: Facts
) -> Iterator[QualityBroken]:
    """Learned: longer than ever, and long enough that chance would have brought ``SURE`` squared predictions."""
    limit, silent = rules.freshness_seconds, facts.silent_seconds
    if limit is None:
        if usual.volume is None or silent * usual.volume < SURE * SURE * specification.window_seconds:
            return
        limit = 2 * usual.silent_seconds + 2 * specification.pane_seconds + specification.idle_after_seconds
    if silent > limit and facts.predictions:
        yield QualityBroken("freshness", "", silent, limit, usual.silent_seconds, "seconds", facts.predictions)


def _labels(facts: Facts) -> Iterator[QualityBroken]:
    if (gap := facts.stopped) is not None:
        rows = round(gap.expected)
        yield QualityBroken("labels", "", gap.came, HALF * gap.expected, gap.expected, "labels", rows)
