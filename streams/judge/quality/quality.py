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

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from driftloop.schemas.events import QualityBroken
from driftloop.schemas.monitor.quality import QualityRules
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.labels.label_gaps import HALF, Stopped
from driftloop.streams.judge.metrics.intervals import Counts, share
from driftloop.streams.judge.quality.limits import FLOOR, RELATIVE, SURE, Limit, Limits
from driftloop.streams.judge.quality.quality_history import Usual

ROWS_LEAST = 30
BROKEN_MOST = 32
"""Told of one window, the clearest of each rule first."""


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


def check(limits: Limits, usual: Usual, facts: Facts) -> tuple[QualityBroken, ...]:
    """What is broken, rule by rule."""
    specification, rules = limits.specification, limits.rules
    found = [*_of_rows(limits, facts), *_of_records(rules, usual, facts)]
    found += [*_volume(rules, usual, facts), *_freshness(specification, rules, usual, facts), *_labels(facts)]
    return tuple(b for b in found if b.rule not in rules.off)[:BROKEN_MOST]


def broken_share(rule: str, feature: str, hits: int, rows: int, limit: Limit) -> tuple[QualityBroken, ...]:
    """The share, where it is for sure above its limit; else nothing."""
    most, usual = limit
    if most is None or rows < ROWS_LEAST or hits / rows <= most:  # a lower end lies above no share
        return ()
    if share(hits, rows, SURE)[1] <= most:
        return ()
    return (QualityBroken(rule, feature, hits / rows, most, usual, "share", rows),)


def _of_rows(limits: Limits, facts: Facts) -> Iterator[QualityBroken]:
    """Of each feature; in plain numbers, for a handful of additions costs less than a call of numpy."""
    for feature in limits.specification.features:
        name, found = feature.name, facts.features.get(feature.name)
        counts = [] if found is None else found.tolist()
        if not (rows := sum(counts)):
            continue
        own = limits.of(feature, len(counts))
        if counts[-1] == rows >= ROWS_LEAST and own.missing_before < 0.5 and "schema" not in limits.rules.off:
            yield QualityBroken("schema", name, 1.0, 1.0, own.missing_before, "share", rows)
        else:
            yield from broken_share("missing", name, counts[-1], rows, own.missing)
        if own.unseen is not None:
            yield from broken_share("unseen", name, counts[-2], rows, own.unseen)
        if own.outside is not None:
            yield from broken_share("out_of_range", name, *own.outside.of(counts), own.outside.limit)


def _of_records(rules: QualityRules, usual: Usual, facts: Facts) -> Iterator[QualityBroken]:
    none = Limit(FLOOR if rules.type is None else rules.type, 0.0)
    if len(facts.decisions):
        yield from broken_share("type", "decision", int(facts.decisions[-1]), facts.predictions, none)
    yield from broken_share("type", "label", *facts.labels, none)
    for name, hits in facts.broken.items():
        yield from broken_share("type", name, hits, facts.predictions, none)
    most = rules.duplicates
    if most is None:
        most = usual.duplicates + max(FLOOR, RELATIVE * usual.duplicates)
    yield from broken_share("duplicates", "", *facts.duplicates, Limit(most, usual.duplicates))


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
