"""What the loop says: the demo's view of decisions, windows and incidents, and the stop its clock makes for them.

Once per event day, at the instant T, the demo waits until the retrainer has recorded its evaluation at T (it
evaluates the judge's window that closed at T, so the judge has been there too), and while a run is going on until it
has ended and the app holds the model it brought. So a training costs no event time, however slow the machine.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from driftloop.client import Follower
from driftloop.console.connection import QUIET
from driftloop.console.reading import partitions_of
from driftloop.schemas.codec import decode
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.events import DecisionRecorded, IncidentChanged, WindowMeasured
from driftloop.schemas.settings import Settings

TOPICS = ("decisions", "windows", "drift")
POLL_SECONDS = 0.05
"""A record wakes the poll at once; the limit is how soon a dead process is noticed."""
SILENCE_SECONDS_MOST = 300.0
"""A machine that is busy with something else may need many seconds for a training, but not without a word."""
ENDS = ("promoted", "rejected", "failed")


class Tally:
    """Counts and states, a fold over the events of the three topics."""

    def __init__(self) -> None:
        self.evaluated_to = self.window_to = -math.inf
        self.run = ""
        """The run that is going on, empty where none is."""
        self.version = ""
        """The version that was promoted last."""
        self.windows = self.evaluations = self.runs = self.promotions = 0
        self.opened: set[str] = set()
        self.open: set[str] = set()
        self.said = ""
        """The last thing worth a line on the screen."""

    def absorb(self, event: Any) -> None:
        if isinstance(event, WindowMeasured):
            self.windows += 1
            if event.closing == "features":
                self.window_to = max(self.window_to, event.as_of)
        elif isinstance(event, IncidentChanged):
            self._incident(event)
        elif isinstance(event, DecisionRecorded):
            self._decision(event)

    def _incident(self, event: IncidentChanged) -> None:
        (self.open.discard if event.change == "resolved" else self.open.add)(event.incident)
        if event.change == "opened":
            self.opened.add(event.incident)
            self.said = event.summary

    def _decision(self, event: DecisionRecorded) -> None:
        if event.kind == "evaluated":
            self.evaluations += 1
            if event.details.get("on") == "window":
                self.evaluated_to = max(self.evaluated_to, event.as_of)
        elif event.kind == "started":
            self.run, self.runs = event.run, self.runs + 1
            self.said = f"training {event.version}: {event.reason}"
        elif event.kind in ENDS:
            self.run = ""
            self.said = f"{event.version} {event.kind}: {event.reason}"
            if event.kind == "promoted":
                self.version, self.promotions = event.version, self.promotions + 1

    def settled(self, until: float) -> bool:
        """Judge and retrainer have been at ``until``, and no run is going on."""
        return self.window_to >= until and self.evaluated_to >= until and not self.run


class Watch:
    """Reads the three topics from their beginning. ``check`` raises when a process of ours has died."""

    def __init__(self, settings: Settings, check: Callable[[], None]) -> None:
        self.tally = Tally()
        self._check = check
        self._consumer = Consumer(
            settings.confluent(
                group_id=settings.group("demo"),  # librdkafka wants a name; it is never joined
                isolation_level="read_committed",
                enable_auto_commit=False,
                fetch_queue_backoff_ms=1,
            )
            | {"logger": QUIET}
        )
        places = [
            TopicPartition(settings.topic(short), partition, 0)
            for short in TOPICS
            for partition in range(partitions_of(settings, settings.topic(short)))
        ]
        self._consumer.assign(places)

    def first_model(self, follower: Follower) -> None:
        """Wait until the run that a person ordered has ended, and the app holds its model."""
        self._wait("the first model", lambda: bool(self.tally.version) and not self.tally.run)
        self._hold(follower)

    def stop(self, until: float, follower: Follower) -> None:
        """Wait until the loop has reached ``until``, and the app holds what it has promoted."""
        self._wait("the retrainer's evaluation", lambda: self.tally.settled(until))
        self._hold(follower)

    def final_windows(self, until: float) -> None:
        """Wait until the judge has closed the window that ends at ``until``; nobody decides any more."""
        self._wait("the judge's last window", lambda: self.tally.window_to >= until)

    def close(self) -> None:
        self._consumer.close()

    def _hold(self, follower: Follower) -> None:
        def held() -> bool:
            found = follower.current
            return found is not None and found.version == self.tally.version

        self._wait(f"the app to take over {self.tally.version}", held)

    def _wait(self, what: str, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SILENCE_SECONDS_MOST
        while not reached():
            if self._absorb():
                deadline = time.monotonic() + SILENCE_SECONDS_MOST
                continue
            self._check()
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"the demo waited {SILENCE_SECONDS_MOST:.0f} s for {what} and heard nothing",
                    "the logs of observer, judge and retrainer in its state folder say what they were doing",
                )

    def _absorb(self) -> int:
        first = self._consumer.poll(POLL_SECONDS)
        messages = [] if first is None else [first, *self._consumer.consume(500, 0)]
        for message in messages:
            if error := message.error():
                if not error.retriable():
                    raise Unavailable(f"{message.topic()} cannot be read: {error.str()}", "does the cluster run?")
            else:
                self.tally.absorb(decode(message.value()))
        return len(messages)
