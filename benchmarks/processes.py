"""Workers as operators start them (``driftloop observer``), watched from outside through /proc.

CPU is utime + stime of the process, which counts the threads that have ended too.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient
from driftloop.schemas.settings import Settings

OBSERVER = (sys.executable, "-m", "driftloop.console", "observer")
TICKS = os.sysconf("SC_CLK_TCK")
QUIET_CORE_SHARE = 0.10
QUIET_SECONDS = 1.0
START_SECONDS_MOST = 60.0
STOP_SECONDS_MOST = 40.0


class Worker:
    """One process; ``folder / name`` gets what it says."""

    def __init__(
        self, settings: Settings, folder: Path, name: str, command: Sequence[str] = OBSERVER, **more: str
    ) -> None:
        self.log = folder / f"{name}.log"
        environment = settings.environment(os.environ) | more
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(command, env=environment, cwd=folder, stdout=out, stderr=out)

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu_seconds(self) -> float:
        """Of all threads since the process began."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mb(self, peak: bool = False) -> float:
        """Resident memory now, or the most so far."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB" if peak else r"VmRSS:\s+(\d+) kB", status)
        assert found is not None, f"{self.log.name} has ended: {self.log.read_text()[-2000:]}"
        return int(found[1]) / 1024

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """The exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(STOP_SECONDS_MOST)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Fleet:
    """``count`` workers of one group; ended with the block."""

    def __init__(
        self, settings: Settings, folder: Path, count: int = 1, command: Sequence[str] = OBSERVER, **more: str
    ) -> None:
        self.settings = settings
        self.workers: list[Worker] = []
        self._make = lambda i: Worker(settings, folder, f"{settings.prefix}-{i}", command, **more)
        self._count = count

    def __enter__(self) -> Fleet:
        self.workers = [self._make(i) for i in range(self._count)]
        try:
            self.wait_until_quiet()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGTERM)
        for worker in self.workers:
            worker.stop()

    def cpu_seconds(self) -> list[float]:
        return [worker.cpu_seconds() for worker in self.workers]

    def wait_until_quiet(self) -> None:
        """The group is stable with all members, and none of them has anything to do any more."""
        admin = AdminClient(self.settings.confluent())
        wait_for(lambda: self._members(admin) == self._count, START_SECONDS_MOST, "the group to be stable")
        wait_for(self._quiet, START_SECONDS_MOST, "the workers to be idle")

    def shares(self) -> list[int]:
        """Partitions of each member."""
        admin = AdminClient(self.settings.confluent())
        group = self.settings.group("observer")
        found = admin.describe_consumer_groups([group])[group].result(10)
        return sorted(len(m.assignment.topic_partitions) // 2 for m in found.members)

    def _members(self, admin: AdminClient) -> int:
        for worker in self.workers:
            assert worker.process.poll() is None, f"{worker.log.name} ended: {worker.log.read_text()[-2000:]}"
        group = self.settings.group("observer")
        try:
            found = admin.describe_consumer_groups([group])[group].result(10)
        except Exception:
            return 0
        return len(found.members) if found.state == ConsumerGroupState.STABLE else 0

    def _quiet(self) -> bool:
        before = sum(self.cpu_seconds())
        time.sleep(QUIET_SECONDS)
        return sum(self.cpu_seconds()) - before < QUIET_CORE_SHARE * QUIET_SECONDS * len(self.workers)


def wait_for(condition: Callable[[], bool], seconds_most: float, what: str) -> None:
    """Poll; TimeoutError names what did not come."""
    deadline = time.monotonic() + seconds_most
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds_most:.0f} s for {what}")
        time.sleep(0.05)
