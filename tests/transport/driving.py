"""Workers to kill, freeze and stop; records to feed them; and the count that tells whether all of it was exact."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from driftloop.schemas.settings import Settings
from toy import EACH, SOURCES, WRITES

HERE = Path(__file__).parent
GUARD_SECONDS = 180
"""After which a wait has failed: no statement about speed. CI has two cores for four tests, and neighbours."""
EXPELLED_SECONDS = 3.0
"""The session of a worker to be frozen for longer. Everybody else's outlasts what a busy machine holds up."""


def wait_until(fact: Callable[[], Any], what: str) -> Any:
    """Wait for a condition of the world outside; it is asked every 50 ms."""
    deadline = time.monotonic() + GUARD_SECONDS
    while not (found := fact()):
        assert time.monotonic() < deadline, f"{what}: not within {GUARD_SECONDS} s"
        time.sleep(0.05)
    return found


class Workers:
    """Processes of one service in one group."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.all: list[subprocess.Popen[bytes]] = []

    def start(
        self, instance_id: str = "", session_seconds: float | None = None, **faults: Any
    ) -> subprocess.Popen[bytes]:
        """With an instance id a successor of that name need not wait for the end of the session."""
        told = {
            "bootstrap_servers": self.settings.bootstrap_servers,
            "prefix": self.settings.prefix,
            "partitions": self.settings.partitions,
            "session_seconds": session_seconds or self.settings.session_seconds,
            "instance_id": instance_id,
        }
        with self.log_file(len(self.all)).open("wb") as log:
            command = [sys.executable, str(HERE / "toy_worker.py"), json.dumps(told), json.dumps(faults)]
            self.all.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
        return self.all[-1]

    def log_file(self, number: int) -> Path:
        return self.folder / f"worker-{number}.log"

    def log(self, worker: subprocess.Popen[bytes]) -> str:
        return self.log_file(self.all.index(worker)).read_text(errors="replace")

    def restored(self, worker: subprocess.Popen[bytes]) -> list[int]:
        """The partitions it has restored, in the order in which it has begun with them."""
        return [int(number) for number in re.findall(r"restoring partition (\d)", self.log(worker))]

    def wait_for(self, worker: subprocess.Popen[bytes], sentence: str) -> None:
        """``sentence`` is a regular expression."""

        def said() -> bool:
            found = re.search(sentence, self.log(worker)) is not None
            assert worker.poll() is None or found, self.log(worker)
            return found

        wait_until(said, f"{sentence!r} in the log")

    def stop(self, worker: subprocess.Popen[bytes]) -> int:
        worker.send_signal(signal.SIGTERM)
        return self.end_of(worker)

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """It must still be at work: what has ended by itself is not the fault that was meant."""
        assert worker.poll() is None, self.log(worker)
        worker.kill()
        worker.wait()

    def end_of(self, worker: subprocess.Popen[bytes]) -> int:
        """Its exit code, when it has ended."""
        return worker.wait(GUARD_SECONDS)

    def end(self) -> None:
        """Stop them all; pytest shows what they said when a test has failed."""
        for worker in self.all:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
            print(f"--- worker {self.all.index(worker)}, exit {worker.returncode}\n{self.log(worker)}")


def feed(settings: Settings, each: int, value_bytes: int = 20) -> None:
    """``each`` more records into every partition of both sources."""
    producer = Producer(settings.confluent(linger_ms=20, enable_idempotence=True))
    for i in range(each):
        for short in SOURCES:
            for partition in range(settings.partitions):
                producer.produce(settings.topic(short), b"v" * value_bytes, b"%d" % i, partition=partition)
        producer.poll(0)
        if i % 1000 == 999:
            producer.flush(GUARD_SECONDS)
    assert producer.flush(GUARD_SECONDS) == 0


@contextmanager
def flowing(settings: Settings) -> Iterator[Callable[[], int]]:
    """Records come all the while, some every 50 ms. What it gives tells how many have come into every partition so
    far; when it has ended, that is all of them."""
    over, fed = threading.Event(), [0]

    def flow() -> None:
        while not over.wait(0.05):
            feed(settings, 50)
            fed[0] += 50

    with ThreadPoolExecutor(1, "flow") as pool:
        flows = pool.submit(flow)
        try:
            yield lambda: fed[0]
        finally:
            over.set()
        flows.result()


def read_all(settings: Settings, short: str, isolation: str = "read_committed") -> Iterator[Message]:
    """Every record of a topic, to its end."""
    consumer = Consumer(
        settings.confluent(
            group_id=uuid.uuid4().hex,
            enable_partition_eof=True,
            isolation_level=isolation,
            auto_offset_reset="earliest",
            fetch_wait_max_ms=10,
        )
    )
    partitions = range(settings.partitions)
    consumer.assign([TopicPartition(settings.topic(short), p, 0) for p in partitions])
    ended: set[int] = set()
    deadline = time.monotonic() + GUARD_SECONDS
    while len(ended) < settings.partitions:
        assert time.monotonic() < deadline
        for message in consumer.consume(2000, 0.05):
            if message.error() is None:
                yield message
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    consumer.close()


def read_state(settings: Settings) -> dict[int, dict[bytes, bytes]]:
    """The live records of the state topic, by partition."""
    rows: dict[int, dict[bytes, bytes]] = {p: {} for p in range(settings.partitions)}
    for message in read_all(settings, "observer-state"):
        rows[message.partition()][message.key()] = message.value()
    return rows


def absorbed(settings: Settings) -> dict[tuple[str, int], int]:
    """How many records the state has absorbed, by topic and partition."""
    found = {}
    for partition, rows in read_state(settings).items():
        header = json.loads(rows.get(b"header", b'{"sources": {}}'))
        for short in SOURCES:
            topic = settings.topic(short)
            found[topic, partition] = header["sources"].get(topic, -1) + 1
    return found


def committed(settings: Settings) -> dict[tuple[str, int], int]:
    """The group's committed offsets, 0 where there is none."""
    consumer = Consumer(settings.confluent(group_id=settings.group("toy"), enable_auto_commit=False))
    asked = [TopicPartition(settings.topic(s), p) for s in SOURCES for p in range(settings.partitions)]
    found = {(at.topic, at.partition): max(0, at.offset) for at in consumer.committed(asked, timeout=GUARD_SECONDS)}
    consumer.close()
    return found


