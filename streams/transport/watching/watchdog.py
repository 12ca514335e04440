"""Ends a worker that is alive and does nothing, so that the group gives its partitions to somebody who works.

A thread of its own, for it must see a stuck event loop. It counts its own ticks: a process that was frozen
(SIGSTOP, a suspended laptop) has not ticked either, and is not taken for a stuck one when it wakes; if its partitions
were given away meanwhile, the fence will tell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from driftloop.streams.transport.exits import Exit, leave

TICK_SECONDS = 1.0


class Signs(NamedTuple):
    """Signs of life. ``loop_beats`` and ``polls`` only grow; ``bringing_up``: a partition is assigned, not ready."""

    loop_beats: int
    polls: int
    partitions: int
    bringing_up: bool
    coordination_ended: bool


class Limits(NamedTuple):
    """Ticks (seconds) after which it is an end. ``loop``: 20 have ended a judge at work, one of two dozen runnable
    processes on two cores."""

    loop: int = 60
    polls: int = 45
    bring_up: int = 600


@dataclass
class Judgement:
    """Counts the ticks since each sign last changed."""

    limits: Limits = field(default_factory=Limits)
    _last: Signs | None = None
    _loop: int = 0
    _polls: int = 0
    _bring_up: int = 0

    def tick(self, now: Signs) -> tuple[Exit, str] | None:
        """None: alive. Otherwise how to end, and why."""
        last, self._last = self._last or now, now
        self._loop = 0 if now.loop_beats != last.loop_beats else self._loop + 1
        self._polls = 0 if now.polls != last.polls or not now.partitions else self._polls + 1
        self._bring_up = self._bring_up + 1 if now.bringing_up else 0
        if now.coordination_ended:
            return Exit.ZOMBIE, "the group's coordination has ended; no partition would ever come or go again"
        if self._loop >= self.limits.loop:
            return Exit.STUCK, f"the event loop has stood still for {self._loop} s"
        if self._polls >= self.limits.polls:
            return Exit.STUCK, f"nothing was polled for {self._polls} s with {now.partitions} partitions"
        if self._bring_up >= self.limits.bring_up:
            return Exit.STUCK, f"a partition was not ready after {self._bring_up} s"
        return None


def watch(signs: Callable[[], Signs], over: threading.Event, limits: Limits | None = None) -> threading.Thread:
    """Start the thread. It ends the process, or ends itself when ``over`` is set."""
    judgement = Judgement(limits or Limits())

    def run() -> None:
        while not over.wait(TICK_SECONDS):
            if (end := judgement.tick(signs())) is not None and not over.is_set():
                leave(*end)

    thread = threading.Thread(target=run, name="watchdog", daemon=True)
    thread.start()
    return thread
