"""Panes add up: the partial sums of one pane of event time, over source partitions and delay buckets.

Everything is exact, so that order never matters and a correction can be taken out again: counts are whole numbers,
sums of doubles are kept as fractions (a double is one) and rounded once, when they are read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import OffsetRange, Pane
from driftloop.schemas.specification import MonitorSpecification
from driftloop.streams.judge import tasks
from numpy.typing import NDArray

FEATURES, LABELS, COUNTERS, PAIRED = "features", "labels", "counters", "paired"
Counts = NDArray[np.int64]


class Layout:
    """Where each histogram of a specification's panes lies in one flat array, by kind of pane."""

    def __init__(self, specification: MonitorSpecification) -> None:
        features = {f"feature:{f.name}": f.bins for f in specification.features if f.bins}
        self.places = {
            FEATURES: _places(features | {"score": tasks.score_bins(specification)}),
            LABELS: _places(tasks.label_histograms(specification)),
        }
        self.sums = tasks.label_sums(specification)
        self.sizes = {kind: sum(size for _, size in places.values()) for kind, places in self.places.items()}
        self.buckets = len(specification.delay_edges_seconds)

    def read(self, kind: str, counts: Counts, name: str) -> Counts:
        """One histogram out of the flat array."""
        start, size = self.places[kind][name]
        return counts[start : start + size]

    def read_all(self, kind: str, counts: Counts) -> dict[str, Counts]:
        """Every histogram of the flat array, by name."""
        return {name: counts[start : start + size] for name, (start, size) in self.places[kind].items()}

    def check(self, pane: Pane) -> None:
        """Errors: BadRecord ``wrong-bins``: it cannot be a pane of this specification."""
        places = self.places.get(pane.kind, {})
        for histogram in pane.histograms:
            if histogram.name in places and histogram.bins and histogram.bins[-1] >= places[histogram.name][1]:
                raise BadRecord(
                    "wrong-bins",
                    f"a pane of {pane.model} has bin {histogram.bins[-1]} of {histogram.name}; "
                    f"specification {pane.spec} has {places[histogram.name][1]} bins",
                )
        if not all(map(math.isfinite, pane.sums.values())):
            raise BadRecord("wrong-sums", f"a pane of {pane.model} has a sum that is no finite number: {pane.sums}")
        if pane.kind == LABELS and not 0 <= pane.bucket < self.buckets:
            raise BadRecord("wrong-bins", f"a pane of {pane.model} has delay bucket {pane.bucket} of {self.buckets}")


@dataclass(slots=True)
class PaneSums:
    """Sums of one (version, role, specification, pane of event time). ``labelled``: by delay bucket."""

    features: Counts
    labels: Counts
    labelled: list[int]
    predictions: int = 0
    sums: dict[str, Fraction] = field(default_factory=dict)
    offsets: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def empty(cls, layout: Layout) -> PaneSums:
        features, labels = (np.zeros(layout.sizes[kind], np.int64) for kind in (FEATURES, LABELS))
        return cls(features, labels, [0] * layout.buckets, sums=dict.fromkeys(layout.sums, Fraction(0)))

    def add(self, layout: Layout, pane: Pane, sign: int = 1) -> None:
        """Count a pane in; sign -1 takes it out again (a later one of its key replaces it). Offsets only widen."""
        places = layout.places[pane.kind]
        at: list[int] = []
        counts: list[int] = []
        for histogram in pane.histograms:
            if histogram.name in places:
                first = places[histogram.name][0]
                at.extend([first + b for b in histogram.bins])
                counts.extend(histogram.counts)
        target = self.features if pane.kind == FEATURES else self.labels
        target[at] += sign * np.asarray(counts, np.int64)
        if pane.kind == FEATURES:
            self.predictions += sign * pane.counts.get("predictions", 0)
        else:
            self.labelled[pane.bucket] += sign * pane.counts.get("labelled", 0)
            for name in layout.sums:
                value = Fraction(pane.sums.get(name, 0.0))
                self.sums[name] = self.sums[name] + value if sign > 0 else self.sums[name] - value
        if sign > 0:
            self.widen("predictions", pane.partition, pane.predictions_first_offset, pane.predictions_last_offset)
            self.widen("ground-truth", pane.partition, pane.truths_first_offset, pane.truths_last_offset)

    def widen(self, topic: str, partition: int, first: int, last: int) -> None:
        """Source offsets first..last of a partition stand behind these sums; below 0: none."""
        if first < 0 or last < 0:
            return
        known = self.offsets.get((topic, partition))
        if known is not None:
            first, last = min(first, known[0]), max(last, known[1])
        self.offsets[topic, partition] = (first, last)


@dataclass(frozen=True, slots=True)
class Total:
    """Sums over several panes, rounded once."""

    features: Counts
    labels: Counts
    labelled: int
    predictions: int
    sums: dict[str, float]
    offsets: tuple[OffsetRange, ...]


def ranges(panes: Iterable[PaneSums]) -> tuple[OffsetRange, ...]:
    """The source offsets that stand behind these sums, by topic and partition."""
    found: dict[tuple[str, int], tuple[int, int]] = {}
    for pane in panes:
        for place, (first, last) in pane.offsets.items():
            known = found.get(place, (first, last))
            found[place] = (min(first, known[0]), max(last, known[1]))
    return tuple([OffsetRange(topic, partition, *found[topic, partition]) for topic, partition in sorted(found)])


def total(layout: Layout, panes: Iterable[PaneSums]) -> Total:
    """Add panes up."""
    all_of_them = list(panes)
    features, labels = np.zeros(layout.sizes[FEATURES], np.int64), np.zeros(layout.sizes[LABELS], np.int64)
    for pane in all_of_them:
        features += pane.features
        labels += pane.labels
    return Total(
        features,
        labels,
        sum(sum(pane.labelled) for pane in all_of_them),
        sum(pane.predictions for pane in all_of_them),
        {name: float(sum(pane.sums[name] for pane in all_of_them)) for name in layout.sums},
        ranges(all_of_them),
    )


def _places(sizes: dict[str, int]) -> dict[str, tuple[int, int]]:
    found, at = {}, 0
    for name, size in sizes.items():
        found[name] = (at, size)
        at += size
    return found
