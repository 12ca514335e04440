"""How far the judge may go: the frontier over the observer's source partitions.

    time of a partition = least of the latest event times of its predictions and its truths
    frontier            = least time of all partitions, never back; -inf until each has spoken
    frontier of a model = frontier - the model's disorder, never back

All panes of a model in a partition that are due at or before its watermark (the partition's time - disorder) stand
before the Progress that tells it. So at a frontier F of the model everything due by F is here, whatever the
interleaving, and the judge works off its instants <= F in one order. A model with a long disorder waits alone.

An observer cannot tell the disorder of a model whose monitor it has not seen yet: what it said until then holds the
model to the disorder of others. So as long as no instant of a model was worked off (it is a **newcomer**), it has at
least the disorder of the specification by which its own panes were made.

A quiet source would hold the frontier for ever. It is left out, and named, once it has been silent in event time
(``idle_after_seconds`` behind the furthest source), was caught up when it last spoke, and the log itself shows that
time has gone by: ``SILENT_MS`` between the Kafka timestamps of the Progress in which it last moved and of the latest
of any partition. Event time alone is no proof: in a backfill one partition is months ahead within a second. Nor is a
night in which nobody spoke: the first to speak in the morning is ahead of all others, so their silence counts from
then (``resumed_ms``). What such a source sends later comes behind its instant, and is applied just behind the
frontier, as a correction.

Whose silence is it? Where one source of a partition moves and the other does not, its observer is there and says that
it has read both to their ends (``caught_up``): nobody writes. Where neither moves it is **unheard** of: nobody writes
there, or our observer is gone; the log does not tell which.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from driftloop.schemas.events import Pane, Progress

SILENT_MS = 60_000
"""Longer than a worker needs to be replaced and to catch up (session timeout 10 s)."""


class LeftOut(NamedTuple):
    """Source partitions for which the frontier did not wait, of so many; ``unheard``: of which nothing is heard."""

    partitions: tuple[int, ...] = ()
    unheard: tuple[int, ...] = ()
    of: int = 0

    @property
    def heard(self) -> float:
        """Share of all partitions whose observer is heard of."""
        return 1.0 - len(self.unheard) / self.of if self.of else 1.0


@dataclass(slots=True)
class Sight:
    """What is known of one source partition; ``moved_ms``: when predictions, truths last moved (Kafka's clock)."""

    progress: Progress
    moved_ms: tuple[int, int]

    @property
    def latest(self) -> tuple[float, float]:
        """Greatest event times; where version 1 does not tell them, the watermarks, as if nobody had a disorder."""
        p = self.progress
        if not p.predictions_latest:
            return p.predictions_watermark, p.truths_watermark
        return p.predictions_latest, p.truths_latest

    def disorder_of(self, model: str, least: float = 0.0) -> float:
        """``least``: of a newcomer, whose disorder may not have been told; version 1 has taken it off already."""
        p = self.progress
        return max(p.disorders.get(model, p.usual_disorder), least if p.predictions_latest else 0.0)

    def watermark_of(self, model: str, least: float = 0.0) -> float:
        return min(self.latest) - self.disorder_of(model, least)


@dataclass(slots=True)
class Frontier:
    """``done``: the frontier up to which instants have been worked off. ``floors``: models whose disorder has grown
    had come further than it says now. ``newcomers``: the longest disorder of the panes of each. By Kafka's clock,
    ``latest_ms`` is the latest Progress, ``resumed_ms`` the first behind the last pause in which no partition spoke.
    """

    sights: dict[int, Sight] = field(default_factory=dict)
    done: float = -math.inf
    latest_ms: int = 0
    resumed_ms: int = 0
    floors: dict[str, float] = field(default_factory=dict)
    newcomers: dict[str, float] = field(default_factory=dict)
    _disorders: dict[str, float] = field(default_factory=dict)

    def absorb(self, progress: Progress, timestamp_ms: int, models: Iterable[str] = ()) -> None:
        """Time never goes back: an observer that starts over repeats what it has told. Nor does it for any of
        ``models`` when it gets another disorder."""
        before = self.sights.get(progress.partition)
        now = Sight(progress, (timestamp_ms, timestamp_ms))
        if before is not None:
            pairs = zip(now.latest, before.latest, before.moved_ms, strict=True)
            predictions, truths = (timestamp_ms if new > old else moved for new, old, moved in pairs)
            now.moved_ms = predictions, truths
        if before is None or _told_disorders(before) != _told_disorders(now):
            done = {model: self.done_of(model) for model in models if model not in self.newcomers}
            self.sights[progress.partition] = now
            self._disorders.clear()
            self.floors |= {model: was for model, was in done.items() if self.done_of(model) < was}
        self.sights[progress.partition] = now
        if timestamp_ms > self.latest_ms + SILENT_MS:
            self.resumed_ms = timestamp_ms
        self.latest_ms = max(self.latest_ms, timestamp_ms)

    def to_json(self) -> dict[str, Any]:
        """All but the sights, which are records of their own."""
        return {"reached": None if self.done == -math.inf else self.done, "floors": self.floors}

    def disorder_of(self, model: str) -> float:
        """The longest that any partition still goes by."""
        found = self._disorders.get(model)
        if found is None:
            least = self.newcomers.get(model, 0.0)
            found = max([sight.disorder_of(model, least) for sight in self.sights.values()], default=0.0)
            self._disorders[model] = found
        return found

    def comes(self, model: str, disorder_seconds: float) -> None:
        """A newcomer has panes that were made with this disorder."""
        if disorder_seconds > self.newcomers.get(model, -math.inf):
            self.newcomers[model] = disorder_seconds
            self._disorders.pop(model, None)

    def has_begun(self, model: str) -> None:
        """An instant of it was worked off: it goes by what is told."""
        if self.newcomers.pop(model, None) is not None:
            self._disorders.pop(model, None)

    def done_of(self, model: str) -> float:
        """Every instant of the model at or before it has been worked off."""
        return max(self.done - self.disorder_of(model), self.floors.get(model, -math.inf))

    def advance(self, reached: float) -> None:
        """Everything up to this frontier has been worked off."""
        self.done = reached
        for model in [m for m, floor in self.floors.items() if reached - self.disorder_of(m) >= floor]:
            del self.floors[model]

    def due(self, pane: Pane) -> float:
        """The instant at which a pane that has just come counts: its own, or just behind what is past."""
        sight = self.sights.get(pane.partition)
        least = self.newcomers.get(pane.model, 0.0)
        past = max(self.done_of(pane.model), sight.watermark_of(pane.model, least) if sight else -math.inf)
        return pane.emitted_at if pane.emitted_at > past else math.nextafter(past, math.inf)

    def reached(self, idle_after_seconds: float) -> tuple[float, tuple[int, ...]]:
        """(frontier, partitions of which a source was left out)."""
        partitions = max((s.progress.partitions for s in self.sights.values()), default=0)
        if not partitions or len(self.sights) < partitions:
            return self.done, ()
        lead = max(max(s.latest) for s in self.sights.values())
        least, idle = math.inf, []
        for partition in sorted(self.sights):
            kept = self._kept(self.sights[partition], lead - idle_after_seconds)
            least = min(least, *kept) if kept else least
            if len(kept) < 2:
                idle.append(partition)
        return max(self.done, least if least < math.inf else lead), tuple(idle)

    def left_out(self, idle: tuple[int, ...]) -> LeftOut:
        """What there is to say of partitions that were left out; one in which nothing ever came misses nothing."""
        silent = self.latest_ms - SILENT_MS
        unheard = [
            partition
            for partition in idle
            if max(*self.sights[partition].moved_ms, self.resumed_ms) < silent
            and max(self.sights[partition].latest) > -math.inf
        ]
        return LeftOut(idle, tuple(unheard), len(self.sights))

    def _kept(self, sight: Sight, behind: float) -> list[float]:
        """Times of the sources of one partition that the frontier waits for."""
        silent = self.latest_ms - SILENT_MS
        return [
            latest
            for latest, moved in zip(sight.latest, sight.moved_ms, strict=True)
            if not (sight.progress.caught_up and latest < behind and max(moved, self.resumed_ms) < silent)
        ]


def _told_disorders(sight: Sight) -> tuple[float, Mapping[str, float]]:
    return sight.progress.usual_disorder, sight.progress.disorders
