"""How much a fetch waits for: so many bytes that about ``FETCHES_APART_SECONDS`` of traffic come in one answer.

A broker answers a fetch as soon as it has anything (fetch.min.bytes = 1). At 5,000 records a second that is an answer
for every two or three of them, and each answer costs as much as a hundred records. Asking for more bytes
(``fetch.min.bytes``) makes answers rarer; how many bytes are enough depends on the traffic and its compression, so it
is found by trying: answers that come too close together ask for more, answers too far apart for less.

A backlog is not slowed down, for there is always enough; nor is a burst, whose last small record (often the one that
closes a window) would be the one to wait: only traffic that has been dense for ``DENSE_SECONDS`` is asked to. When it
ebbs away, what comes last waits ``WAIT_MS_MOST`` at most.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

FETCHES_APART_SECONDS = 0.15
"""A fetch costs Faust, aiokafka and the fold of each partition about as much as five hundred records. What waits so
long at the broker is in the sums within a quarter of a second."""
LATE_SECONDS = 0.08
"""Answers further apart are no dense traffic; nobody need wait to make them rarer."""
DENSE_SECONDS = 0.5
WAIT_MS_MOST = 165
"""Of a fetch that asks for more than one byte."""
BYTES_MOST = 1 << 20
STEP_MOST = 2.0
"""The demand changes by at most this factor an answer: one early or late answer does not tell of the traffic."""
BYTES_FIRST = 512
"""Below it a demand is none: one record has about so many."""


@dataclass
class Demand:
    """Of one broker. ``min_bytes`` of the next fetch."""

    min_bytes: int = 1
    _answered_at: float | None = None
    _dense_since: float | None = None

    def answered(self, now: float, empty: bool = False) -> None:
        """A fetch came back at ``now`` (seconds of any clock); ``empty``: with nothing, after the longest wait."""
        before, self._answered_at = self._answered_at, now
        late = LATE_SECONDS if self.min_bytes == 1 else 2 * FETCHES_APART_SECONDS
        if empty or before is None or now - before > late:
            self.min_bytes, self._dense_since = 1, None
            return
        if self._dense_since is None:
            self._dense_since = before
        if now - self._dense_since >= DENSE_SECONDS:
            factor = FETCHES_APART_SECONDS / max(now - before, 1e-6)
            wanted = max(self.min_bytes, BYTES_FIRST / STEP_MOST) * min(STEP_MOST, max(1 / STEP_MOST, factor))
            self.min_bytes = 1 if wanted < BYTES_FIRST else min(BYTES_MOST, int(wanted))


def keep_pace(fetcher: Any) -> None:
    """Every fetch of ``fetcher`` asks from now on for what its broker's traffic bears."""
    plain: Callable[[Any, int, Any], Awaitable[bool]] = fetcher._proc_fetch_request
    demands: dict[int, Demand] = {}

    async def fetch(assignment: Any, node_id: int, request: Any) -> bool:
        demand = demands.setdefault(node_id, Demand())
        if demand.min_bytes > 1:
            request._min_bytes, request._max_wait_ms = demand.min_bytes, WAIT_MS_MOST
        found = await plain(assignment, node_id, request)
        demand.answered(time.monotonic(), empty=not found)
        return found

    fetcher._proc_fetch_request = fetch
