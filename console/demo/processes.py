"""The demo's processes: broker, observer, judge, retrainer and the comparison, none of which outlives it.

Each is a real process of the command line with a log of its own, tethered to us by its stdin (tether.py). If one ends
while it should not, ``check`` says which and shows the end of its log.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from driftloop.console.background import log_tail
from driftloop.console.broker.embedded import EmbeddedBroker
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.settings import Settings

STOP_SECONDS = 10.0
TETHER = "driftloop.console.demo.tether"


class Processes:
    """``with Processes(...) as processes:`` all of them are gone behind it."""

    def __init__(self, settings: Settings, logs: Path, broker: EmbeddedBroker | None = None) -> None:
        self.logs = logs
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._jobs: set[str] = set()
        self._broker = broker
        self._environment = environment_of(settings)
        logs.mkdir(parents=True, exist_ok=True)

    def service(self, name: str) -> None:
        """Start ``driftloop <name>``, which goes on until it is told to stop."""
        self._start(name, ["-m", TETHER, name], {}, nice=0)

    def job(self, name: str, command: Sequence[str], more: Mapping[str, str], nice: int) -> None:
        """Start a Python process that ends by itself, or when its stdin does; ``more``: of its environment."""
        self._jobs.add(name)
        self._start(name, command, more, nice)

    def names(self) -> dict[int, str]:
        """Process id -> name of what runs, ourselves included."""
        return {os.getpid(): "app"} | {process.pid: name for name, process in list(self.running.items())}

    def _start(self, name: str, command: Sequence[str], more: Mapping[str, str], nice: int) -> None:
        priority = ["nice", "-n", str(nice)] if nice else []
        with (self.logs / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*priority, sys.executable, *command],
                env=self._environment | dict(more),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we end them when we are done with them
            )

    def check(self) -> None:
        """Unavailable, with the end of its log: one has ended by itself."""
        for name, process in self.running.items():
            code = process.poll()
            if code is not None and not (name in self._jobs and code == 0):
                self._fail(name, code)
        if self._broker and self._broker.ended:
            raise Unavailable("the broker ended by itself", log_tail(self._broker.folder / "broker.log"))

    def wait(self, name: str, seconds: float) -> None:
        """Until this one has done its work. Unavailable: it has not."""
        try:
            code = self.running[name].wait(seconds)
        except subprocess.TimeoutExpired:
            raise Unavailable(
                f"{name} has not ended within {seconds:.0f} s", log_tail(self.logs / f"{name}.log")
            ) from None
        if code:
            self._fail(name, code)
        self._forget(name)

    def stop(self) -> None:
        """SIGTERM to all, so that they drain and leave their groups; SIGKILL to who does not."""
        for process in self.running.values():
            process.terminate()
        for name, process in list(self.running.items()):
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._forget(name)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _fail(self, name: str, code: int) -> None:
        raise Unavailable(f"{name} ended by itself (exit code {code})", log_tail(self.logs / f"{name}.log"))

    def _forget(self, name: str) -> None:
        process = self.running.pop(name)
        if process.stdin:
            process.stdin.close()


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment in which a command of ours finds this deployment."""
    own = {
        "DRIFTLOOP_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "DRIFTLOOP_PREFIX": settings.prefix,
        "DRIFTLOOP_PARTITIONS": str(settings.partitions),
        "DRIFTLOOP_STATE": str(settings.state_folder),
        # A fit shares two cores with a stream: threads that spin while they wait would take them from the others.
        "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "1",
    }
    return dict(os.environ) | own
