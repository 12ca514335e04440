"""`driftloop broker start | stop | status`: the embedded broker as a daemon that keeps its data."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from driftloop.console.background import Background, log_tail, only_one
from driftloop.console.broker.classes import java_and_jars
from driftloop.console.broker.launch import Broker, prepare, wait_until_ready
from driftloop.schemas.errors import Unavailable

STOP_SECONDS_MOST = 30.0


class RunningBroker(NamedTuple):
    bootstrap: str
    pid: int
    folder: Path


def running_broker(state_folder: Path) -> RunningBroker | None:
    """The daemon of this state folder, or None."""
    folder = state_folder / "broker"
    pid = Background(folder, "broker").pid()
    known = _remembered(folder)
    return RunningBroker(known["bootstrap"], pid, folder) if pid and known else None


def start_broker(state_folder: Path, say: Callable[[str], None]) -> RunningBroker:
    """Start the daemon, or find it running. The same address and data as the last time, where the port is free."""
    folder = state_folder / "broker"
    with only_one(folder / "start.lock"):
        if running := running_broker(state_folder):
            return running
        java, jars = java_and_jars(os.environ, say)
        known = _remembered(folder)
        broker = prepare(folder, java, jars, _port_again(known), known.get("cluster_id", ""))
        _remember(broker)
        formatting, run = broker.commands
        _format(formatting, broker.log)
        background = Background(folder, "broker")
        pid = background.start(run)
        try:
            wait_until_ready(broker, lambda: background.pid() is not None)
        except BaseException:
            background.stop(STOP_SECONDS_MOST)
            raise
        return RunningBroker(broker.bootstrap, pid, folder)


def stop_broker(state_folder: Path) -> bool:
    """Stop the daemon cleanly; its data stays. False: it did not run."""
    return Background(state_folder / "broker", "broker").stop(STOP_SECONDS_MOST)


def _format(command: list[str], log: Path) -> None:
    with log.open("ab") as output:
        if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode:
            raise Unavailable(f"the broker's storage could not be formatted; {log_tail(log)}")


def _remembered(folder: Path) -> dict[str, str]:
    path = folder / "address.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _remember(broker: Broker) -> None:
    text = json.dumps({"bootstrap": broker.bootstrap, "cluster_id": broker.cluster_id})
    temporary = broker.folder / "address.json.new"
    temporary.write_text(text)
    temporary.replace(broker.folder / "address.json")


def _port_again(known: dict[str, str]) -> int | None:
    """The port of the last time if nobody has taken it since."""
    if not known:
        return None
    port = int(known["bootstrap"].split(":")[1])
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return None
    return port
