"""The group's committed offsets: they follow the state, for lag tools, and tell us when an operator has set them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from driftloop.streams.transport.exits import log
from driftloop.streams.transport.fetching.consumer_thread import BatchThread, Committed
from driftloop.streams.transport.partition import Partition
from driftloop.streams.transport.state.moving import Wanted
from faust.types import TP

NEVER_TOLD = -2
"""Below everything that a state can have, so that it is committed at once."""


async def follow(thread: BatchThread, parts: Iterable[Partition]) -> bool:
    """Commit what the state of ``parts`` has and the group was not told yet. True: something was committed."""
    parts = list(parts)
    news = {
        TP(topic, part.number): saved + 1
        for part in parts
        for topic, saved in part.saved.items()
        if saved > part.told[topic]
    }
    if not news or not await thread.on_loop(thread.commit_following(news)):
        return False
    for part in parts:
        for tp in part.tps:
            if tp in news:
                part.told[tp.topic] = news[tp] - 1
    return True


def compare(
    part: Partition, absorbed: Mapping[str, int], committed: Mapping[TP, Committed], can_obey: bool
) -> Wanted | None:
    """Note what the group was told last, and say aloud where it differs from the state in a way ours never does.

    A commit without our metadata is an operator's ``--reset-offsets``: what it asks for, if it differs from where the
    state stands. It is forgotten as soon as we commit ourselves; a worker that dies before obeys once more.
    """
    asked: dict[str, int] = {}
    for tp in part.tps:
        behind = absorbed[tp.topic] + 1
        found = committed.get(tp, Committed(-1, ""))
        part.told[tp.topic] = found.offset - 1
        if not found.ours and can_obey:
            part.told[tp.topic] = NEVER_TOLD
            if found.offset != behind:
                asked[tp.topic] = found.offset
        elif not found.ours:
            log.warning(
                "%s[%d]: an operator has set the group's offset to %d; the state stands at %d and is the truth, "
                "this service cannot be set to other offsets, so this will be overwritten",
                *tp,
                found.offset,
                behind,
            )
        elif found.offset > behind:
            log.warning("%s[%d]: committed offset %d is ahead of the state's %d", *tp, found.offset, behind)
    return Wanted(asked) if asked else None
