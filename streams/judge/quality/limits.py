"""What the shares of one feature may be in a window: learned from the reference, or the monitor's own (quality.py).

It follows from the specification and the reference alone, so it is worked out once for both: a window asks a dozen
features for some thirty limits, and their counts in the reference cost more to add up than those of the window.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from driftloop.schemas.baseline.ranges import Range
from driftloop.schemas.monitor.quality import LEARNED, QualityRules
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.streams.judge.metrics.intervals import share

SURE = 4.0
"""Standard errors: one in 30,000 beyond it by chance. A model of 100 features asks 200 such questions a window."""
FLOOR, RELATIVE = 0.02, 1.0
"""Two points more than usual, or twice as much: below that it is drift, if anything, and detectors see it. Half as
much again was too little: shares differ from day to day (3 false incidents a month in benchmarks/quality.py)."""
DECLARED_RANGE, LEARNED_RANGE = 0.005, 0.002
"""The learned one lies far out, where nothing is but what is wrong; a declared one may be as tight as it likes."""


class Limit(NamedTuple):
    """Of a share: None, anything goes; and what is usual."""

    most: float | None
    usual: float


class Outside(NamedTuple):
    """Of the values beyond a range; bins ``first`` to ``end`` are within."""

    first: int
    end: int
    limit: Limit

    def of(self, counts: Sequence[int]) -> tuple[int, int]:
        """(values outside, values)."""
        rows = sum(counts) - counts[-1]
        return rows - sum(counts[self.first : self.end]), rows


class FeatureLimits(NamedTuple):
    """``missing_before``: share of the reference's rows, 1 where it has no such bins. ``unseen`` of a categorical,
    ``outside`` of a numeric feature that has a range."""

    missing_before: float
    missing: Limit
    unseen: Limit | None
    outside: Outside | None


class Limits:
    """Of every feature. ``reference``: counts by feature; without it only the monitor's limits hold."""

    def __init__(self, specification: MonitorSpecification, reference: Mapping[str, Sequence[int]]) -> None:
        self.specification = specification
        self.rules = specification.quality or LEARNED
        self.reference = reference
        self._known: dict[tuple[str, int], FeatureLimits] = {}

    def fit(self, specification: MonitorSpecification, reference: Mapping[str, Sequence[int]]) -> bool:
        """They are of these two."""
        return self.specification is specification and self.reference is reference

    def of(self, feature: Feature, bins: int) -> FeatureLimits:
        """Of a feature that is counted in so many bins."""
        found = self._known.get((feature.name, bins))
        if found is None:
            before = self.reference.get(feature.name)
            if before is not None and (len(before) != bins or not sum(before)):
                before = None
            found = self._known[feature.name, bins] = _of_feature(self.rules, feature, before)
        return found


def learned_limit(hits: int, rows: int, floor: float = FLOOR) -> float:
    """What a share may reach that was ``hits`` of ``rows``.

    >>> round(learned_limit(0, 100_000), 4), round(learned_limit(30_000, 100_000), 3), round(learned_limit(9, 10), 3)
    (0.0202, 0.612, 0.997)
    """
    upper = share(hits, rows, SURE)[2]
    return min(upper + max(floor, RELATIVE * upper), (1 + upper) / 2)


def range_of(rules: QualityRules, feature: Feature) -> Range | None:
    """What is allowed of a number: declared, or else learned; None: anything."""
    return rules.of(feature.name).range or feature.range


def _of_feature(rules: QualityRules, feature: Feature, before: Sequence[int] | None) -> FeatureLimits:
    return FeatureLimits(
        1.0 if before is None else before[-1] / sum(before),
        _of_bin(rules, "missing", feature, before, -1),
        _of_bin(rules, "unseen", feature, before, -2) if feature.kind == "categorical" else None,
        _outside(rules, feature, before) if feature.kind == "numeric" else None,
    )


def _of_bin(rules: QualityRules, rule: str, feature: Feature, before: Sequence[int] | None, at: int) -> Limit:
    """Of one bin of the feature's histogram."""
    limit = rules.limit(rule, feature.name)
    if before is None:
        return Limit(limit, 0.0)
    rows = sum(before)
    return Limit(learned_limit(before[at], rows) if limit is None else limit, before[at] / rows)


def _outside(rules: QualityRules, feature: Feature, before: Sequence[int] | None) -> Outside | None:
    """Beyond its range, of the rows that have a value: bin k > 0 begins at edge k - 1, and the ends are among the
    edges."""
    span, limit = range_of(rules, feature), rules.limit("out_of_range", feature.name)
    if span is None:
        return None
    begins = feature.edges or ()
    within = 1 + bisect_left(begins, span[0]), 1 + bisect_right(begins, span[1])
    hits, rows = (0, 0) if before is None else Outside(*within, Limit(None, 0.0)).of(before)
    if limit is None and rules.of(feature.name).range is not None:
        limit = DECLARED_RANGE
    elif limit is None and before is not None:
        limit = learned_limit(hits, rows, LEARNED_RANGE)
    return Outside(*within, Limit(limit, hits / max(1, rows)))
