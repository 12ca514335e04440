"""When a partition's effects are written: at once when something is due, otherwise every second.

Each partition has its own transaction, in its own thread; several run side by side.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from driftloop.streams.fold import Changes, PartitionFold
from driftloop.streams.transport.exits import Exit, leave
from driftloop.streams.transport.partition import Partition
from driftloop.streams.transport.state.header import HEADER_KEY, StateHeader
from driftloop.streams.transport.state.writer import StateRecord, WriteEnded

log = logging.getLogger("driftloop.transport")

SPACING_SECONDS = 0.05
"""Between the starts of two checkpoints of a partition, on average: two may follow each other at once, for what
belongs together (the last of an hour, in both sources) arrives some milliseconds apart."""
SETTLE_SECONDS = 0.004
"""Mostly it arrives within this time, and one checkpoint does for both."""
BACKLOG_RECORDS = 1_000
"""So far behind, what is due is late anyway: a checkpoint every second does, and leaves the time for catching up."""
EVERY_SECONDS = 1.0
TRANSACTIONS_AT_ONCE = 8
ABORTS_MOST = 5
"""In a row, of one partition: what aborts so often will not get better by reloading."""


class Checkpoints:
    """Plans and runs the transactions. ``reload`` throws a fold away and makes it anew from the state."""

    def __init__(
        self,
        expected: Callable[[], StateHeader],
        reload: Callable[[Partition], Coroutine[Any, Any, None]],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._expected = expected
        self._reload = reload
        self._spawn = spawn
        self._pool = ThreadPoolExecutor(TRANSACTIONS_AT_ONCE, "transaction")

    def if_due(self, part: Partition) -> None:
        """Soon, if the fold says so and is not far behind."""
        if part.fold is not None and part.fold.due and max(part.lag_told.values()) < BACKLOG_RECORDS:
            self.soon(part)

    def soon(self, part: Partition) -> None:
        """As soon as the spacing allows."""
        if part.timer is None and not part.gone:
            loop = asyncio.get_running_loop()
            wait = part.checkpoints_started[0] + 2 * SPACING_SECONDS - loop.time()
            part.timer = loop.call_later(max(SETTLE_SECONDS, wait), self._start, part)

    def overdue(self, parts: Iterable[Partition]) -> None:
        """Plan those that have changed and were last written a second ago."""
        now = asyncio.get_running_loop().time()
        for part in parts:
            if part.ready and part.changed and now - part.checkpoints_started[1] >= EVERY_SECONDS:
                self.soon(part)

    async def all(self, parts: Iterable[Partition], seconds_most: float) -> bool:
        """One checkpoint of each, now. False: not all of them are done within the time."""
        tasks = [asyncio.ensure_future(self.run(part)) for part in parts]
        if not tasks:
            return True
        _, pending = await asyncio.wait(tasks, timeout=seconds_most)
        return not pending

    def _start(self, part: Partition) -> None:
        part.timer = None
        self._spawn(self.run(part))

    async def run(self, part: Partition) -> None:
        """One transaction with everything since the last, if there is anything."""
        await self.idle(part)
        if part.gone or not part.ready or not part.changed or part.fold is None:
            return
        changes = self._collect(part, part.fold)
        if not changes.state and not changes.outputs and {**part.absorbed, **changes.absorbed} == part.saved:
            return
        if await self._write(part, changes):
            self.if_due(part)
        elif not part.gone and not part.parked:
            await self._aborted(part)

    async def still_ours(self, part: Partition) -> bool:
        """Is the state of a parked partition in memory still the state in its topic?

        One transaction, be there anything new or not, is the proof: whoever else brought the partition up meanwhile
        has fenced us by that, and the broker refuses it. True: committed.
        """
        await self.idle(part)
        if part.gone or part.fold is None:
            return False
        return await self._write(part, self._collect(part, part.fold))

    async def idle(self, part: Partition) -> None:
        """Until no transaction of it is in flight."""
        while part.busy is not None:  # several may wait for the same one
            await asyncio.wait([part.busy])

    def _collect(self, part: Partition, fold: PartitionFold) -> Changes:
        part.stop_timer()
        part.changed, part.unsaved_records, part.unsaved_bytes = False, 0, 0
        part.checkpoints_started = (part.checkpoints_started[1], asyncio.get_running_loop().time())
        changes = fold.collect()
        part.changed = bool(changes.absorbed)
        return changes

    async def _write(self, part: Partition, changes: Changes) -> bool:
        """True: committed. What was collected of a parked partition is lost otherwise, and its fold with it."""
        offsets = {**part.absorbed, **changes.absorbed}
        header = part.header(self._expected(), offsets)
        records = [StateRecord(key, value) for key, value in changes.state.items()]
        records.append(StateRecord(HEADER_KEY, header.encode()))
        loop = asyncio.get_running_loop()
        part.busy = loop.run_in_executor(self._pool, part.writer.write, records, changes.outputs)
        if committed := await self._outcome(part, part.busy):
            part.saved, part.aborts_in_a_row = offsets, 0
        elif part.parked:
            part.fold = None
        return committed

    async def _outcome(self, part: Partition, transaction: asyncio.Future[bool]) -> bool:
        """Whether it was committed. A write that is fenced or refused ends the process, but for a partition that was
        taken away: then a successor may have fenced it, and redoes it."""
        try:
            return await transaction
        except WriteEnded as error:
            if not part.gone and not part.parked:
                leave(error.exit, error.message)
        except Exception:
            if not part.gone and not part.parked:
                log.exception("transaction of partition %d", part.number)
                leave(Exit.BROKEN, f"partition {part.number} could not be written")
        finally:
            part.busy = None
        return False

    async def _aborted(self, part: Partition) -> None:
        part.aborts_in_a_row += 1
        if part.aborts_in_a_row >= ABORTS_MOST:
            leave(Exit.REFUSED, f"the transaction of partition {part.number} aborts time and again")
        await self._reload(part)

    def close(self) -> None:
        """No more transactions; those in flight end by themselves."""
        self._pool.shutdown(wait=False)
