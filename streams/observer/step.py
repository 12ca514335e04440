"""Both sources in step: which of them is so far ahead in event time that it should wait for the other.

Truths come later than their predictions; that is the label delay, and they lie later in their topic too. So reading
both at the same event time, each by its own records, is what a live stream does, and the join store then holds what
it holds live: a horizon of predictions. After an outage the backlogs would be read in any proportion; then it would
have to hold the whole of what one of them is ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from driftloop.streams.observer.time import Clock

SHARE_OF_HORIZON = 0.01
"""So much more than live may the store have to hold while catching up."""
BACKLOG_RECORDS = 1_000
"""A source that is less behind holds nobody up: live, the two are apart by nothing but a fetch."""


def source_ahead(greatest: Sequence[float], lags: Sequence[int], clocks: Iterable[Clock]) -> int | None:
    """0 or 1; None: neither need wait. ``greatest`` event time (seconds) and records left, of both sources."""
    bounds = [max(clock.disorder_seconds, SHARE_OF_HORIZON * clock.delay_edges[-1]) for clock in clocks]
    if not bounds:
        return None
    for source, other in ((0, 1), (1, 0)):
        if lags[other] >= BACKLOG_RECORDS and greatest[source] - greatest[other] > min(bounds):
            return source
    return None
