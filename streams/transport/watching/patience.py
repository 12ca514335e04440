"""While the schema registry is away, records wait: a good one must not become a dead letter because of it.

Nothing behind the waiting batch is taken (back-pressure up to the broker), transactions, heartbeats and SIGTERM go
on, and the partition tells that it is behind, so that nobody takes it for idle.
"""

from __future__ import annotations

import asyncio

from driftloop.schemas.registry import RegistryAway
from driftloop.streams.transport.exits import Exit, leave, log
from driftloop.streams.transport.fetching.batches import RecordBatch, empty_records
from driftloop.streams.transport.partitions import Partitions

REGISTRY_SECONDS_MOST = 30.0
"""Then the worker ends: an operator is told more loudly by that, and whoever restarts it waits again."""
RETRY_SECONDS = 0.5


async def take(partitions: Partitions, batch: RecordBatch, seconds_most: float = REGISTRY_SECONDS_MOST) -> None:
    """``partitions.take``, again and again while the registry is away; then the end of the process, UNAVAILABLE."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds_most
    while True:
        try:
            partitions.take(batch)
        except RegistryAway as error:
            if loop.time() >= deadline:
                leave(Exit.UNAVAILABLE, f"waited {seconds_most:.0f} s with {batch!r}: {error}")
            log.warning("%r waits: %s", batch, error)
        else:
            return
        _tell_behind(partitions, batch)
        await asyncio.sleep(RETRY_SECONDS)


def _tell_behind(partitions: Partitions, batch: RecordBatch) -> None:
    for part in partitions.all():
        part.behind_since.clear()  # none of what waits in the stream is lost
        if part.number == batch.partition and part.ready and not part.gone and part.fold is not None:
            lag = batch.lag + len(batch)
            if part.lag_told[batch.topic] != lag:
                part.fold.absorb(empty_records(batch.topic, part.number, lag))
                part.lag_told[batch.topic] = lag
                part.changed = True
