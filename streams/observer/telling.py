"""From sums at rest to the events and records of the panes topic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

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


PaneT = TypeVar("PaneT", PlainPane, Pane)


class Form(NamedTuple, Generic[PaneT]):
    """What is made of a pane, and of its histograms' numbers: ``many`` of an array, ``one`` of a single one."""

    many: Callable[[NDArray[Any]], Sequence[Any]]
    one: Callable[[int], Any]
    histogram: Callable[..., Any]
    pane: Callable[..., PaneT]


def _as_they_are(numbers: NDArray[Any]) -> tuple[int, ...]:
    return tuple(numbers.tolist())


RECORD = Form(longs, long_of, PlainBins, PlainPane)
"""What ``pane_output`` writes."""
EVENT = Form(_as_they_are, int, Bins, Pane)
"""The event that the record holds, for a replay, which hands it over. Made of a PlainPane it took as long again."""


def pane_of(fold: ModelFold, told: Told, partition: int, form: Form[PaneT]) -> PaneT:
    """A pane that is due."""
    edition, kind = told.edition, told.panes.kind
    key, total = told.pane.key, told.pane.total
    seat, segment, against = key.seat, "", ""
    if isinstance(told.panes, SegmentPanes):
        seat, segment = told.panes.place_of(key)
    elif isinstance(told.panes, paired.PairedPanes):
        seat, champion = told.panes.place_of(key)
        against = fold.seats.names[champion][0]
    version, role = fold.seats.names[seat]
    counts, histograms = _split(told.panes.layout, total, form)
    sums: dict[str, float] = {}
    if kind == "features":
        counts |= edition.sketch.derived_counts(total.columns, total.counts)
        if not segment:
            sums = edition.embeddings.told(total.sums)
    else:
        counts["unlabelled"] = counts["pairs"] - counts.get("labelled", 0)
        sums = told_sums(paired.UNITS if kind == paired.KIND else edition.task.units, total.sums)
        histograms.append(form.histogram("delay", (form.one(key.bucket),), (form.one(counts["pairs"]),)))
    return form.pane(
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
        tuple(histograms),
        segment,
        against,
    )


def counters_of(fold: ModelFold, due: float, totals: dict[str, int], partition: int, form: Form[PaneT]) -> PaneT:
    """The counters as of an instant."""
    spec = fold.edition.spec
    start = due - spec.pane_seconds
    place = (start, spec.pane_seconds, partition, "counters", -1, due, 0)
    return form.pane(fold.model, "", "", spec.spec, *place, *NOWHERE, totals, {}, (), "", "")


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


def _split(layout: Layout, total: Sums, form: Form[Any]) -> tuple[dict[str, int], list[Any]]:
    """(counts by name, histograms) out of the flat columns."""
    ends = total.columns.searchsorted(layout.ends).tolist()
    bins, counts_there = form.many(layout.bins.take(total.columns)), form.many(total.counts)
    counts: dict[str, int] = {}
    histograms: list[Any] = []
    start = 0
    for (name, _, _, is_count), end in zip(layout.blocks, ends, strict=True):
        if end > start:
            if is_count:
                counts[name] = int(total.counts[start])
            else:
                histograms.append(form.histogram(name, bins[start:end], counts_there[start:end]))
            start = end
    return counts, histograms
