"""One or three real brokers whose end can be brought about, and undone, at any moment; they die with this process.

Three: combined broker and controller, replication 3, min.insync.replicas 2, internal topics included, with the jars,
the heap and the template of the embedded broker (console/broker). The times of failure detection are shortened.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from json import dumps
from pathlib import Path
from types import TracebackType
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from driftloop.console.broker.classes import java_and_jars
from driftloop.console.broker.embedded import SUPERVISOR, Lifeline, say_to_stderr
from driftloop.console.broker.launch import Broker, free_ports, new_cluster_id, prepare

from ..freezing import freeze

READY_SECONDS_MOST = 240.0
QUIET = {"log_level": 0, "error_cb": lambda _error: None, "enable.metrics.push": False}
REPLICATED = {
    "default.replication.factor": 3,
    "min.insync.replicas": 2,
    "offsets.topic.replication.factor": 3,
    "transaction.state.log.replication.factor": 3,
    "transaction.state.log.min.isr": 2,
    "share.coordinator.state.topic.replication.factor": 3,
    "share.coordinator.state.topic.min.isr": 2,
    # Three of each, so that every broker leads one and its loss is felt by some group and some transactions.
    "offsets.topic.num.partitions": 3,
    "transaction.state.log.num.partitions": 3,
}
QUICK = {
    # How soon a lost broker is noticed, and how soon one that was killed may register anew: 3 s for 9, and so on.
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    "replica.lag.time.max.ms": 5000,
    "controller.quorum.election.timeout.ms": 500,
    "controller.quorum.fetch.timeout.ms": 1000,
}


class ClusterFailed(Exception):
    """The brokers are not what they should be, and nobody struck them: no fault of ours."""


class Cluster:
    """``with Cluster(3) as cluster:``; brokers are numbered from 0. Three are ready in about 6 s and take 450 MB."""

    def __init__(self, brokers: int = 1) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="driftloop-chaos-"))
        self._lifeline = Lifeline(self.folder / "lifeline")
        java, jars = java_and_jars(os.environ, say_to_stderr)
        ports, controllers = free_ports(2 * brokers)[:brokers], free_ports(brokers)
        identity = new_cluster_id()
        self._brokers: list[Broker] = []
        self._supervisors: list[subprocess.Popen[bytes] | None] = [None] * brokers
        self.touched = [time.monotonic()] * brokers
        """When each was last started, killed or frozen."""
        self._frozen: set[int] = set()
        for i, port in enumerate(ports):
            folder = self.folder / f"broker-{i}"
            folder.mkdir()
            self._brokers.append(prepare(folder, java, jars, port, identity))
            _configure(folder / "server.properties", i, ports, controllers)

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.bootstrap for broker in self._brokers)

    def start(self, number: int) -> None:
        """Start one broker, for the first time or again with the data it has; ``wait_until_ready`` waits for it."""
        broker = self._brokers[number]
        self.touched[number] = time.monotonic()
        formatted = (broker.folder / "data" / "meta.properties").exists()
        (broker.folder / "commands.json").write_text(dumps(broker.commands[1:] if formatted else broker.commands))
        self._supervisors[number] = subprocess.Popen(
            [sys.executable, "-I", "-S", str(SUPERVISOR), str(broker.folder), str(self.folder / "lifeline")],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self, number: int) -> None:
        """kill -9, of the broker and its supervisor; the data stays."""
        supervisor, self._supervisors[number] = self._supervisors[number], None
        self.touched[number] = time.monotonic()
        self._frozen.discard(number)
        if supervisor is not None:
            os.killpg(supervisor.pid, signal.SIGKILL)
            supervisor.wait()

    def freeze(self, number: int) -> None:
        """SIGSTOP: connections stay and nothing is answered, until ``kill``."""
        supervisor = self._supervisors[number]
        assert supervisor is not None
        self.touched[number] = time.monotonic()
        self._frozen.add(number)
        freeze(*map(int, subprocess.check_output(["pgrep", "-g", str(supervisor.pid)]).split()))

    def struck(self, number: int) -> bool:
        """It is away because somebody wanted it so."""
        return self._supervisors[number] is None or number in self._frozen

    def registered(self) -> set[int]:
        """Numbers of the brokers that the cluster knows of; none if it does not answer."""
        return {i - 1 for i in self._registered(AdminClient({"bootstrap.servers": self.bootstrap, **QUIET}))}

    def alive(self, number: int) -> bool:
        supervisor = self._supervisors[number]
        return supervisor is not None and supervisor.poll() is None

    def wait_until_ready(self) -> None:
        """Until all brokers that run are registered with the cluster."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, **QUIET})
        wanted = {i + 1 for i in range(len(self._brokers)) if self.alive(i)}
        deadline = time.monotonic() + READY_SECONDS_MOST
        while not wanted <= self._registered(admin):
            told = "\n".join(broker.log.read_text(errors="replace")[-1000:] for broker in self._brokers)
            if time.monotonic() > deadline:
                raise ClusterFailed(f"brokers {wanted} are not all there after {READY_SECONDS_MOST:.0f} s:\n{told}")
            time.sleep(0.05)

    @staticmethod
    def _registered(admin: AdminClient) -> set[int]:
        try:
            return set(admin.list_topics(timeout=2).brokers)
        except KafkaException:
            return set()

    def leader_of(self, topic: str, partition: int) -> int:
        """Number of the broker that leads a partition; -1 for none."""
        return int(self._partitions(topic)[partition].leader) - 1

    def in_sync(self, topic: str) -> int:
        """The least number of replicas in sync of any partition of a topic."""
        return min(len(p.isrs) for p in self._partitions(topic).values())

    def _partitions(self, topic: str) -> dict[int, Any]:
        """As some broker tells it; a busy one may leave a question unanswered."""
        admin, deadline = AdminClient({"bootstrap.servers": self.bootstrap, **QUIET}), time.monotonic() + 60
        while True:
            try:
                return dict(admin.list_topics(topic, timeout=10).topics[topic].partitions)
            except KafkaException:
                if time.monotonic() > deadline:
                    raise

    def stop(self) -> None:
        self._lifeline.let_go()  # the supervisors clear up
        for supervisor in self._supervisors:
            if supervisor is not None:
                supervisor.wait(180)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Cluster:
        try:
            for number in range(len(self._brokers)):
                self.start(number)
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _configure(path: Path, number: int, ports: list[int], controllers: list[int]) -> None:
    """Make a broker's configuration, as prepared for a single one, that of one of several."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    found = dict(line.split("=", 1) for line in lines)
    found["node.id"] = str(number + 1)
    found["controller.quorum.voters"] = ",".join(f"{i + 1}@127.0.0.1:{port}" for i, port in enumerate(controllers))
    found["listeners"] = f"PLAINTEXT://127.0.0.1:{ports[number]},CONTROLLER://127.0.0.1:{controllers[number]}"
    changed = QUICK | (REPLICATED if len(ports) > 1 else {})
    found |= {key: str(value) for key, value in changed.items()}
    path.write_text("".join(f"{key}={value}\n" for key, value in found.items()))
