"""The observer's fold fed from lists, without a broker: what the arithmetic alone costs.

One partition gets a twelfth of the stream, in batches of one topic, with a checkpoint every 12,500 events, which is
about what a worker does that works off a backlog.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from driftloop.console.monitor import specification_events
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import encode
from driftloop.streams.fold import FoldContext, SourceRecords
from driftloop.streams.observer.fold import SOURCES, ObserverFold, make_fold
from stream import EVENTS_PER_SECOND, MODEL, Record, Stream, make_stream, records, specification_of, with_reference

PARTITIONS = 12
BATCH_RECORDS = 1_000
CHECKPOINT_EVENTS = 12_500


class Cost(NamedTuple):
    """Of folding a stream once. ``outputs`` and ``state``: records written; bytes of both."""

    events: int
    cpu_seconds: float
    panes: int
    output_bytes: int
    state_bytes: int
    store_bytes: int

    @property
    def us_per_event(self) -> float:
        return 1e6 * self.cpu_seconds / self.events


def fold_all(
    stream: Stream, models: Sequence[str] = (MODEL,), truths: bool = True, batch: int = BATCH_RECORDS
) -> Cost:
    """A fresh fold over the whole stream."""
    context = context_of(stream, models)
    batches = list(source_records(records(stream, models, truths), context, batch))
    fold = make_fold(0, {}, context)
    events = since = panes = output_bytes = state_bytes = 0
    start = time.process_time()
    for one in batches:
        fold.absorb(one)
        events, since = events + len(one), since + len(one)
        if since >= CHECKPOINT_EVENTS or one is batches[-1]:
            changes, since = fold.collect(), 0
            panes += len(changes.outputs) - PARTITIONS  # the rest is the progress, once a partition
            output_bytes += sum(len(output.value or b"") for output in changes.outputs)
            state_bytes += sum(len(key) + len(value or b"") for key, value in changes.state.items())
    cpu_seconds = time.process_time() - start
    return Cost(events, cpu_seconds, panes, output_bytes, state_bytes, store_bytes(fold))


def pane_cost_us(pairs: int = 20_000) -> float:
    """From two streams that differ in how many panes their rows are spread over; the least of three runs each."""

    def least(per_second: float) -> Cost:
        stream = make_stream(pairs, per_second=per_second)
        return min((fold_all(stream) for _ in range(3)), key=lambda found: found.cpu_seconds)

    here = EVENTS_PER_SECOND / PARTITIONS
    few, many = least(here), least(here / 8)
    return 1e6 * (many.cpu_seconds - few.cpu_seconds) / (many.panes - few.panes)


def store_bytes(fold: ObserverFold) -> int:
    """Of the arrays of all join stores."""
    return sum(rows.nbytes for pool in fold.pools for rows in pool.stores())


def context_of(stream: Stream, models: Sequence[str]) -> FoldContext:
    """A catalogue with the monitors of the models."""
    catalogue = Catalogue()
    for model in models:
        spec, built = with_reference(specification_of(stream, model), stream)
        for publication in specification_events(spec):
            catalogue.absorb(publication.short, 0, publication.key.encode(), encode(publication.event))
        catalogue.absorb("references", 0, built.reference.encode(), encode(built))
    return FoldContext(catalogue, lambda: None, PARTITIONS, lambda short: f"bench.{short}.v1")


def source_records(found: Iterator[Record], context: FoldContext, batch: int) -> Iterator[SourceRecords]:
    """Batches of one topic each, as they fill."""
    waiting: dict[str, list[Record]] = {short: [] for short in SOURCES}
    offsets = dict.fromkeys(SOURCES, 0)
    now_ms = int(time.time() * 1e3)

    def emptied(short: str) -> SourceRecords:
        rows, waiting[short] = waiting[short], []
        first, offsets[short] = offsets[short], offsets[short] + len(rows)
        numbers = list(range(first, offsets[short]))
        keys, values = [row.key for row in rows], [row.value for row in rows]
        topic, headers = context.topic(short), [()] * len(rows)
        return SourceRecords(topic, 0, numbers, keys, values, [now_ms] * len(rows), headers, 10_000)

    for record in found:
        waiting[record.short].append(record)
        if len(waiting[record.short]) == batch:
            yield emptied(record.short)
    for short in SOURCES:
        if waiting[short]:
            yield emptied(short)
