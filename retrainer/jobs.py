"""Training processes: one a run, with limits, a log, and a lifeline so that none outlives the service.

A child is told its plan in one line on stdin, which then stays open: when the service ends, however it ends, the
child reads the end of it and leaves. It answers with one file, written whole (run.py). A run whose answer lies there
already is not trained again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from driftloop.retrainer.runs import Plan, RunEnded, ended_from_json, order_to_json
from driftloop.schemas.events import DecisionRecorded
from driftloop.schemas.monitor.specification import RetrainPolicy
from driftloop.schemas.settings import Settings

POLITE = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Unless the deployment says otherwise. OpenMP threads that wait by spinning made a fit of scikit-learn's gradient
boosting 5 to 10 times slower on two busy cores (50,000 rows: 5.0 s against .5 s)."""
REPEATABLE = {"PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}
"""The order of a set of texts, and so the bytes of a pickle, must not differ from process to process."""
RESULT, LOG = "result.json", "log.txt"
STOP_SECONDS = 2.0
LOG_BYTES_READ = 16_384


@dataclass(slots=True)
class Job:
    """One child. ``deadline`` on the monotonic clock."""

    started: DecisionRecorded
    folder: Path
    process: subprocess.Popen[bytes] | None
    deadline: float
    limit_seconds: float


def run_folder(settings: Settings, run: str) -> Path:
    """Where a run keeps its log and its answer."""
    return settings.state_folder / "retrainer" / "runs" / run


class Jobs:
    """The training processes of this service. Every call returns at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._jobs: dict[str, Job] = {}

    def __contains__(self, run: str) -> bool:
        return run in self._jobs

    def __len__(self) -> int:
        return len(self._jobs)

    def start(self, plan: Plan, limits: RetrainPolicy) -> None:
        """Train, unless the answer of this very run is there from before a crash."""
        folder = Path(plan.folder)
        folder.mkdir(parents=True, exist_ok=True)
        process = None if _answer(folder, plan.started.run) else self._spawn(plan, folder)
        deadline = time.monotonic() + limits.time_limit_seconds
        self._jobs[plan.started.run] = Job(plan.started, folder, process, deadline, limits.time_limit_seconds)

    def finished(self) -> list[RunEnded]:
        """Runs that have ended since the last call, those over their time among them."""
        ended = []
        for run, job in list(self._jobs.items()):
            if job.process is None or job.process.poll() is not None:
                ended.append(_ended(job))
            elif time.monotonic() > job.deadline:
                _end(job.process, signal.SIGKILL)
                ended.append(_failed(job, f"it took longer than the limit of {job.limit_seconds:g} s"))
            else:
                continue
            del self._jobs[run]
        return ended

    def stop(self) -> None:
        """End every child; their runs go on at the next start."""
        for job in self._jobs.values():
            if job.process:
                _end(job.process, signal.SIGTERM)
        self._jobs.clear()

    def _spawn(self, plan: Plan, folder: Path) -> subprocess.Popen[bytes]:
        environment = {**POLITE, **os.environ, **REPEATABLE}
        with (folder / LOG).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "driftloop.retrainer.run"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C at the terminal is the service's to handle
            )
        assert process.stdin is not None
        _tell(process.stdin, order_to_json(plan, self._settings))
        return process


def _tell(pipe: IO[bytes], line: str) -> None:
    try:
        pipe.write(line.encode() + b"\n")
        pipe.flush()
    except BrokenPipeError:
        pass  # it has died already: its exit code and its log say why


def _answer(folder: Path, run: str) -> RunEnded | None:
    try:
        ended = ended_from_json((folder / RESULT).read_text())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return ended if ended.run == run else None


def _ended(job: Job) -> RunEnded:
    if job.process:
        _signal(job.process, signal.SIGKILL)  # what the trainer had started itself, and left behind
        if job.process.stdin:
            job.process.stdin.close()
    if found := _answer(job.folder, job.started.run):
        return found
    code = job.process.returncode if job.process else 0
    return _failed(job, f"the training process ended with {_exit(code)}: {_last_line(_tail(job.folder / LOG))}")


def _failed(job: Job, why: str) -> RunEnded:
    return RunEnded(job.started.model, job.started.run, failure=why, log=_tail(job.folder / LOG))


def _exit(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"signal {-code}"


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_BYTES_READ))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it left no word"


def _signal(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """To the child and to what its trainer has started, which would hold its memory and cores for ever."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, how)  # it leads a session of its own


def _end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    _signal(process, how)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _signal(process, signal.SIGKILL)
    if process.stdin:
        process.stdin.close()
