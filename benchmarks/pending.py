"""A million predictions that wait for their truth: what each costs in memory, what they cost an event, what a kill.

One worker, one process: 10 thousand pending, a measured load, a million more, the same load again. The load is the
same in both: pairs whose truth comes after ten minutes of event time. Memory is the growth of the process's resident
set between the two fills, everything counted. Then the worker is killed (recovery.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from backlog_topics import Backlog
from bench import Bench, median_of
from confluent_kafka import Consumer, TopicPartition
from driftloop.console.topics import apply_topics
from driftloop.schemas.codec import encode
from driftloop.schemas.events import TimeMarker
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.watching.memory import TRIM_SECONDS
from measuring import work_off
from processes import Fleet
from recovery import SESSION_SECONDS, recover
from stream import EVENTS_PER_SECOND, START, Record, Stream, make_stream, publish_monitors, records

FEW, MANY = 10_000, 1_000_000
FILL_SECONDS = 7_200.0
"""Of event time, for either fill; everything lies within the label horizon of three days."""
DELAY_SECONDS = 600.0


class Clock:
    """Event time, from phase to phase."""

    def __init__(self) -> None:
        self.now, self.phase = START, 0

    def stream(self, pairs: int, per_second: float) -> Stream:
        """The next phase; it begins where the last one has ended."""
        self.phase += 1
        stream = make_stream(pairs, self.phase, per_second, DELAY_SECONDS, self.now)
        self.now = max(float(stream.event_time[-1]), float(stream.known_at.max()))
        return stream


def run(bench: Bench) -> dict[str, Any]:
    pairs, clock = 50_000 if bench.quick else 100_000, Clock()
    settings = bench.settings("pending", session_seconds=SESSION_SECONDS)
    apply_topics(settings)
    publish_monitors(settings, make_stream(20_000))
    with Fleet(settings, bench.folder) as fleet:

        def load(times: int) -> dict[str, Any]:
            return median_of([absorb(fleet, settings, clock, pairs) for _ in range(times)])

        fill(fleet, settings, clock, FEW)
        at_few = load(bench.repeats - 1 or 1)
        before_mb, written_before = settled_mb(fleet), state_bytes(settings)
        filled = fill(fleet, settings, clock, MANY)
        after_mb, written = settled_mb(fleet), state_bytes(settings)
        at_many = load(bench.repeats - 1 or 1)
        growth = at_many["cpu_us_per_event"] / at_few["cpu_us_per_event"] - 1
        found = {
            "cost_growth_10k_to_1m": growth,
            "bytes_per_pending": (after_mb - before_mb) * 2**20 / MANY,
            "state_bytes_per_pending": (written - written_before) / MANY,
            "pending": MANY,
            "working_mb": before_mb,
            "resident_mb_at_1m": after_mb,
            "at_10k": at_few,
            "at_1m": at_many,
            "fill": filled,
        }
        say(bench, found)
        recovered = recover(bench, fleet, settings, clock.now)
    return found | recovered


def settled_mb(fleet: Fleet) -> float:
    """Resident memory of the worker when it has been idle long enough to have given back what it had freed."""
    fleet.wait_until_quiet()
    time.sleep(TRIM_SECONDS + 1.0)
    return fleet.workers[0].resident_mb()


def say(bench: Bench, found: dict[str, Any]) -> None:
    bench.say_cost("at 10 k pending", found["at_10k"])
    bench.say_cost(f"at {found['pending']:,} pending", found["at_1m"])
    bench.say(
        f"resident {found['working_mb']:.0f} MB, then {found['resident_mb_at_1m']:.0f} MB: "
        f"{found['bytes_per_pending']:.0f} bytes a pending prediction, "
        f"{found['state_bytes_per_pending']:.0f} in the state log"
    )


def fill(fleet: Fleet, settings: Settings, clock: Clock, count: int) -> dict[str, Any]:
    """``count`` predictions without truths."""
    stream = clock.stream(count, 2 * count / FILL_SECONDS)
    return deliver(fleet, settings, clock, renamed(records(stream, truths=False), clock.phase))


def absorb(fleet: Fleet, settings: Settings, clock: Clock, pairs: int) -> dict[str, Any]:
    """``pairs`` predictions and their truths."""
    stream = clock.stream(pairs, EVENTS_PER_SECOND)
    return deliver(fleet, settings, clock, renamed(records(stream), clock.phase))


def deliver(fleet: Fleet, settings: Settings, clock: Clock, found: Iterator[Record]) -> dict[str, Any]:
    """As a backlog, behind which event time stands where the phase has ended: nothing expires."""
    backlog = Backlog(settings)
    backlog.fill(found)
    backlog.close(encode(TimeMarker(clock.now, "benchmark")))
    measured = work_off(fleet, backlog)
    backlog.end()
    return measured


def renamed(found: Iterator[Record], phase: int) -> Iterator[Record]:
    """With keys of its own for each phase."""
    mark = b"%d-" % phase
    return (Record(short, mark + key, value) for short, key, value in found)


def state_bytes(settings: Settings) -> int:
    """Keys and values that a successor would have to read if the state log were compacted now."""
    topic = settings.topic("observer-state")
    consumer = Consumer(settings.confluent(group_id="state-bytes", enable_auto_commit=False))
    parts = [TopicPartition(topic, p) for p in range(settings.partitions)]
    ends = {p.partition: consumer.get_watermark_offsets(p, 10)[1] for p in parts}
    consumer.assign([TopicPartition(topic, p.partition, 0) for p in parts])
    latest: dict[tuple[int, bytes], int] = {}
    while any(end > consumer.position([TopicPartition(topic, p)])[0].offset for p, end in ends.items()):
        for message in consumer.consume(1000, 0.1):
            assert message.error() is None, message.error()
            value = message.value()
            place = message.partition(), message.key()
            latest[place] = len(place[1]) + len(value) if value is not None else 0
    consumer.close()
    return sum(latest.values())
