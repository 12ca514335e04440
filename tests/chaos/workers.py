"""Observer workers as an operator's supervisor runs them: started again when they end, and what each was handed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from driftloop.schemas.settings import Settings
from driftloop.streams.transport.exits import Exit

from .metered_worker import ROW

SCRIPT = Path(__file__).with_name("metered_worker.py")
STOP_SECONDS_MOST = 120.0
SURVIVED = {Exit.FENCED, Exit.STUCK, Exit.ZOMBIE}
"""Ends by the fence and by the watchdog: a supervisor starts the worker again, and nothing was lost."""


@dataclass
class Worker:
    """One process. ``seat``: its group instance id, that of its predecessor if it took its place; "" for none.
    ``ending``: how it was told to end ("kill", "term"), "" if by nobody."""

    name: str
    seat: str
    process: subprocess.Popen[bytes]
    meter: Path
    log: Path
    ending: str = ""
    frozen_until: float = 0.0
    started: float = field(default_factory=time.time)

    def handed(self) -> list[tuple[float, float]]:
        """(records handed to folds, when last) by partition; empty before it has come so far."""
        data = self.meter.read_bytes() if self.meter.exists() else b""
        return list(ROW.iter_unpack(data)) if data else []

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def exit_name(self) -> str:
        code = self.process.returncode
        if code is None:
            return "RUNNING"
        if code < 0:
            return signal.Signals(-code).name
        return Exit(code).name if code in list(Exit) else str(code)

    @property
    def expected(self) -> bool:
        """It ended as it had to: as it was told (by the signal itself, where it was not even up), or by a guard that
        a supervisor answers with a new start."""
        if self.ending == "kill":
            return self.process.returncode == -signal.SIGKILL
        if self.ending == "term":
            not_up = self.process.returncode == -signal.SIGTERM and not self.log.stat().st_size
            return not_up or self.process.returncode in {Exit.STOPPED, *SURVIVED}
        return self.process.returncode in SURVIVED


class Workers:
    """All processes of a run, the ended ones too. ``static``: each is a static member of the group."""

    def __init__(self, settings: Settings, folder: Path, static: bool) -> None:
        self.settings, self.folder, self.static = settings, folder, static
        self.all: list[Worker] = []

    def start(self, seat: str = "") -> Worker:
        """A new process; ``seat``: in the place of one that has ended."""
        name = f"w{len(self.all)}"
        seat = seat or (f"seat-{len(self.all)}" if self.static else "")
        environment = replace(self.settings, instance_id=seat).environment(os.environ)
        log, meter = self.folder / f"{name}.log", self.folder / f"{name}.meter"
        command = [sys.executable, str(SCRIPT), str(meter), str(self.settings.partitions)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.all.append(Worker(name, seat, process, meter, log))
        return self.all[-1]

    @property
    def running(self) -> list[Worker]:
        return [worker for worker in self.all if worker.running]

    @property
    def healthy(self) -> list[Worker]:
        """Running and not frozen."""
        return [worker for worker in self.running if not worker.frozen_until]

    def freeze(self, worker: Worker, seconds: float) -> None:
        worker.process.send_signal(signal.SIGSTOP)
        worker.frozen_until = time.time() + seconds

    def thaw(self, everybody: bool = False) -> list[Worker]:
        """Those whose time is over; the thawed."""
        over = [w for w in self.running if w.frozen_until and (everybody or time.time() >= w.frozen_until)]
        for worker in over:
            worker.frozen_until = 0.0
            worker.process.send_signal(signal.SIGCONT)
        return over

    def owner_of(self, partition: int) -> str:
        """Who was handed records of a partition last; "" for nobody yet."""
        last = [(rows[partition][1], w.name) for w in self.all if (rows := w.handed())]
        when, name = max(last, default=(0.0, ""))
        return name if when else ""

    def handed(self) -> int:
        """Records handed to folds, of all processes that ever were."""
        return int(sum(count for worker in self.all for count, _ in worker.handed()))

    def stop(self) -> None:
        """SIGTERM to all, and wait for their end."""
        running = self.running
        for worker in running:
            worker.ending = worker.ending or "term"
            worker.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS_MOST
        for worker in running:
            try:
                worker.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()  # -9 where it was told "term": an unexpected end
                worker.process.wait()

    def end(self) -> None:
        """Whatever still runs, at once."""
        for worker in self.running:
            worker.process.kill()
            worker.process.wait()
