"""How much a fetch waits for: so many bytes that about ``FETCHES_APART_SECONDS`` of traffic come in one answer.

A broker answers a fetch as soon as it has anything (fetch.min.bytes = 1). At 5,000 records a second that is an answer
for every two or three of them, and each answer costs as much as a hundred records. Asking for more bytes
(``fetch.min.bytes``) makes answers rarer; how many bytes are enough depends on the traffic and its compression, so it
is found by trying: answers that come too close together ask for more, answers too far apart for less.

A backlog is not slowed down, for there is always enough; nor is the first record after a silence, for the demand is
back at one byte by then. What comes when traffic ebbs away waits at most fetch.max.wait (consumer_thread.py).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

FETCHES_APART_SECONDS = 0.04
BYTES_MOST = 1 << 20
STEP_MOST = 2.0
"""The demand changes by at most this factor an answer: one early or late answer does not tell of the traffic."""
BYTES_FIRST = 512
"""Below it a demand is none: one record has about so many."""


@dataclass
class Demand:
    """Of one broker. ``min_bytes`` of the next fetch."""

    apart_seconds: float = FETCHES_APART_SECONDS
    min_bytes: int = 1
    _answered_at: float | None = None

    def answered(self, now: float, empty: bool = False) -> None:
        """A fetch came back at ``now`` (seconds of any clock); ``empty``: with nothing, after the longest wait."""
        before, self._answered_at = self._answered_at, now
        if empty:
            self.min_bytes = 1
        elif before is not None:
            factor = self.apart_seconds / max(now - before, 1e-6)
            wanted = max(self.min_bytes, BYTES_FIRST / STEP_MOST) * min(STEP_MOST, max(1 / STEP_MOST, factor))
            self.min_bytes = 1 if wanted < BYTES_FIRST else min(BYTES_MOST, int(wanted))


def keep_pace(fetcher: Any) -> None:
    """Every fetch of ``fetcher`` asks from now on for what its broker's traffic bears."""
    plain: Callable[[Any, int, Any], Awaitable[bool]] = fetcher._proc_fetch_request
    demands: dict[int, Demand] = {}

    async def fetch(assignment: Any, node_id: int, request: Any) -> bool:
        demand = demands.setdefault(node_id, Demand())
        request._min_bytes = demand.min_bytes
        found = await plain(assignment, node_id, request)
        demand.answered(time.monotonic(), empty=not found)
        return found

    fetcher._proc_fetch_request = fetch
