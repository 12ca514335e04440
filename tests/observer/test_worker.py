"""The worker on a real broker, killed on the way, tells the same bytes as the fold in a list."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.events import MonitorApplied, Pane, Progress
from driftloop.schemas.settings import Settings

from ..patience import GUARD_SECONDS
from .world import CLICKS, LOANS, PARTITION, Bad, Transport, context, make_world

RUN = (
    "import os, sys\n"
    "from driftloop.schemas.settings import Settings\n"
    "from driftloop.streams.observer.worker import main\n"
    "sys.exit(main(Settings.from_environment(os.environ)))"
)


class Worker:
    def __init__(self, settings: Settings, log: Path) -> None:
        self.log = log
        self.environment = replace(settings, instance_id="one").environment(os.environ)
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-c", RUN], env=self.environment, stdout=log, stderr=log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(GUARD_SECONDS)


@contextmanager
def running(settings: Settings, log: Path) -> Iterator[Worker]:
    worker = Worker(settings, log)
    try:
        yield worker
    finally:
        worker.kill()


def publish(settings: Settings, short: str, records: list[tuple[bytes | None, bytes | None]], partition: int) -> None:
    producer = Producer(settings.confluent())
    for key, value in records:
        producer.produce(settings.topic(short), value, key, partition)
    assert producer.flush(GUARD_SECONDS) == 0


Found = list[tuple[int, bytes]]
"""Partition and value of each record read."""


def read(settings: Settings, short: str, done: Callable[[Found], bool], worker: Worker) -> list[bytes]:
    """Values of a topic, read_committed, until they are ``done``."""
    topic = settings.topic(short)
    consumer = Consumer(
        settings.confluent(group_id="test", isolation_level="read_committed", enable_auto_commit=False)
    )
    consumer.assign([TopicPartition(topic, p, 0) for p in range(settings.partitions)])
    found: Found = []
    deadline = time.monotonic() + GUARD_SECONDS
    try:
        while not done(found):
            assert worker.process.poll() is None and time.monotonic() < deadline, worker.log.read_text()[-3000:]
            found += [(m.partition(), m.value()) for m in consumer.consume(500, 0.2) if not m.error()]
    finally:
        consumer.close()
    return [value for _, value in found]


@pytest.mark.kafka
def test_a_killed_worker_tells_what_an_undisturbed_list_tells(settings: Settings, tmp_path: Path) -> None:
    world = make_world(11, size=300)
    expected = Transport(world, replace(context(), partitions=settings.partitions), offsets=(0, 1))
    expected.run(random.Random(0), batch=50)
    for spec in (LOANS, CLICKS):
        event = MonitorApplied(spec.model, spec.spec, spec.to_json())
        publish(settings, "monitors", [(spec.model.encode(), encode(event))], 0)

    halves = [(0, len(log) // 2, len(log)) for log in expected.records]

    def publish_half(number: int) -> None:
        for short, log, cuts in zip(("predictions", "ground-truth"), expected.records, halves, strict=True):
            publish(settings, short, log[cuts[number] : cuts[number + 1]], PARTITION)

    def absorbed(number: int) -> Callable[[Found], bool]:
        wanted = [cuts[number + 1] - 1 for cuts in halves]

        def is_wanted(event: object) -> bool:
            return (
                isinstance(event, Progress)
                and event.partition == PARTITION
                and [event.predictions_offset, event.truths_offset] == wanted
            )

        def done(found: Found) -> bool:
            """In every partition of the topic: each has its own panes in front of the Progress."""
            return len({p for p, value in found if is_wanted(decode(value))}) == settings.partitions

        return done

    with running(settings, tmp_path / "observer.log") as worker:
        publish_half(0)
        read(settings, "panes", absorbed(0), worker)
        worker.kill()
        publish_half(1)
        worker.start()
        told = read(settings, "panes", absorbed(1), worker)
        bad = sum(isinstance(item, Bad) for log in world.logs for item in log)
        letters = read(settings, "dead-letter", lambda values: len(values) >= bad, worker)
        assert worker.stop() == 0
    panes = sorted(value for value in told if isinstance(decode(value), Pane))
    assert panes == sorted(o.value for o in expected.outputs if o.key in (b"loans", b"clicks"))
    assert len(letters) == bad > 0
