"""The blocking work of a partition's life (restoring, closing), done in threads; a broker's absence is waited out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import KafkaException
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.streams.fold import PartitionFold
from driftloop.streams.transport.exits import Exit, leave, log
from driftloop.streams.transport.partition import Partition
from driftloop.streams.transport.state.bring_up import Restored, Restorer, exit_for
from driftloop.streams.transport.state.header import StateHeader
from driftloop.streams.transport.state.moving import Wanted, sentences
from driftloop.streams.transport.state.writer import WriteEnded

LOADERS = 12
SOURCES_SECONDS = 5.0


class Loader:
    """``expected``: the header that a state must have, with the topic ids as last learnt."""

    def __init__(self, restorer: Restorer, topic_ids: Callable[[], dict[str, str]]) -> None:
        self._restorer = restorer
        self._topic_ids = topic_ids
        self._pool = ThreadPoolExecutor(LOADERS, "load")
        self.sources = restorer.sources
        self.can_rewind = restorer.can_rewind
        self.expected: StateHeader = restorer.expected_header({})

    def new_partition(self, number: int) -> Partition:
        """Assigned, nothing done yet."""
        return Partition(number, self.sources, self._restorer.writer(number))

    async def learn_topic_ids(self, parts: Iterable[Partition]) -> None:
        """Ask the cluster anew: a topic may have been created anew since the last assignment."""
        loop = asyncio.get_running_loop()
        while not all(part.gone for part in parts):
            try:
                ids = await loop.run_in_executor(self._pool, self._topic_ids)
            except Unavailable as error:
                log.warning("%s", error.message)
            else:
                self.expected = self._restorer.expected_header(ids)
                return

    async def watch_sources(self) -> None:
        """A topic that is created anew under a worker has new records at offsets the state has absorbed long ago:
        they would be skipped without a word. Seen twice, it is an end (a broker that starts may not know its topics).
        """
        lost_before = ""
        while True:
            await asyncio.sleep(SOURCES_SECONDS)
            lost = await self._sources_lost()
            if lost and lost == lost_before:
                leave(Exit.SOURCE_LOST, lost)
            lost_before = lost

    async def _sources_lost(self) -> str:
        """Which source is no longer the one the state was computed from; "" if none, or if nobody answers."""
        try:
            ids = await asyncio.get_running_loop().run_in_executor(self._pool, self._topic_ids)
        except Unavailable:
            return ""
        return "; ".join(
            f"topic {topic} was deleted" + (f" and created anew (id {was}, now {ids[topic]})" if ids[topic] else "")
            for topic, was in self.expected.topic_ids.items()
            if was and ids[topic] != was
        )

    async def restored(self, part: Partition, asked: Wanted | None = None) -> tuple[Restored, PartitionFold] | None:
        """None: the partition is gone meanwhile. A broker that is away is waited for: nobody else could do better.

        ``asked``: an operator wants it to go on elsewhere; the state is rewritten for that before it is given back.
        """
        loop = asyncio.get_running_loop()
        ids = self.expected.topic_ids
        while not part.gone:
            part.loading = loop.run_in_executor(
                self._pool, self._restorer.restore, part.number, part.writer, ids, lambda: not part.gone, asked
            )
            try:
                found = await part.loading
                if found is not None and asked is not None and not part.gone:
                    found = await self._moved(part, found, asked)
                return None if found is None else (found, self._restorer.make_fold(part.number, found.state))
            except Unavailable as error:
                log.warning("%s", error.message)
                await self.close([part])
            except (WriteEnded, ConfigError, KafkaException) as error:
                if not part.gone:
                    leave(exit_for(error), str(error))
            finally:
                part.loading = None
        return None

    async def _moved(self, part: Partition, found: Restored, asked: Wanted) -> Restored:
        assert found.moved is not None
        new = self._restorer.rewritten(part.number, found)
        for sentence in sentences(part.number, asked, found.moved, new.since):
            log.warning("as an operator has set the group's offsets: %s", sentence)
        part.loading = work = asyncio.get_running_loop().run_in_executor(
            self._pool, self._restorer.write_anew, part.writer, found, new, self.expected.topic_ids
        )
        return await work

    async def close(self, parts: Iterable[Partition]) -> None:
        """Close their producers."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(self._pool, part.writer.close) for part in parts))

    def end(self) -> None:
        """No more work."""
        self._pool.shutdown(wait=False)
