"""A specification that is applied to a model in one partition, with its open panes."""

from __future__ import annotations

from collections.abc import Hashable
from weakref import WeakValueDictionary

from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.observer.join import paired
from driftloop.streams.observer.panes.embeddings import EmbeddingSketch
from driftloop.streams.observer.panes.panes import Panes
from driftloop.streams.observer.panes.segments import SegmentPanes, Segments
from driftloop.streams.observer.panes.sketch import FeatureSketch
from driftloop.streams.observer.panes.table import Tables
from driftloop.streams.observer.panes.tasks import task_of
from driftloop.streams.observer.time import Clock


class _Sketches:
    """What follows from a specification alone: of a hundred models in twelve partitions made once a model."""

    def __init__(self, spec: MonitorSpecification) -> None:
        self.clock = Clock.of(spec)
        self.task = task_of(spec)
        self.sketch = FeatureSketch(spec, self.task)
        self.embeddings = EmbeddingSketch(spec, self.sketch.layout)


_MADE: WeakValueDictionary[str, _Sketches] = WeakValueDictionary()
"""By the name of the specification, as long as an edition has it."""


def _sketches(spec: MonitorSpecification) -> _Sketches:
    found = _MADE.get(spec.spec)
    if found is None:
        found = _MADE[spec.spec] = _Sketches(spec)
    return found


class Edition:
    """``panes`` by the name of their state records. ``features_key``, ``labels_key``: rows of editions of which they
    are equal can be folded in one pass (together.py)."""

    def __init__(self, spec: MonitorSpecification, tables: Tables, first_revision: int = 0) -> None:
        self.spec = spec
        self._shared = shared = _sketches(spec)
        self.clock, self.task = shared.clock, shared.task
        self.sketch, self.embeddings = shared.sketch, shared.embeddings
        layout, sums = self.sketch.layout, len(self.embeddings.units)
        self.features = Panes("features", layout, self.clock, tables.of(layout.width, sums))
        layout, sums = self.task.layout, len(self.task.units)
        self.labels = Panes("labels", layout, self.clock, tables.of(layout.width, sums))
        self.segments = Segments(spec)
        self.paired = paired.PairedPanes(self.clock)
        self.panes = {"features": self.features, "labels": self.labels, paired.KIND: self.paired}
        if self.segments:
            self.feature_segments = SegmentPanes("features", self.sketch.head, 0, self.clock, self.segments)
            self.label_segments = SegmentPanes("labels", layout, sums, self.clock, self.segments)
            self.panes |= {"features of segments": self.feature_segments, "labels of segments": self.label_segments}
        for panes in self.panes.values():
            panes.first_revision = first_revision
        alone = id(self) if self.segments or self.embeddings else 0
        columns = spec.has_bins, len(spec.numeric), len(spec.categorical)
        self.features_key: Hashable = (alone, self.clock, id(self.task), columns, id(self.features.table))
        self.labels_key: Hashable = (alone, self.clock, id(self.task))
