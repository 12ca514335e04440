"""A worker process around the toy fold: ``toy_worker.py SETTINGS-AS-JSON FAULTS-AS-JSON``.

Faults: ``slow_seconds`` each absorb takes; ``hold_seconds`` inside every open transaction, behind its records;
``abort``: the ordinals of transactions that meet an abortable error; ``lose``: ordinals of batches that get lost
between the fetch and the fold; ``slow_restore_seconds`` each state takes to be read; ``always_due``: every record is
an output, at once; ``late_assignment``: a rebalance gives it its partitions once more when it has just left them;
``forget_topics``: the first assignment is made as by a leader whom a broker that is just coming
back has not told of the topics.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import threading

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from confluent_kafka import KafkaError, KafkaException
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import SourceRecords
from driftloop.streams.transport.exits import log
from driftloop.streams.transport.partitions import Partitions
from driftloop.streams.transport.run import run
from driftloop.streams.transport.state.bring_up import Restorer
from driftloop.streams.transport.state.writer import Writer
from toy import ToyFold, service

never = threading.Event()


def install(faults: dict[str, object]) -> None:
    transactions, batches = itertools.count(), itertools.count()
    plain_absorb, plain_take, plain_restore = ToyFold.absorb, Partitions.take, Restorer.restore

    def before_commit(_writer: Writer) -> None:
        never.wait(faults.get("hold_seconds", 0))
        if next(transactions) in faults.get("abort", ()):
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

    def restore(restorer: Restorer, partition: int, *rest: object) -> object:
        log.info("restoring partition %d", partition)
        never.wait(faults.get("slow_restore_seconds", 0))
        return plain_restore(restorer, partition, *rest)

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

    plain_close, Partitions.close = Partitions.close, close
    plain_assign = RangePartitionAssignor.assign
    RangePartitionAssignor.assign = classmethod(assign)
    Restorer.restore = restore
    Writer.before_commit, ToyFold.absorb, Partitions.take = before_commit, absorb, take


if __name__ == "__main__":
    told, faults = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    install(faults)
    sys.exit(run(service(bool(faults.get("always_due")), int(faults.get("step", 0))), Settings(**told)))
