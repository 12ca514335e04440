"""Whether the cluster itself fails: a broker that nobody has struck and that is gone, or answers nobody.

On a crowded machine a broker misses its heartbeats, is fenced and comes back; what a run shows then, beside numbers
that are wrong, is the machine's and not ours.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .cluster import Cluster

EVERY_SECONDS = 1.0
SETTLING_SECONDS = 45.0
"""After a broker was struck or started: so long it may be missing."""
MISSED_MOST = 3
"""Looks in a row: a single one may be the admin client's."""


class Health(threading.Thread):
    """``found``: sentences. ``registered``: numbers of the brokers that the cluster knows of."""

    def __init__(self, cluster: Cluster, registered: Callable[[], set[int]] | None = None) -> None:
        super().__init__(daemon=True)
        self.cluster = cluster
        self.registered = registered or cluster.registered
        self.over = threading.Event()
        self.found: list[str] = []
        self.begun = time.monotonic()
        self._missed: dict[int, int] = {}

    def run(self) -> None:
        while not self.over.wait(EVERY_SECONDS):
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Once; a broker that stays away is said once."""
        there = self.registered()
        for number, touched in enumerate(self.cluster.touched):
            settled = now - touched > SETTLING_SECONDS and not self.cluster.struck(number)
            missed = self._missed[number] = self._missed.get(number, 0) + 1 if settled and number not in there else 0
            if missed == MISSED_MOST:
                what = "is not registered" if self.cluster.alive(number) else "has ended"
                self.found.append(f"{now - self.begun:.0f} s: broker {number}, which nobody struck, {what}")
