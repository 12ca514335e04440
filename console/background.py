"""A process that outlives the command that started it: found again, and stopped, through a lock that it holds.

The process inherits a locked pid file. Whether it lives is asked of the lock, not of the number in the file: a number
may by now belong to somebody else, a lock dies with its holder.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from driftloop.schemas.errors import Unavailable

LOG_TAIL_LINES = 30


class Background:
    """The process called ``name``: <folder>/<name>.pid and <folder>/<name>.log are its files."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder
        self.log = folder / f"{name}.log"
        self.pid_file = folder / f"{name}.pid"

    def pid(self) -> int | None:
        """Its process id; None: it does not run."""
        try:
            handle = os.open(self.pid_file, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
        except BlockingIOError:
            return int(self.pid_file.read_text() or 0) or None
        finally:
            os.close(handle)

    def start(self, command: list[str], environment: Mapping[str, str] | None = None) -> int:
        """Start it, with its output appended to its log; its process id. The caller has seen that it does not run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.pid_file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            with self.log.open("ab") as log:
                process = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[handle],
                    start_new_session=True,
                )
            os.ftruncate(handle, 0)
            os.write(handle, str(process.pid).encode())
            return process.pid
        finally:
            os.close(handle)

    def terminate(self) -> int | None:
        """Ask it to end (SIGTERM); its process id, None: it did not run."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
        return pid

    def stop(self, seconds: float) -> bool:
        """SIGTERM, after ``seconds`` SIGKILL to it and its children. False: it did not run."""
        pid = self.terminate()
        if pid is None:
            return False
        if not self._ended_within(seconds):
            os.killpg(pid, signal.SIGKILL)
            if not self._ended_within(10):
                raise Unavailable(f"{self.name} (process {pid}) does not end", f"look at it: ps -f -p {pid}")
        self.pid_file.unlink(missing_ok=True)
        return True

    def _ended_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.pid() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def log_tail(log: Path) -> str:
    """The last lines of a log, under its name."""
    if not log.exists():
        return f"it wrote nothing to {log}"
    lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return f"the end of {log}:\n  " + "\n  ".join(lines)


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold the file ``lock``; whoever else wants it waits."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
