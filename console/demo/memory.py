"""How much memory each of the demo's processes has taken at most: a thread that reads /proc, a few times a second.

Resident sizes as the kernel tells them; pages that processes share (libraries) count in each. Where there is no /proc
(macOS) the figures are empty, and the report says so by saying nothing.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

SAMPLE_SECONDS = 0.25
PROC = Path("/proc")
ARENAS, M_ARENA_MAX = 2, -8


def spare_memory() -> None:
    """Two arenas of the C library's allocator, for this process and those it starts, instead of eight a core.

    Each thread of a Kafka client would keep an arena with what it once held: measured, 316 MB of the app became 211.
    """
    os.environ["MALLOC_ARENA_MAX"] = str(ARENAS)
    with suppress(OSError, AttributeError):  # no mallopt: not the GNU C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


class MemoryMeter:
    """``roots``: process id -> name, as of now. A child of theirs counts as its own kind: broker, training, ..."""

    def __init__(self, roots: Callable[[], Mapping[int, str]]) -> None:
        self.peak_mb: dict[str, float] = {}
        self.peak_together_mb = 0.0
        self._roots = roots
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="driftloop-demo-memory", daemon=True)

    def __enter__(self) -> MemoryMeter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5.0)

    def sample(self) -> None:
        """Look once."""
        together, highest = 0.0, dict[str, float]()
        for pid, name in processes_of(self._roots()):
            now, peak = resident_mb(pid)
            together += now
            highest[name] = highest.get(name, 0.0) + peak
        for name, peak in highest.items():
            self.peak_mb[name] = max(self.peak_mb.get(name, 0.0), peak)
        self.peak_together_mb = max(self.peak_together_mb, together)

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self.sample()


def processes_of(roots: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    """(process id, name) of the roots and all that they have started; a child is named by its kind or its root."""
    parent_of = dict(_parents())
    for pid in parent_of:
        line, at = [pid], pid
        while at not in roots and (at := parent_of.get(at, 0)) > 1:
            line.append(at)
        if at in roots:
            yield pid, roots[at] if pid == at else kind_of(pid, roots[at])


def kind_of(pid: int, root: str) -> str:
    """What a child of ``root`` is, by its command line."""
    try:
        command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return root
    if "driftloop.retrainer.run" in command:
        return "training"
    if "kafka" in command.lower() and "java" in command:
        return "broker"
    return "broker guard" if "supervisor.py" in command else root


def resident_mb(pid: int) -> tuple[float, float]:
    """(now, peak) in MB (2**20 bytes); zeros when it has gone."""
    found = {"VmRSS": 0.0, "VmHWM": 0.0}
    try:
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in found:
                found[name] = int(rest.split()[0]) / 1024
    except (OSError, IndexError, ValueError):
        pass
    return found["VmRSS"], found["VmHWM"]


def _parents() -> Iterator[tuple[int, int]]:
    try:
        names = os.listdir(PROC)  # noqa: PTH208  (names only, four times a second)
    except OSError:
        return
    for name in names:
        if name.isdigit():
            try:
                stat = (PROC / name / "stat").read_text()
                yield int(name), int(stat.rpartition(")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
