"""The observer itself under the protocol: a world of the core goes through broker, group and workers, and what a
reader with read_committed finds in the end is held against the same oracle."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.events import MonitorApplied, Progress
from driftloop.streams.fold import Output
from driftloop.streams.observer.service import SERVICE

from .core_check import Read, as_known, counted, counters, dead_letters, emissions, ordered, progress
from .core_oracle import Expected
from .core_world import CoreWorld, Item, make_world
from .kafka import Broker

if TYPE_CHECKING:
    from .cluster import Cluster

PREDICTIONS_MOST = 30
service = SERVICE


def exact_world(seed: int) -> CoreWorld:
    """The first world from ``seed`` on in which every number is a function of the logs."""
    while not (world := make_world(seed, PREDICTIONS_MOST)).exact or world.changes:
        seed += 100_003
    return world


class Observed:
    """``logs``: what the broker gave each record for an offset."""

    def __init__(self, world: CoreWorld) -> None:
        self.world = world
        self.partitions = len(world.logs)
        self.logs: list[tuple[list[tuple[int, Item]], list[tuple[int, Item]]]] = [([], []) for _ in world.logs]
        self.catalogue = Catalogue()
        for at, spec in enumerate(world.specifications):
            event = encode(MonitorApplied(spec.model, spec.spec, spec.to_json()))
            self.catalogue.absorb("monitors", at, spec.model.encode(), event)

    async def feed(self, cluster: Cluster) -> None:
        """The world's records, a few at a time, some in transactions, with aborted ones in between."""
        rng, broker = cluster.rng, cluster.broker
        broker.stamp_ms = self.world.stamp_ms
        left = [(p, s, list(log)) for p, logs in enumerate(self.world.logs) for s, log in enumerate(logs)]
        while left := [one for one in left if one[2]]:
            partition, source, items = rng.choice(left)
            count = rng.choice((1, 3, 20))
            some, items[:count] = items[:count], []
            self._write(rng, cluster, partition, source, [item for _, item in some])
            if rng.random() < 0.3:
                await asyncio.sleep(rng.uniform(0, cluster.plan.seconds / 8))

    def _write(self, rng: random.Random, cluster: Cluster, partition: int, source: int, items: list[Item]) -> None:
        topic, broker = cluster.sources[source], cluster.broker
        if rng.random() < 0.1:
            broker.write_in_transaction(topic, partition, [(b"k", b"never")], committed=False)
        records = [item.record(self.world) for item in items]
        first = broker.log(topic, partition).end
        if rng.random() < 0.3:
            broker.write_in_transaction(topic, partition, records, committed=True)
        else:
            for key, value in records:
                broker.write(topic, partition, key, value)
        self.logs[partition][source].extend((first + i, item) for i, item in enumerate(items))

    def judge(self, cluster: Cluster) -> list[str]:
        live = {spec.model: spec for spec in self.world.specifications}
        told = CoreWorld(self.world.seed, self.world.specifications, self.logs)
        found = []
        for partition, logs in enumerate(self.logs):
            read = Read([self._written(cluster.broker, cluster.settings.topic, partition)])
            expected = Expected(told, partition, ([live] * len(logs[0]), [live] * len(logs[1])))
            cluster.counts["outputs"] += len(read.told)
            run: Any = SimpleNamespace(world=told, known={partition: [live]})
            if cluster.was_reset:
                found += [f"partition {partition}: {s}" for s in after_reset(read, expected)]
                continue
            wrong = [*ordered(read), *dead_letters(read, expected), *emissions(read, expected)]
            wrong += [*counters(read, expected), *as_known(run, read, expected)]
            wrong += progress(run, partition, read, expected)
            found += [f"partition {partition}: {sentence}" for sentence in wrong]
        return found

    @staticmethod
    def _written(broker: Broker, topic: Any, partition: int) -> list[Output]:
        """What one source partition has written: its panes and its Progress (once), and its dead letters."""
        found = []
        for record in broker.log(topic("panes"), 0).committed(0):
            event: Any = decode(record.value)
            if event.partition == partition and (record.key is not None or isinstance(event, Progress)):
                found.append(Output("t.panes.v1", record.key, record.value, 0, record.headers))
        for log_partition in range(64):
            for record in broker.log(topic("dead-letter"), log_partition).committed(0):
                if dict(record.headers)["__connect.errors.partition"] == b"%d" % partition:
                    found.append(Output("t.dead-letter.v1", record.key, record.value, 0, record.headers))
        return found


def after_reset(read: Read, expected: Expected) -> Iterator[str]:
    """What was told anew has higher revisions, and in the end the numbers are as if nothing had been."""
    if read.dead != expected.dead:
        yield f"dead letters: too many {read.dead - expected.dead}, missing {expected.dead - read.dead}"
    for key in sorted(read.panes.keys() | expected.emissions.keys()):
        panes, wanted = read.panes.get(key, []), expected.emissions.get(key, [])
        revisions = [pane.revision for pane in panes]
        if revisions != sorted(set(revisions)):
            yield f"{key}: revisions {revisions}"
        if not panes or not wanted or counted(panes[-1]) != wanted[-1].counts:
            yield f"{key}: {counted(panes[-1]) if panes else None}, not {wanted[-1].counts if wanted else None}"
    for model in sorted(read.counters.keys() | expected.counters.keys()):
        last = [+Counter(pane.counts) for pane in read.counters.get(model, [])[-1:]]
        if last != [total for _, total in expected.counters.get(model, [])[-1:]]:
            yield f"counters of {model}: {last}, not {expected.counters.get(model, [])[-1:]}"
