"""Panes add up: the partial sums of one pane of event time, over source partitions and delay buckets.

Everything is exact, so that order never matters and a correction can be taken out again: counts are whole numbers,
sums of doubles are exact too (exact.py), and rounded once, when they are read.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import OffsetRange, Pane
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.exact import exact, rounded
from driftloop.streams.judge.inputs.vectors import VectorLayout
from driftloop.streams.judge.metrics import tasks
from driftloop.streams.judge.metrics.value import VALUE
from numpy.typing import NDArray

FEATURES, LABELS, COUNTERS, PAIRED = "features", "labels", "counters", "paired"
CONFUSION = "confusion"
Counts = NDArray[np.int64]
NO_VECTORS: Counts = np.empty(0, np.int64)
NO_EMBEDDINGS = VectorLayout()


class Layout:
    """Where each histogram of a specification's panes lies in one flat array, by kind of pane.

    ``segment``: of panes of its segments, of which less is read."""

    def __init__(self, specification: MonitorSpecification, segment: bool = False) -> None:
        watched = (*specification.features, *specification.vectors)
        features = {f"feature:{f.name}": f.bins for f in watched if f.bins}
        head = {"score": tasks.score_bins(specification)}
        self.places = {
            FEATURES: _places({} if segment else features | head),
            LABELS: _places(tasks.label_histograms(specification, segment)),
        }
        names = () if segment else (f"feature:{f.name}" for f in specification.features if f.bins)
        self._features = {name.partition(":")[2]: self._span(FEATURES, name) for name in names}
        self.sums = tasks.label_sums(specification)
        self.counts = tasks.counts_read(specification)
        self.decisions = tasks.decision_codes(specification)
        self.classes = len(specification.classes)
        self.sizes = {kind: sum(size for _, size in places.values()) for kind, places in self.places.items()}
        self.buckets = len(specification.delay_edges_seconds)
        self.vectors = NO_EMBEDDINGS if segment or not specification.vectors else VectorLayout(specification)

    def read(self, kind: str, counts: Counts, name: str) -> Counts:
        """One histogram out of the flat array."""
        start, size = self.places[kind][name]
        return counts[start : start + size]

    def read_features(self, counts: Counts) -> dict[str, Counts]:
        """The histograms of the features whose bins are known, by name of the feature."""
        return {name: counts[span] for name, span in self._features.items()}

    def read_all(self, kind: str, counts: Counts) -> dict[str, Counts]:
        """Every histogram of the flat array, by name."""
        return {name: counts[start : start + size] for name, (start, size) in self.places[kind].items()}

    def _span(self, kind: str, name: str) -> slice:
        start, size = self.places[kind][name]
        return slice(start, start + size)

    def check(self, pane: Pane) -> None:
        """Errors: BadRecord ``wrong-bins``: it cannot be a pane of this specification."""
        places = self.places.get(pane.kind, {})
        for name, bins, _ in pane.histograms:
            if name in places and bins and bins[-1] >= places[name][1]:
                raise BadRecord(
                    "wrong-bins",
                    f"a pane of {pane.model} has bin {bins[-1]} of {name}; "
                    f"specification {pane.spec} has {places[name][1]} bins",
                )
        if not all(map(math.isfinite, pane.sums.values())):
            raise BadRecord("wrong-sums", f"a pane of {pane.model} has a sum that is no finite number: {pane.sums}")
        self.vectors.check(pane)
        if pane.kind == LABELS and not 0 <= pane.bucket < self.buckets:
            raise BadRecord("wrong-bins", f"a pane of {pane.model} has delay bucket {pane.bucket} of {self.buckets}")


@dataclass(slots=True)
class PaneSums:
    """Sums of one (version, role, specification, pane of event time), or of a segment in one window.

    ``labelled``: by delay bucket; ``by_class``: by class and delay bucket. ``decisions``: by code. ``sums``: exact.
    """

    features: Counts
    labels: Counts
    labelled: list[int]
    by_class: Counts
    decisions: Counts
    predictions: int = 0
    sums: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    offsets: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    vectors: Counts = field(default_factory=lambda: NO_VECTORS)

    @classmethod
    def empty(cls, layout: Layout) -> PaneSums:
        features, labels = (np.zeros(layout.sizes[kind], np.int64) for kind in (FEATURES, LABELS))
        by_class, decisions = (
            np.zeros((layout.classes, layout.buckets), np.int64),
            np.zeros(layout.decisions, np.int64),
        )
        sums = dict.fromkeys(layout.sums, 0)
        vectors = np.zeros(len(layout.vectors), np.int64)
        return cls(features, labels, [0] * layout.buckets, by_class, decisions, 0, sums, vectors=vectors)

    def add(self, layout: Layout, panes: Sequence[Pane], sign: int = 1) -> None:
        """Count panes of one kind and delay bucket in, their bins in one pass; sign -1 takes them out again (a later
        one of the same key replaces it). Offsets only widen."""
        if panes[0].kind == FEATURES:
            target = self.features
            self._decided(layout, panes, sign)
        else:
            target = self.labels
            self._happened(layout, panes, sign)
        at, counts = _placed(layout.places[panes[0].kind], panes)
        np.add.at(target, at, counts if sign > 0 else -counts)
        for pane in panes:
            for name in layout.counts:
                if name in pane.counts:
                    self.counts[name] = self.counts.get(name, 0) + sign * pane.counts[name]
            if sign > 0:
                self.widen("predictions", pane.partition, pane.predictions_first_offset, pane.predictions_last_offset)
                self.widen("ground-truth", pane.partition, pane.truths_first_offset, pane.truths_last_offset)

    def _decided(self, layout: Layout, panes: Sequence[Pane], sign: int) -> None:
        """What is known of predictions alone."""
        decisions = self.decisions
        for pane in panes:
            self.predictions += sign * pane.counts.get("predictions", 0)
            if len(self.vectors):
                self.vectors += sign * layout.vectors.whole(pane.sums)
            for name, bins, counts in pane.histograms:
                if name == "predicted" and bins and bins[-1] < len(decisions):
                    for bin_, count in zip(bins, counts, strict=True):
                        decisions[bin_] += sign * count

    def _happened(self, layout: Layout, panes: Sequence[Pane], sign: int) -> None:
        """What comes with labels. By class and delay: rows of the confusion matrix, the last of which is no class."""
        bucket, by_class = panes[0].bucket, self.by_class
        for pane in panes:
            self.labelled[bucket] += sign * pane.counts.get("labelled", 0)
            for name in layout.sums:
                self.sums[name] += sign * _summed(pane, name)
            for name, bins, counts in pane.histograms:
                if name == CONFUSION:
                    for bin_, count in zip(bins, counts, strict=True):
                        if (label := bin_ // (layout.classes + 1)) < layout.classes:
                            by_class[label, bucket] += sign * count

    def sum_of(self, name: str) -> float:
        """One of ``sums``, rounded."""
        return rounded(self.sums.get(name, 0))

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
    by_class: Counts
    decisions: Counts
    counts: dict[str, int]
    vectors: Counts


def ranges(panes: Iterable[PaneSums]) -> tuple[OffsetRange, ...]:
    """The source offsets that stand behind these sums, by topic and partition."""
    found: dict[tuple[str, int], tuple[int, int]] = {}
    for pane in panes:
        if not found:  # as where a window is one pane
            found = dict(pane.offsets)
            continue
        for place, (first, last) in pane.offsets.items():
            known = found.get(place, (first, last))
            found[place] = (min(first, known[0]), max(last, known[1]))
    return tuple([OffsetRange(*place, *span) for place, span in sorted(found.items())])


def total(layout: Layout, panes: Iterable[PaneSums]) -> Total:
    """Add panes up."""
    own, counts = list(panes) or [PaneSums.empty(layout)], dict.fromkeys(layout.counts, 0)
    for pane in own:
        for name, count in pane.counts.items():
            counts[name] += count
    return Total(
        _added([pane.features for pane in own]),
        _added([pane.labels for pane in own]),
        sum(sum(pane.labelled) for pane in own),
        sum(pane.predictions for pane in own),
        {name: rounded(sum(pane.sums[name] for pane in own)) for name in layout.sums},
        ranges(own),
        _added([pane.by_class for pane in own]),
        _added([pane.decisions for pane in own]),
        counts,
        _added([pane.vectors for pane in own]),
    )


def _added(parts: list[Counts]) -> Counts:
    """A new array."""
    found = parts[0].copy()
    for part in parts[1:]:
        found += part
    return found


def _summed(pane: Pane, name: str) -> int:
    """A sum of a pane, exact; of values over all cells of the confusion matrix."""
    if name != VALUE:
        return exact(pane.sums.get(name, 0.0))
    return sum(exact(v) for n, v in pane.sums.items() if n.split(":")[0] == VALUE)


def _placed(places: Mapping[str, tuple[int, int]], panes: Sequence[Pane]) -> tuple[Counts, Counts]:
    """Where in the flat array, and how many, of every histogram that is read."""
    bins: list[int] = []
    counts: list[int] = []
    firsts, lengths = [], []
    for pane in panes:
        for name, its_bins, its_counts in pane.histograms:
            if name in places:
                bins += its_bins
                counts += its_counts
                firsts.append(places[name][0])
                lengths.append(len(its_bins))
    return _whole(bins) + _whole(firsts).repeat(lengths), _whole(counts)


def _whole(numbers: list[int]) -> Counts:
    """An array of them, not to be written to: ``np.array``, which looks at the type of each, takes five times as
    long, and a year of panes has half a million bins."""
    return np.frombuffer(struct.pack(f"={len(numbers)}q", *numbers), np.int64)


def _places(sizes: dict[str, int]) -> dict[str, tuple[int, int]]:
    found, at = {}, 0
    for name, size in sizes.items():
        found[name] = (at, size)
        at += size
    return found
