"""A worker process around the toy fold: ``toy_worker.py SETTINGS-AS-JSON FAULTS-AS-JSON``.

Faults: ``slow_seconds`` each absorb takes; ``commits_most``: every transaction behind so many stays open, with its
records written, until there is a file ``gate`` (without one: for ever); ``abort``: the ordinals of transactions that
meet an abortable error; ``lose``: ordinals of batches that get lost between the fetch and the fold;
``restores_in_vain``: a state is being read until nobody wants it any more; ``always_due``: every record is an output,
at once, and nothing else makes a checkpoint; ``late_assignment``: a rebalance gives it its partitions once more when
it has just left them; ``forget_topics``: the first assignment is made as by a leader whom a broker that is just
coming back has not told of the topics; ``looks_away_until`` there is this file: sources that are gone are not seen.

Its own time limits are a patient operator's: how soon it drains is a benchmark's affair, not a test's. And it asks
the group for news twice a second, however long its session: who joins need not wait for a heartbeat.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from confluent_kafka import KafkaError, KafkaException
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import SourceRecords
from driftloop.streams.transport import run as running
from driftloop.streams.transport.exits import log
from driftloop.streams.transport.fetching import consumer, stepping
from driftloop.streams.transport.partitions import Partitions
from driftloop.streams.transport.state import checkpoints
from driftloop.streams.transport.state.bring_up import Restorer
from driftloop.streams.transport.state.loader import Loader
from driftloop.streams.transport.state.writer import Writer
from toy import ToyFold, service

never = threading.Event()


def install(faults: dict[str, Any]) -> None:
    def there(file: str) -> bool:
        return file in faults and Path(faults[file]).exists()

    transactions, batches = itertools.count(), itertools.count()
    plain_absorb, plain_take, plain_restore = ToyFold.absorb, Partitions.take, Restorer.restore

    def before_commit(_writer: Writer) -> None:
        ordinal = next(transactions)
        while ordinal >= faults.get("commits_most", math.inf) and not there("gate"):
            never.wait(0.01)
        if ordinal in faults.get("abort", ()):
            raise KafkaException(KafkaError(KafkaError._INCONSISTENT, "injected", False, False, True))

    def absorb(fold: ToyFold, records: SourceRecords) -> None:
        if len(records):
            never.wait(faults.get("slow_seconds", 0))
        plain_absorb(fold, records)
        if faults.get("tell_apart") and not any(fold.lags):
            log.info("partition %d: at most %d apart", fold.partition, fold.apart_most)

    def take(partitions: Partitions, batch: object) -> None:
        if next(batches) not in faults.get("lose", ()):
            plain_take(partitions, batch)

    def restore(
        restorer: Restorer, partition: int, writer: Writer, ids: Any, wanted: Callable[[], bool], *asked: Any
    ) -> object:
        log.info("restoring partition %d", partition)
        while faults.get("restores_in_vain") and wanted():
            never.wait(0.01)
        return plain_restore(restorer, partition, writer, ids, wanted, *asked)

    def assign(_cls: type, cluster: ClusterMetadata, members: dict[str, object]) -> object:
        if faults.pop("forget_topics", False):
            cluster._partitions.clear()
        return plain_assign(cluster, members)

    async def close(partitions: Partitions) -> None:
        tps = [tp for part in partitions.all() for tp in part.tps]
        await plain_close(partitions)
        if faults.get("late_assignment"):
            partitions.assigned(tps)
            await asyncio.sleep(1.0)  # the time in which the process still goes on

    async def sources_lost(loader: Loader) -> str:
        return "" if faults.get("looks_away_until") and not there("looks_away_until") else await plain_lost(loader)

    def build_app(*told: Any) -> Any:
        app = plain_build(*told)
        app.conf.broker_heartbeat_interval = 0.5
        return app

    plain_build, running.build_app = running.build_app, build_app
    plain_lost, Loader._sources_lost = Loader._sources_lost, sources_lost
    plain_close, Partitions.close = Partitions.close, close
    plain_assign = RangePartitionAssignor.assign
    RangePartitionAssignor.assign = classmethod(assign)
    Restorer.restore = restore
    running.DRAIN_SECONDS, running.THREADS_SECONDS, consumer.FINAL_COMMIT_SECONDS = 120.0, 60.0, 30.0
    stepping.PATIENCE_SECONDS = math.inf
    if faults.get("always_due"):
        checkpoints.EVERY_SECONDS = math.inf
    Writer.before_commit, ToyFold.absorb, Partitions.take = before_commit, absorb, take


if __name__ == "__main__":
    told, faults = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    install(faults)
    sys.exit(running.run(service(bool(faults.get("always_due")), int(faults.get("step", 0))), Settings(**told)))
