"""How far the judge may go: the frontier over the observer's source partitions.

    watermark of a partition = least of its predictions' and its truths' watermark
    frontier                 = least watermark of all partitions, never back; -inf until each has spoken

All panes of a partition that are due at or before its watermark stand before the Progress that tells it. So at a
frontier F everything due by F is here, whatever the interleaving, and the judge works off instants <= F in one order.

A quiet source would hold the frontier for ever. It is left out, and named, once it has been silent in event time
(``idle_after_seconds`` behind the furthest source), was caught up when it last spoke, and the log itself shows that
time has gone by: ``SILENT_MS`` between the Kafka timestamps of the Progress in which it last moved and of the latest
of any partition. Event time alone is no proof: in a backfill one partition is months ahead within a second. Nor is a
night in which nobody spoke: the first to speak in the morning is ahead of all others, so their silence counts from
then (``resumed_ms``). What such a source sends later comes behind its instant, and is applied just behind the
frontier, as a correction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from driftloop.schemas.events import Pane, Progress

SILENT_MS = 60_000
"""Longer than a worker needs to be replaced and to catch up (session timeout 10 s)."""


@dataclass(slots=True)
class Sight:
    """What is known of one source partition; ``moved_ms``: when predictions, truths last moved (Kafka's clock)."""

    progress: Progress
    moved_ms: tuple[int, int]

    @property
    def watermarks(self) -> tuple[float, float]:
        return self.progress.predictions_watermark, self.progress.truths_watermark


@dataclass(slots=True)
class Frontier:
    """``done``: every instant at or before it has been worked off. By Kafka's clock, ``latest_ms`` is the latest
    Progress, ``resumed_ms`` the first behind the last pause in which no partition spoke."""

    sights: dict[int, Sight] = field(default_factory=dict)
    done: float = -math.inf
    latest_ms: int = 0
    resumed_ms: int = 0

    def absorb(self, progress: Progress, timestamp_ms: int) -> None:
        """A watermark never goes back: an observer that starts over repeats what it has told."""
        before = self.sights.get(progress.partition)
        moved = (timestamp_ms, timestamp_ms)
        if before is not None:
            now = (progress.predictions_watermark, progress.truths_watermark)
            moved = (
                timestamp_ms if now[0] > before.watermarks[0] else before.moved_ms[0],
                timestamp_ms if now[1] > before.watermarks[1] else before.moved_ms[1],
            )
        self.sights[progress.partition] = Sight(progress, moved)
        if timestamp_ms > self.latest_ms + SILENT_MS:
            self.resumed_ms = timestamp_ms
        self.latest_ms = max(self.latest_ms, timestamp_ms)

    def due(self, pane: Pane) -> float:
        """The instant at which a pane that has just come counts: its own, or just behind what is past."""
        sight = self.sights.get(pane.partition)
        past = max(self.done, min(sight.watermarks) if sight else -math.inf)
        return pane.emitted_at if pane.emitted_at > past else math.nextafter(past, math.inf)

    def reached(self, idle_after_seconds: float) -> tuple[float, tuple[int, ...]]:
        """(frontier, partitions of which a source was left out)."""
        partitions = max((s.progress.partitions for s in self.sights.values()), default=0)
        if not partitions or len(self.sights) < partitions:
            return self.done, ()
        lead = max(max(s.watermarks) for s in self.sights.values())
        least, idle = math.inf, []
        for partition in sorted(self.sights):
            kept = self._kept(self.sights[partition], lead - idle_after_seconds)
            least = min(least, *kept) if kept else least
            if len(kept) < 2:
                idle.append(partition)
        return max(self.done, least if least < math.inf else lead), tuple(idle)

    def _kept(self, sight: Sight, behind: float) -> list[float]:
        """Watermarks of one partition that the frontier waits for."""
        silent = self.latest_ms - SILENT_MS
        return [
            watermark
            for watermark, moved in zip(sight.watermarks, sight.moved_ms, strict=True)
            if not (sight.progress.caught_up and watermark < behind and max(moved, self.resumed_ms) < silent)
        ]