def expect_commits_behind_state(settings: Settings) -> None:
    """Commits first: the state only grows, so what is read later must be at least as far."""
    commits = committed(settings)
    state = absorbed(settings)
    ahead = {where: (commits[where], state[where]) for where in state if commits[where] > state[where]}
    assert not ahead, f"commits ahead of the state: {ahead}"


def wait_until_absorbed(settings: Settings, each: int) -> None:
    """Until the committed state holds ``each`` records of every partition of both sources."""
    wait_until(lambda: min(absorbed(settings).values()) >= each, f"{each} records absorbed")


def expect_exact(settings: Settings, each: int) -> None:
    """State and outputs as if every offset 0..each-1 had come exactly once."""
    offsets = np.arange(each)
    counts = np.bincount(offsets % 100, minlength=100)
    sums = np.bincount(offsets % 100, weights=offsets, minlength=100).astype(np.int64)
    for partition, rows in read_state(settings).items():
        state = np.concatenate(
            [np.frombuffer(rows[b"d%d" % i], np.int64).reshape(2, 2, 10) for i in range(10)], axis=2
        )
        for topic in range(2):
            assert (state[topic, 0] == counts).all(), f"counts of source {topic}, partition {partition}"
            assert (state[topic, 1] == sums).all(), f"sums of source {topic}, partition {partition}"
    expect_outputs(settings, set(range(EACH - 1, each, EACH)))
    expect_commits_behind_state(settings)


def expect_outputs(settings: Settings, offsets: set[int]) -> None:
    """Each output id once for a read_committed reader, in its partition, with its value."""
    times: Counter[bytes] = Counter()
    for message in read_all(settings, WRITES):
        times[message.key()] += 1
        _, partition, offset = (int(part) for part in message.key().split(b"-"))
        assert message.partition() == partition
        assert int(message.value()) == offset + 1
    wanted = {b"%d-%d-%d" % (t, p, o) for t in range(2) for p in range(settings.partitions) for o in offsets}
    assert set(times) == wanted
    assert set(times.values()) <= {1}, f"twice: {[name for name, n in times.items() if n > 1][:5]}"
