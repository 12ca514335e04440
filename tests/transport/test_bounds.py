"""Bounded memory: what is not saved yet holds back what comes, by rows and by bytes, until a transaction is done."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from driftloop.streams.transport.fetching.batches import RecordBatch
from driftloop.streams.transport.partition import UNSAVED_BYTES_MOST, UNSAVED_RECORDS_MOST, Partition
from driftloop.streams.transport.partitions import Partitions


def batch(partition: int, *values: bytes | None) -> RecordBatch:
    return RecordBatch("t", partition, [SimpleNamespace(offset=i, value=value) for i, value in enumerate(values)])


def test_a_batch_knows_its_bytes() -> None:
    assert batch(0, b"four", None, b"").value_bytes == 4


async def waits(parts: dict[int, Partition], of: int, through: asyncio.Future[Any]) -> bool:
    """Does a batch of partition ``of`` wait until ``through`` is done?"""
    held = Partitions(SimpleNamespace(expected=None))  # type: ignore[arg-type]
    held._parts = parts
    room = asyncio.ensure_future(held.room_for(batch(of, b"x")))
    for _ in range(3):
        await asyncio.sleep(0)
    waited = not room.done()
    for part in parts.values():
        part.busy = None
    through.set_result(True)
    await asyncio.wait_for(room, 5)
    held.checkpoints.close()
    return waited


def asked(of: int, unsaved_records: int = 0, unsaved_bytes: int = 0, hanging: bool = True) -> bool:
    """Partition 0 of two has so much unsaved and, if ``hanging``, a transaction in flight."""

    async def run() -> bool:
        parts = {n: Partition(n, ["t"], None) for n in (0, 1)}  # type: ignore[arg-type]
        through: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        parts[0].busy = through if hanging else None
        parts[0].unsaved_records, parts[0].unsaved_bytes = unsaved_records, unsaved_bytes
        return await waits(parts, of, through)

    return asyncio.run(run())


def test_too_many_rows_hold_back_their_own_partition() -> None:
    assert asked(of=0, unsaved_records=UNSAVED_RECORDS_MOST)
    assert not asked(of=1, unsaved_records=UNSAVED_RECORDS_MOST)
    assert not asked(of=0, unsaved_records=UNSAVED_RECORDS_MOST - 1)


def test_too_many_bytes_hold_back_all() -> None:
    assert asked(of=0, unsaved_bytes=UNSAVED_BYTES_MOST)
    assert asked(of=1, unsaved_bytes=UNSAVED_BYTES_MOST)
    assert not asked(of=1, unsaved_bytes=UNSAVED_BYTES_MOST - 1)


def test_nothing_waits_for_a_transaction_that_is_not_there() -> None:
    """Waiting for it would be for ever: the next one is planned when it is due, whatever has come."""
    assert not asked(of=0, unsaved_records=UNSAVED_RECORDS_MOST, unsaved_bytes=UNSAVED_BYTES_MOST, hanging=False)
