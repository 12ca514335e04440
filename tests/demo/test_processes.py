"""None of the demo's processes outlives it, and one that ends by itself is named with its last words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from driftloop.console.demo import processes as module
from driftloop.console.demo.memory import MemoryMeter, resident_mb
from driftloop.console.demo.processes import Processes
from driftloop.schemas.errors import Unavailable

STARTER = """
import sys, time
from pathlib import Path
from driftloop.console.demo import processes
processes.PACKAGE = "helpers"
with processes.Processes(Path(sys.argv[1])) as found:
    found.job("patient", [])
    print(found.running["patient"].pid, flush=True)
    time.sleep(60)
"""
PATIENT = """
import threading, time
from driftloop.console.demo.tether import end_with_the_starter
threading.Thread(target=end_with_the_starter, daemon=True).start()
print("here", flush=True)
time.sleep(60)
"""


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of processes to start, in place of the demo's own."""
    folder = tmp_path / "helpers"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "patient.py").write_text(PATIENT)
    (folder / "broken.py").write_text("print('the last words')\nraise SystemExit(7)\n")
    (folder / "writer.py").write_text("import sys\nopen(sys.argv[1], 'w').close()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(module, "PACKAGE", "helpers")
    return tmp_path


def wait(condition: Callable[[], bool], what: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)  # between two looks


def gone(pid: int) -> bool:
    """No such process; or a zombie, whose parent died and whom nobody has buried yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_who_ends_by_itself_is_named_with_its_last_words(helpers: Path) -> None:
    with Processes(helpers) as processes:
        processes.job("broken", [])
        processes.running["broken"].wait(180)
        with pytest.raises(Unavailable, match=r"broken ended by itself \(exit code 7\)\n(.|\n)*the last words"):
            processes.check()


def test_a_job_may_end_when_it_is_done_and_its_file_is_waited_for(helpers: Path) -> None:
    with Processes(helpers) as processes:
        processes.job("writer", [str(helpers / "figures.json")])
        assert processes.file("writer", "figures.json", 180).exists()
        processes.running["writer"].wait(180)
        processes.check()
        with pytest.raises(Unavailable, match=r"writer has not written other.json"):
            processes.file("writer", "other.json", 0.01)


def test_behind_the_with_nothing_runs(helpers: Path) -> None:
    with pytest.raises(ZeroDivisionError), Processes(helpers) as processes:
        processes.job("patient", [])
        pid = processes.running["patient"].pid
        raise ZeroDivisionError
    assert gone(pid)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_even_the_end_of_the_starter_by_kill_leaves_nobody_behind(helpers: Path, how: signal.Signals) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(helpers)], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert starter.stdout
    pid = int(starter.stdout.readline())
    wait(lambda: "here" in (helpers / "logs" / "patient.log").read_text(), "the helper to start")
    starter.send_signal(how)
    starter.wait(180)
    wait(lambda: gone(pid), "the helper to end with its starter")
    starter.stdout.close()


def test_memory_is_counted_by_name_ourselves_and_children_included(helpers: Path) -> None:
    with Processes(helpers) as processes:
        processes.job("patient", [])
        wait(lambda: "here" in processes.log("patient").read_text(), "the helper to start")
        meter = MemoryMeter(processes.names)
        meter.sample()
        assert meter.peak_mb.keys() >= {"app", "patient"}  # the run's broker may be a child of ours too
        now, peak = resident_mb(os.getpid())
        assert 0 < now <= peak <= meter.peak_mb["app"] * 1.2
        assert meter.peak_mb["patient"] < meter.peak_together_mb
    assert resident_mb(2**22 + 1) == (0.0, 0.0)
