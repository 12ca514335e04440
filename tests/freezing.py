"""A process that is frozen does nothing any more, from the moment at which the test goes on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def freeze(*pids: int) -> None:
    """SIGSTOP, and wait until every thread stands still: one that is at work when the signal comes goes on for a
    moment, on a busy machine for long enough to answer a request."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    while not all(stands_still(thread) for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir()):
        time.sleep(0.01)


def stands_still(thread: Path) -> bool:
    """Stopped, or ended meanwhile."""
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0] in "TZX"
    except OSError:
        return True
