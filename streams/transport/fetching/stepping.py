"""Sources that wait for their neighbour: after an outage both are read in step, by event time.

What is fetched side by side does not lie side by side in event time: one source has larger records, or a longer
backlog. A fold that matches the two would have to remember all that one of them is ahead. So it may say which source
is too far ahead (``ahead``, streams/fold.py), and no more of that one is taken until it says so no longer.

Nothing can stand still for ever: a fold may only say so while the other source has records left, and a source is let
go when the other has not moved for a while (its leader is away, say), until it moves.
"""

from __future__ import annotations

from typing import NamedTuple

from driftloop.streams.transport.partition import Partition
from faust.types import TP

PATIENCE_SECONDS = 5.0
POLL_SECONDS = 0.05
"""A poll lasts at most so long while something waits: it was told which partitions to look at when it began."""


class _Waiting(NamedTuple):
    """How far the other sources were when it began to wait, or last moved."""

    others: int
    since: float


class Step:
    """``held``: what waits now. Times in seconds of any clock."""

    def __init__(self) -> None:
        self.held: set[TP] = set()
        self._waiting: dict[TP, _Waiting] = {}

    def look(self, part: Partition, now: float) -> None:
        """After each batch, and now and then."""
        ahead = getattr(part.fold, "ahead", None)
        if ahead is None and not self._waiting:
            return
        for tp in part.tps:
            if tp.topic == ahead:
                self._hold(tp, sum(part.absorbed.values()) - part.absorbed[ahead], now)
            else:
                self._release(tp)

    def forget(self, part: Partition) -> None:
        """It is sought anew, or gone."""
        for tp in part.tps:
            self._release(tp)

    def _hold(self, tp: TP, others: int, now: float) -> None:
        before = self._waiting.get(tp)
        if before is None or before.others != others:
            self._waiting[tp] = _Waiting(others, now)
            self.held.add(tp)
        elif now - before.since > PATIENCE_SECONDS:
            self.held.discard(tp)

    def _release(self, tp: TP) -> None:
        self._waiting.pop(tp, None)
        self.held.discard(tp)
