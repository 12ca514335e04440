"""One partition number of a service: its fold, its writer, and how far each of its sources has been absorbed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from driftloop.streams.fold import PartitionFold
from driftloop.streams.transport.state.header import StateHeader
from driftloop.streams.transport.state.writer import Writer
from faust.types import TP

UNSAVED_RECORDS_MOST = 200_000
"""Of one partition, while its transaction hangs: then no more records are taken until it is through."""
UNSAVED_BYTES_MOST = 128 << 20
"""Of all partitions together, likewise."""


class Partition:
    """Touched by Faust's event loop only; ``writer`` and the loading of ``fold`` work in threads meanwhile.

    By topic: ``absorbed``, last offset in the fold; ``saved``, last offset in the committed state; ``told``, what the
    group was told of that; ``lag_told``, what the fold was told of its lag. ``ready``: restored, sought, and taking
    records. ``parked``: taken away with its state in memory, and not yet shown to be unchanged by anybody else.
    ``gone``: no longer ours, for good.
    """

    def __init__(self, number: int, sources: Sequence[str], writer: Writer) -> None:
        self.number = number
        self.sources = tuple(sources)
        self.writer = writer
        self.fold: PartitionFold | None = None
        self.topic_ids: dict[str, str] = {}
        self.skipped: dict[str, int] = {}
        self.absorbed = dict.fromkeys(sources, -1)
        self.saved = dict.fromkeys(sources, -1)
        self.told = dict.fromkeys(sources, -1)
        self.lag_told = dict.fromkeys(sources, 0)
        self.ready = False
        self.parked = False
        self.gone = False
        self.changed = False
        self.unsaved_records = 0
        self.unsaved_bytes = 0
        """Values taken in while a transaction is in flight; none are counted while there is none."""
        self.aborts_in_a_row = 0
        self.checkpoints_started = (float("-inf"), float("-inf"))
        """Times on the event loop's clock of the last two."""
        self.timer: asyncio.TimerHandle | None = None
        self.loading: asyncio.Future[Any] | None = None
        self.busy: asyncio.Future[bool] | None = None
        self.behind_since: dict[str, tuple[int, float]] = {}

    @property
    def tps(self) -> list[TP]:
        """The partition in each of its source topics."""
        return [TP(topic, self.number) for topic in self.sources]

    @property
    def holds_state(self) -> bool:
        """What is in memory may be all there is to know; ``Checkpoints.still_ours`` finds out."""
        return self.fold is not None and (self.ready or self.parked) and not self.gone

    def park(self) -> None:
        """Taken away: keep everything, take no records."""
        self.ready, self.parked = False, True
        self.behind_since.clear()
        self.stop_timer()

    def give_up(self) -> None:
        """No longer ours."""
        self.gone = True
        self.stop_timer()

    def stop_timer(self) -> None:
        """No checkpoint is planned any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def header(self, expected: StateHeader, offsets: Mapping[str, int]) -> StateHeader:
        """What a checkpoint says of its sources that accounts for them up to ``offsets``."""
        return StateHeader(
            expected.application,
            expected.layout,
            expected.partitions,
            dict(offsets),
            dict(self.topic_ids),
            skipped=dict(self.skipped),
        )


def too_much_unsaved(part: Partition, of_all: Iterable[Partition]) -> bool:
    """While transactions hang: should no more records of ``part`` be taken?"""
    too_many = part.busy is not None and part.unsaved_records >= UNSAVED_RECORDS_MOST
    return too_many or sum(each.unsaved_bytes for each in of_all) >= UNSAVED_BYTES_MOST
