"""What no record would ever reveal: a batch lost with nothing behind it, a lag that has gone without a record."""

from __future__ import annotations

from collections.abc import Iterator

from driftloop.streams.transport.exits import log
from driftloop.streams.transport.fetching.batches import empty_records
from driftloop.streams.transport.fetching.consumer_thread import BatchThread
from driftloop.streams.transport.partition import Partition
from faust.types import TP

LOST_SECONDS = 8.0
"""A batch that was handed out and not absorbed after so long is lost: Faust empties its queues without a word."""


def stragglers(part: Partition, thread: BatchThread, now: float) -> Iterator[TP]:
    """Partitions to seek back. ``now`` in seconds of any clock."""
    for tp in part.tps:
        absorbed = part.absorbed[tp.topic]
        if thread.handed_out.get(tp, -1) <= absorbed:
            part.behind_since.pop(tp.topic, None)
            _tell_caught_up(part, tp, thread)
            continue
        at, since = part.behind_since.get(tp.topic, (None, now))
        if at != absorbed:
            part.behind_since[tp.topic] = (absorbed, now)
        elif now - since > LOST_SECONDS:
            log.warning("%s[%d]: a batch behind %d was lost on the way; seeking back", *tp, absorbed)
            del part.behind_since[tp.topic]
            yield tp


def _tell_caught_up(part: Partition, tp: TP, thread: BatchThread) -> None:
    """The last offsets of a transactional topic are markers: its lag becomes zero without a record to say so."""
    if part.lag_told[tp.topic] and thread.lag(tp) == 0 and part.fold is not None:
        part.lag_told[tp.topic] = 0
        part.fold.absorb(empty_records(tp.topic, tp.partition, 0))
        part.changed = True
