"""The whole loop as real processes of the command line, and what its topics say, for the tests of this folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from driftloop.client.producer import Producer
from driftloop.console.monitor import apply_monitor
from driftloop.console.reference import Selection, build
from driftloop.schemas import codec
from driftloop.schemas.events import DecisionRecorded, WindowMeasured
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.settings import Settings

from ..patience import GUARD_SECONDS
from .world import Loan, World

SPECIFICATION = Path(__file__).with_name("loans.toml")
MODEL = "loans"
QUIET = {"log_level": 0}
"""librdkafka tells a stopped broker on stderr; a test tells what it expects."""
Step = tuple[float, bool, Loan]
"""Event time, is it a truth, whose."""


class Loop:
    """Observer, judge and retrainer of one prefix. ``kill`` and ``start`` may be called at any moment; with an
    instance id in the settings a successor takes over at once, not at the end of the killed one's session."""

    def __init__(self, settings: Settings, logs: Path) -> None:
        self.settings = settings
        self.logs = logs
        self.environment = settings.environment(os.environ)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def command(self, *arguments: str, seconds: float = GUARD_SECONDS) -> str:
        """Run one command of ours to its end; its output. A failure shows all it said."""
        done = subprocess.run(
            [sys.executable, "-m", "driftloop.console", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, (
            f"driftloop {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done.stdout

    def start(self, *services: str) -> None:
        for service in services:
            with (self.logs / f"{service}.log").open("ab") as log:
                self.processes[service] = subprocess.Popen(
                    [sys.executable, "-m", "driftloop.console", service],
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def kill(self, service: str) -> None:
        """kill -9, of the service and of whatever it had started."""
        process = self.processes.pop(service)
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, *services: str) -> dict[str, int]:
        """SIGTERM to these, or to all; their exit codes."""
        stopped = {service: self.processes.pop(service) for service in services or list(self.processes)}
        for process in stopped.values():
            process.terminate()
        codes = {}
        for service, process in stopped.items():
            try:
                codes[service] = process.wait(GUARD_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                codes[service] = process.wait()
        return codes

    def check_alive(self) -> None:
        for service, process in self.processes.items():
            if process.poll() is not None:
                tail = (self.logs / f"{service}.log").read_text(errors="replace")[-3000:]
                raise AssertionError(f"{service} ended with {process.returncode}:\n{tail}")

    def read(self, short: str) -> list[Any]:
        """Every event on a topic of ours now, in order within a partition, as read_committed shows it."""
        return [codec.decode(value) for _, value in self.read_raw(short) if value]

    def read_raw(self, short: str) -> list[tuple[Any, bytes | None]]:
        consumer = Consumer(
            self.settings.confluent(
                group_id=f"{self.settings.prefix}-test-reader",
                isolation_level="read_committed",
                enable_auto_commit=False,
                enable_partition_eof=True,
                auto_offset_reset="earliest",
            )
            | QUIET
        )
        try:
            topic = self.settings.topic(short)
            partitions = list(consumer.list_topics(topic, timeout=GUARD_SECONDS).topics[topic].partitions)
            consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
            found, open_partitions = [], set(partitions)
            while open_partitions:
                for message in consumer.consume(500, 0.05):
                    if message.error():
                        open_partitions.discard(message.partition())
                    else:
                        found.append((message, message.value()))
            return found
        finally:
            consumer.close()

    def wait(self, what: str, condition: Callable[[], Any], seconds: float = GUARD_SECONDS) -> Any:
        """The first true answer of ``condition``; a process that dies meanwhile, or the deadline, ends the test."""
        deadline = time.monotonic() + seconds
        while not (answer := condition()):
            self.check_alive()
            if time.monotonic() > deadline:
                logs = "\n".join(
                    f"-- {p.name}\n{p.read_text(errors='replace')[-2000:]}" for p in self.logs.glob("*.log")
                )
                raise AssertionError(f"waited {seconds} s for {what}\n{logs}")
            time.sleep(0.1)  # between two looks at a topic, not for time to pass
        return answer


@contextmanager
def running(settings: Settings, logs: Path) -> Iterator[Loop]:
    loop = Loop(settings, logs)
    try:
        yield loop
    finally:
        for service in list(loop.processes):
            loop.kill(service)


def steps_of(world: World) -> tuple[list[Step], list[Step]]:
    """Every record the world's loans cause, in the order of event time: those before it goes live, and the rest."""
    steps: list[Step] = [(loan.event_time, False, loan) for loan in world.loans]
    steps += [(loan.known_at, True, loan) for loan in world.loans if loan.label is not None]
    steps.sort(key=lambda step: step[:2])
    return [s for s in steps if s[0] < world.live_from], [s for s in steps if s[0] >= world.live_from]


def publish(
    settings: Settings,
    steps: Iterable[Step],
    until: float | None = None,
    specification: MonitorSpecification | None = None,
) -> None:
    """These records in their order, then, if given, the word that nothing before ``until`` will come."""
    with Producer(MODEL, settings, version="v1", specification=specification) as producer:
        for when, is_truth, loan in steps:
            if is_truth:
                producer.observed(loan.prediction_id, loan.label, event_time=when)
            else:
                producer.predicted(
                    loan.features,
                    loan.score,
                    event_time=when,
                    prediction_id=loan.prediction_id,
                    version=loan.version,
                    role=loan.role,
                )
        if until is not None:
            producer.tick(until)
        assert producer.flush(GUARD_SECONDS) == 0
        assert (producer.failed, producer.dropped) == (0, 0)


def prepare(loop: Loop, world: World, specification: Path = SPECIFICATION) -> None:
    """Specification, history and reference: what `prepare_by_command` does, without a process a command."""
    apply_monitor(loop.settings, specification)
    publish(loop.settings, steps_of(world)[0], world.live_from)
    assert list(build(loop.settings, MODEL, Selection(role="history")))


def prepare_by_command(loop: Loop, world: World) -> None:
    """The same, as an operator would set them up."""
    loop.command("monitor", "apply", str(SPECIFICATION))
    publish(loop.settings, steps_of(world)[0], world.live_from)
    loop.command("reference", "build", MODEL, "--role", "history")


def final_windows(events: list[WindowMeasured]) -> dict[tuple[float, str], WindowMeasured]:
    """The last revision of every window, by its start and version."""
    last: dict[tuple[float, str], WindowMeasured] = {}
    for window in events:
        key = (window.window_start, window.version)
        if key not in last or window.revision >= last[key].revision:
            last[key] = window
    return last


def ended_runs(decisions: list[DecisionRecorded]) -> list[DecisionRecorded]:
    return [d for d in decisions if d.kind in ("promoted", "rejected", "failed")]
