"""From sums at rest to the events and records of the panes topic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from driftloop.schemas.codec import encode, header_bytes
from driftloop.schemas.events import Bins, Pane, Progress
from driftloop.schemas.headers import SUBJECT, cloud_event_headers, event_id
from driftloop.schemas.pane_bytes import PlainBins, PlainPane, long_of, longs, plain_body
from driftloop.streams.fold import Output
from driftloop.streams.observer.join import paired
from driftloop.streams.observer.model import ModelFold, Told
from driftloop.streams.observer.panes.segments import SegmentPanes
from driftloop.streams.observer.panes.sketch import Layout
from driftloop.streams.observer.panes.table import NOWHERE, Sums
from driftloop.streams.observer.panes.value import told_sums
from numpy.typing import NDArray

SERVICE = "observer"
_PANE_HEADER = header_bytes(Pane)


class Numbers(NamedTuple):
    """What is made of the numbers of histograms: ``many`` of an array, ``one`` of a single one."""

    many: Callable[[NDArray[Any]], list[Any]]
    one: Callable[[int], Any]


WRITTEN = Numbers(longs, long_of)
AS_THEY_ARE = Numbers(np.ndarray.tolist, int)
"""For a replay, which hands events over (``event_of``)."""


def pane_of(fold: ModelFold, told: Told, partition: int, numbers: Numbers = WRITTEN) -> PlainPane:
    """The event for a pane that is due."""
    edition, kind = told.edition, told.panes.kind
    key, total = told.pane.key, told.pane.total
    seat, segment, against = key.seat, "", ""
    if isinstance(told.panes, SegmentPanes):
        seat, segment = told.panes.place_of(key)
    elif isinstance(told.panes, paired.PairedPanes):
        seat, champion = told.panes.place_of(key)
        against = fold.seats.names[champion][0]
    version, role = fold.seats.names[seat]
    counts, histograms = _split(told.panes.layout, total, numbers)
    sums: dict[str, float] = {}
    if kind == "features":
        counts |= edition.sketch.derived_counts(total.columns, total.counts)
        if not segment:
            sums = edition.embeddings.told(total.sums)
    else:
        counts["unlabelled"] = counts["pairs"] - counts.get("labelled", 0)
        sums = told_sums(paired.UNITS if kind == paired.KIND else edition.task.units, total.sums)
        histograms.append(PlainBins("delay", [numbers.one(key.bucket)], [numbers.one(counts["pairs"])]))
    return PlainPane(
        fold.model,
        version,
        role,
        edition.spec.spec,
        edition.clock.start_of(key.pane),
        edition.clock.pane_seconds,
        partition,
        kind,
        key.bucket,
        told.due,
        told.pane.revision,
        *total.span,
        counts,
        sums,
        histograms,
        segment,
        against,
    )


def counters_of(fold: ModelFold, due: float, totals: dict[str, int], partition: int) -> PlainPane:
    """The event for the counters as of an instant."""
    spec = fold.edition.spec
    start = due - spec.pane_seconds
    place = (start, spec.pane_seconds, partition, "counters", -1, due, 0)
    return PlainPane(fold.model, "", "", spec.spec, *place, *NOWHERE, totals, {}, (), "", "")


def event_of(pane: PlainPane) -> Pane:
    """The event that the record of this pane holds; its numbers are as they are."""
    p = pane._asdict()
    numbers: Callable[[Any], tuple[int, ...]] = tuple
    histograms = tuple([Bins(name, numbers(bins), numbers(counts)) for name, bins, counts in pane.histograms])
    return Pane(**p | {"histograms": histograms})


def pane_output(topic: str, pane: PlainPane) -> Output:
    """The record of a pane; a repeat has the same id. That of a segment names it as the CloudEvents subject, so that
    who wants none needs not decode it."""
    p = pane
    name = event_id(
        "pane",
        p.model,
        p.version,
        p.role,
        p.spec,
        p.pane_start,
        p.partition,
        p.kind,
        p.bucket,
        p.emitted_at,
        p.revision,
        *([p.segment, p.against] if p.segment or p.against else []),
    )
    headers = cloud_event_headers("Pane", name, SERVICE, p.emitted_at)
    if p.segment:
        headers.append((SUBJECT, p.segment.encode()))
    return Output(topic, p.model.encode(), _PANE_HEADER + plain_body(p), None, tuple(headers))


def progress_outputs(topic: str, progress: Progress) -> list[Output]:
    """The record of a Progress, once for each partition of the panes topic."""
    p = progress
    name = event_id("progress", p.partition, p.predictions_offset, p.truths_offset, p.caught_up)
    least = min(p.predictions_watermark, p.truths_watermark)
    headers = tuple(cloud_event_headers("Progress", name, SERVICE, least))
    value = encode(p)
    return [Output(topic, None, value, partition, headers) for partition in range(p.partitions)]


def _split(layout: Layout, total: Sums, numbers: Numbers) -> tuple[dict[str, int], list[PlainBins]]:
    """(counts by name, histograms) out of the flat columns."""
    ends = total.columns.searchsorted(layout.ends).tolist()
    bins, counts_there = numbers.many(total.columns - layout.firsts[total.columns]), numbers.many(total.counts)
    counts: dict[str, int] = {}
    histograms: list[PlainBins] = []
    start = 0
    for block, end in zip(layout.blocks, ends, strict=True):
        if end > start:
            if block.is_count:
                counts[block.name] = int(total.counts[start])
            else:
                histograms.append(PlainBins(block.name, bins[start:end], counts_there[start:end]))
            start = end
    return counts, histograms
