"""The demo's processes: broker, observer, judge, retrainer and the offline part, none of which outlives it.

Each is a real process with a log of its own, tethered to us by its stdin (tether.py). If one ends while it should
not, ``check`` says which and shows the end of its log.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from driftloop.console.background import log_tail
from driftloop.console.broker.embedded import EmbeddedBroker
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.settings import Settings

STOP_SECONDS = 20.0
"""A worker that has not drained 15 s after it was told to ends all the same (streams/transport/run.py)."""
LOOK_SECONDS = 0.02
OFFLINE = "offline"
PACKAGE = "driftloop.console.demo"


class Processes:
    """``with Processes(folder) as processes:`` all of them are gone behind it. ``broker``: ours, if there is one."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.logs = folder, folder / "logs"
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.broker: EmbeddedBroker | None = None
        self._jobs: set[str] = set()
        self.logs.mkdir(parents=True, exist_ok=True)

    def service(self, name: str, settings: Settings) -> None:
        """Start ``driftloop <name>``, which goes on until it is told to stop."""
        self._start(name, [f"{PACKAGE}.tether", name], settings.environment(os.environ))

    def job(self, name: str, arguments: Sequence[str]) -> None:
        """Start the demo's module ``name``, which ends by itself."""
        self._jobs.add(name)
        self._start(name, [f"{PACKAGE}.{name}", *arguments], dict(os.environ))

    def names(self) -> dict[int, str]:
        """Process id -> name of what runs, ourselves included."""
        return {os.getpid(): "app"} | {process.pid: name for name, process in list(self.running.items())}

    def check(self) -> None:
        """Unavailable, with the end of its log: one has ended by itself."""
        for name, process in self.running.items():
            code = process.poll()
            if code is not None and not (name in self._jobs and code == 0):
                raise Unavailable(f"{name} ended by itself (exit code {code})", log_tail(self.log(name)))
        if self.broker and self.broker.ended:
            raise Unavailable("the broker ended by itself", log_tail(self.broker.folder / "broker.log"))

    def file(self, job: str, name: str, seconds: float) -> Path:
        """The file that a job writes, as soon as it is there."""
        file, deadline = self.folder / name, time.monotonic() + seconds
        while not file.exists():
            self.check()
            if time.monotonic() > deadline:
                raise Unavailable(f"{job} has not written {name} within {seconds:.0f} s", log_tail(self.log(job)))
            time.sleep(LOOK_SECONDS)
        return file

    def log(self, name: str) -> Path:
        """Where it writes what it has to say."""
        return self.logs / f"{name}.log"

    def stop_services(self) -> None:
        """SIGTERM, so that they drain and leave their groups; SIGKILL to who does not."""
        self._stop([name for name in self.running if name not in self._jobs])

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop(list(self.running))

    def _start(self, name: str, command: Sequence[str], environment: dict[str, str]) -> None:
        with self.log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we end them when we are done with them
            )

    def _stop(self, names: Sequence[str]) -> None:
        for name in names:
            if name in self._jobs:
                self.running[name].kill()  # it has nothing to drain, and at its low priority may take long to hear
            else:
                self.running[name].terminate()
        for name in names:
            process = self.running[name]
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                print(f"{name} did not end within {STOP_SECONDS:.0f} s and was killed", file=sys.stderr)
                process.kill()
                process.wait()
            del self.running[name]
            if process.stdin:
                process.stdin.close()
