"""What a broker's folder holds, the commands that start it, and knowing that it is ready."""

from __future__ import annotations

import base64
import hashlib
import logging
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from driftloop.console.background import log_tail
from driftloop.console.broker.java import Java
from driftloop.schemas.errors import Unavailable

HERE = Path(__file__).resolve().parent
HEAP = ("-Xms96m", "-Xmx256m")
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true")
# From Java 24 on these are warned about, and later refused, unless allowed.
JVM_24 = ("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow")
READY_SECONDS_MOST = 180.0
"""On a busy machine one took 70 s; a broker that ends meanwhile is noticed at once."""


class Broker(NamedTuple):
    """A broker that is to be started: its folder, address, and the id by which it is known from any other."""

    folder: Path
    bootstrap: str
    cluster_id: str
    commands: list[list[str]]

    @property
    def log(self) -> Path:
        return self.folder / "broker.log"


def prepare(folder: Path, java: Java, jars: list[Path], port: int | None = None, cluster_id: str = "") -> Broker:
    """Write the configuration into ``folder``; the commands format the storage, then run the broker."""
    free = free_ports(2)
    port, controller_port = port or free[0], free[1]
    cluster_id = cluster_id or new_cluster_id()
    text = (HERE / "server.properties").read_text()
    filled = {"@PORT@": str(port), "@CONTROLLER_PORT@": str(controller_port), "@FOLDER@": str(folder)}
    for placeholder, value in filled.items():
        text = text.replace(placeholder, value)
    properties = folder / "server.properties"
    properties.write_text(text)
    options = [*HEAP, *JVM, *(JVM_24 if java.major >= 24 else ())]
    options += [f"-Dlog4j2.configurationFile={(HERE / 'log4j2.properties').as_uri()}"]
    if (archive := archive_of(java, jars)).exists() and archive.stat().st_size:
        options += [f"-XX:SharedArchiveFile={archive}"]
    options += ["-cp", ":".join(map(str, jars))]
    (folder / "java.options").write_text("".join(f"{_quoted(option)}\n" for option in options))
    run = [str(java.path), f"@{folder / 'java.options'}"]  # in a file, so that `ps` shows which broker it is
    formatting = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties), "--ignore-formatted"]
    return Broker(
        folder, f"127.0.0.1:{port}", cluster_id, [[*run, *formatting], [*run, "kafka.Kafka", str(properties)]]
    )


def archive_of(java: Java, jars: list[Path]) -> Path:
    """Where the classes of these jars lie, linked by this Java (classes.py), if they do."""
    files = [java.path.resolve(), *jars]
    told = [(str(file), stat.st_size, stat.st_mtime_ns) for file in files for stat in [file.stat()]]
    return jars[0].parents[1] / f"classes-{hashlib.sha256(repr(told).encode()).hexdigest()[:16]}.jsa"


def _quoted(option: str) -> str:
    """As Java reads its option files, where a backslash escapes."""
    return '"' + option.replace("\\", "\\\\").replace('"', '\\"') + '"'


def wait_until_ready(broker: Broker, running: Callable[[], bool], seconds: float = READY_SECONDS_MOST) -> None:
    """Return once the broker answers. Unavailable, with the end of its log: it ended, or is not ready in time.

    The port was free a moment ago, so another process may have taken it: only our cluster id is an answer.
    """
    deadline = time.monotonic() + seconds
    while not _answers(broker):
        if not running():
            raise Unavailable(f"the embedded broker ended while it started; {log_tail(broker.log)}")
        if time.monotonic() > deadline:
            raise Unavailable(f"the embedded broker was not ready after {seconds:.0f} s; {log_tail(broker.log)}")
        time.sleep(0.05)


def _answers(broker: Broker) -> bool:
    host, port = broker.bootstrap.split(":")
    try:
        socket.create_connection((host, int(port)), 1).close()
    except OSError:
        return False
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    quiet = logging.getLogger("driftloop.broker.start")
    quiet.disabled = True  # refused connections are what we wait for to pass
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "enable.metrics.push": False, "logger": quiet})
    try:
        if admin.list_topics(timeout=5).cluster_id != broker.cluster_id:
            return False
        # Makes the broker create its offsets topic now; otherwise the first group to join waits for that.
        for group in admin.describe_consumer_groups(["warm-up"], request_timeout=10).values():
            group.result(10)
    except (KafkaException, TimeoutError):  # a busy machine may need longer for the group than one question waits
        return False
    return True


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now. All are held until all are found, so they differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def new_cluster_id() -> str:
    """22 characters of base64 over a random uuid. Kafka's tools read a leading dash as an option."""
    while (found := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return found
