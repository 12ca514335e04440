"""Drives the observer's folds through a world: random cuts, interleavings, collects, crashes, new specifications."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import encode
from driftloop.schemas.events import MonitorApplied
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.fold import FoldContext, Output, SourceRecords
from driftloop.streams.observer import fold
from driftloop.streams.observer.fold import ObserverFold
from driftloop.streams.observer.join import rows
from driftloop.streams.observer.panes import panes
from driftloop.streams.observer.recovery import state

from .core_oracle import Live
from .core_world import CoreWorld

SHORT = ("predictions", "ground-truth")


@contextmanager
def small_structures(rng: random.Random) -> Iterator[None]:
    """Segments, parts and gatherings so small that they fill, merge and die within a small world; both ways of
    grouping rows."""
    segment = rng.choice((8, 16, 64))
    wanted = {
        (rows, "SEGMENT_ROWS"): segment,
        (state, "SEGMENT_ROWS"): segment,
        (state, "PARTS_MOST"): rng.choice((2, 4)),
        (fold, "ROWS_GATHERED_MOST"): rng.choice((1, 20, 8_192)),
        (panes, "FEW"): rng.choice((0, 100)),
        (rows, "FEW"): rng.choice((0, 100)),
    }
    before = {(module, name): getattr(module, name) for module, name in wanted}
    for (module, name), value in wanted.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name), value in before.items():
            setattr(module, name, value)


@dataclass(frozen=True)
class Habits:
    """How this run reads: sizes of its batches, how often it prefers the source it read last, how often it collects
    and crashes."""

    batches: tuple[int, ...]
    loyalty: float
    collect: float
    crash: float
    obeys_due: bool

    @classmethod
    def of(cls, rng: random.Random) -> Habits:
        batches = rng.choice(((1,), (1, 2, 5), (1, 30), (10_000,), (3, 40)))
        habits = (rng.choice((0.0, 0.5, 0.97)), rng.choice((0.05, 0.3, 0.8)), rng.choice((0.0, 0.1, 0.3)))
        return cls(batches, *habits, rng.random() < 0.5)


class WatchedFold(ObserverFold):
    """Calls ``note(source, records)`` when it has read some of a topic for good: what is live then was live for every
    one of them, for a batch during which the catalogue was refreshed has been read once more, whole. The batch of the
    other topic that waited beside it was read before, under what was live until then."""

    note: Callable[[int, int], None]

    def _read(self, source: int, records: SourceRecords) -> None:
        super()._read(source, records)
        self.note(source, len(records))


class CoreRun:
    """``written[partition]``: the outputs of each collect that was committed. ``seen[partition][source]``: what was
    live when each record was read for good; ``known[partition]``: at each of these collects. ``state`` is all that a
    crash leaves."""

    def __init__(self, world: CoreWorld, seed: int) -> None:
        self.world, self.rng = world, random.Random(seed)
        self.habits = Habits.of(self.rng)
        parts = range(len(world.logs))
        self.records = [[[item.record(world) for _, item in log] for log in logs] for logs in world.logs]
        self.catalogue = Catalogue()
        self.live: Live = {}
        self.unread = list(world.specifications)
        self.changes = list(world.changes)
        self.context = FoldContext(self.catalogue, self.read_catalogue, len(world.logs), lambda s: f"t.{s}.v1")
        self.state: list[dict[bytes, bytes]] = [{} for _ in parts]
        self.saved = [[0, 0] for _ in parts]
        self.done = [[0, 0] for _ in parts]
        self.seen: list[tuple[list[Live], list[Live]]] = [([], []) for _ in parts]
        self.written: list[list[list[Output]]] = [[] for _ in parts]
        self.known: list[list[Live]] = [[] for _ in parts]
        self.folds: list[ObserverFold] = []
        self.crashes = self.collects = 0
        self.rows_seen_most = 0
        self.read_catalogue()
        self.folds = [self.restored(partition) for partition in parts]

    def read_catalogue(self) -> None:
        """Everything that has been published by now."""
        while self.unread:
            spec = self.unread.pop(0)
            event = encode(MonitorApplied(spec.model, spec.spec, spec.to_json()))
            self.catalogue.absorb("monitors", len(self.catalogue.models()) + 10, spec.model.encode(), event)
            self.live = self.live | {spec.model: spec}

    def publish(self) -> MonitorSpecification:
        spec = self.changes.pop(0)
        self.unread.append(spec)
        return spec

    def restored(self, partition: int) -> ObserverFold:
        """The fold as it was at its last collect; of what it read since, nothing is known."""
        self.done[partition] = list(self.saved[partition])
        for source in (0, 1):
            del self.seen[partition][source][self.done[partition][source] :]
        bound = {} if self.world.rows_most is None else {"rows_most": self.world.rows_most}
        fold = WatchedFold(partition, dict(self.state[partition]), self.context, **bound)
        fold.note = lambda source, records: self.seen[partition][source].extend([self.live] * records)
        return fold

    def crash(self) -> None:
        """One partition, as after an aborted transaction, or the process."""
        self.crashes += 1
        if self.rng.random() < 0.5:
            partition = self.rng.randrange(len(self.folds))
            self.folds[partition] = self.restored(partition)
        else:
            self.read_catalogue()
            self.folds = [self.restored(partition) for partition in range(len(self.folds))]

    def deliver(self, partition: int, source: int, count: int) -> None:
        start = self.done[partition][source]
        items = self.records[partition][source]
        end = min(start + count, len(items))
        some, offsets = items[start:end], [offset for offset, _ in self.world.logs[partition][source][start:end]]
        keys, values = [key for key, _ in some], [value for _, value in some]
        stamps, headers = [self.world.stamp_ms] * len(some), [()] * len(some)
        topic = f"t.{SHORT[source]}.v1"
        fold = self.folds[partition]
        fold.absorb(SourceRecords(topic, partition, offsets, keys, values, stamps, headers, len(items) - end))
        self.done[partition][source] = end

    def absorbed(self, partition: int, source: int, until: Mapping[str, int]) -> int:
        """How many records of a topic a checkpoint has taken: all that were delivered, or those up to an offset."""
        log = self.world.logs[partition][source][: self.done[partition][source]]
        last = until.get(f"t.{SHORT[source]}.v1", math.inf)
        return sum(offset <= last for offset, _ in log)

    def collect(self, partition: int) -> None:
        self.collects += 1
        changes = self.folds[partition].collect()
        for key, value in changes.state.items():
            assert not key.startswith(b"header"), "a key of the transport's"
            if value is None:
                self.state[partition].pop(key, None)
            else:
                self.state[partition][key] = value
        self.written[partition].append(list(changes.outputs))
        self.known[partition].append(self.live)
        self.saved[partition] = [self.absorbed(partition, source, changes.absorbed) for source in (0, 1)]
        assert self.saved[partition] == list(map(len, self.seen[partition])), "taken is what was read, and no more"
        rows = sum(len(rows) for pool in self.folds[partition].pools for rows in pool.stores())
        self.rows_seen_most = max(self.rows_seen_most, rows)

    def unfinished(self) -> list[tuple[int, int]]:
        return [
            (partition, source)
            for partition, logs in enumerate(self.records)
            for source in (0, 1)
            if self.done[partition][source] < len(logs[source])
        ]

    def run(self) -> CoreRun:
        """Everything read and collected."""
        rng, habits, last = self.rng, self.habits, (0, 0)
        total = 2 * self.world.records() + 20
        while True:
            left = self.unfinished()
            total -= 1
            if not left:
                break
            if self.changes and rng.random() < 0.05:
                self.publish()
            if self.unread and rng.random() < 0.3:
                self.read_catalogue()
            last = last if last in left and rng.random() < habits.loyalty else rng.choice(left)
            self.deliver(*last, rng.choice(habits.batches))
            partition = last[0]
            if total > 0 and rng.random() < habits.crash:
                self.crash()
            elif rng.random() < habits.collect or (habits.obeys_due and self.folds[partition].due):
                self.collect(partition)
        for partition in range(len(self.folds)):
            self.collect(partition)
        return self
