"""Declared segments of a window, each with its own metrics; which of them are judged.

At most ``SEGMENTS_MOST``, so that a window stays below some 40 kB and the judge's memory is bounded: first the most
frequent combination of every segmentation, then the second of every one, and so on, "other" behind the known ones.
What is beyond that is passed over, and the window says how many (``segments_omitted``).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, zip_longest

from driftloop.schemas.events import SegmentMeasured
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.metrics import tasks
from driftloop.streams.judge.metrics.tasks import Measured
from driftloop.streams.judge.sums import LABELS, Layout, PaneSums

SEGMENTS_MOST = 64


def declared(specification: MonitorSpecification) -> list[tuple[str, ...]]:
    """Names of the segments of each segmentation whose combinations are known."""
    return [s.segments for s in specification.segments if s.values is not None]


def judged(specification: MonitorSpecification) -> tuple[str, ...]:
    """The segments that are judged, segmentation by segmentation."""
    by_segmentation = declared(specification)
    first = [name for name in chain(*zip_longest(*by_segmentation)) if name is not None][:SEGMENTS_MOST]
    chosen = set(first)
    return tuple(name for names in by_segmentation for name in names if name in chosen)


def omitted(specification: MonitorSpecification) -> int:
    """How many are not."""
    return max(0, sum(map(len, declared(specification))) - SEGMENTS_MOST)


def measure(
    specification: MonitorSpecification, layout: Layout, names: tuple[str, ...], found: Mapping[str, PaneSums]
) -> tuple[SegmentMeasured, ...]:
    """The segments that have predictions, in the order of ``names``."""
    return tuple(
        SegmentMeasured(
            name,
            found[name].predictions,
            sum(found[name].labelled),
            dict(tasks.performance(specification, measured(layout, found[name]))),
        )
        for name in names
        if name in found and found[name].predictions
    )


def measured(layout: Layout, sums: PaneSums) -> Measured:
    """What metrics are made of, of one segment."""
    rounded = {name: sums.sum_of(name) for name in sums.sums}
    return Measured(layout.read_all(LABELS, sums.labels), rounded, sums.counts, sums.decisions)
