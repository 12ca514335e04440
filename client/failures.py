"""What the producer could not deliver: counted one by one, reported in summaries."""

from __future__ import annotations

import threading
from typing import Literal, NamedTuple

Kind = Literal["dropped", "not-delivered"]
REPORT_SECONDS = 10.0


class Failure(NamedTuple):
    """``records`` failed since the last report of this kind, ``total`` since the start.

    dropped: the buffer was full for longer than the app may be blocked. not-delivered: Kafka never confirmed it.
    """

    kind: Kind
    records: int
    total: int
    message: str


class Tally:
    """Counts by kind, from any thread. Of a burst the first failure is reported at once, then one summary every
    ``report_seconds``: an outage of an hour must not become a million calls of the app's callback."""

    def __init__(self, report_seconds: float = REPORT_SECONDS) -> None:
        self._lock = threading.Lock()
        self._report_seconds = report_seconds
        self._total: dict[Kind, int] = {"dropped": 0, "not-delivered": 0}
        self._reported: dict[Kind, int] = dict(self._total)
        self._reported_at: dict[Kind, float] = {}
        self._message: dict[Kind, str] = {}

    def add(self, kind: Kind, message: str) -> None:
        """One more record of this kind."""
        with self._lock:
            self._total[kind] += 1
            self._message[kind] = message

    def total(self, kind: Kind) -> int:
        """Records of this kind since the start."""
        return self._total[kind]

    def due(self, now_seconds: float, final: bool = False) -> list[Failure]:
        """Reports that are due at this moment of a monotonic clock; ``final``: whatever was not reported yet."""
        with self._lock:
            return [f for kind in self._total if (f := self._due(kind, now_seconds, final)) is not None]

    def _due(self, kind: Kind, now_seconds: float, final: bool) -> Failure | None:
        count = self._total[kind] - self._reported[kind]
        waited = now_seconds - self._reported_at.get(kind, float("-inf")) >= self._report_seconds
        if not count or not (waited or final):
            return None
        self._reported[kind] = self._total[kind]
        self._reported_at[kind] = now_seconds
        return Failure(kind, count, self._total[kind], self._message[kind])
