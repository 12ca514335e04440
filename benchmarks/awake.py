"""Keeps the machine's processors awake while latency is measured: one spinning process each, of the idle class.

A virtual processor that halts must be scheduled again by its hypervisor, on a crowded host tens of milliseconds
later; /proc/stat calls it stolen. Live traffic halts a thousand times a second. A spinner of SCHED_IDLE runs only
where nobody else wants to, so it takes nothing from what is measured; it ends with its parent.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LOOPS = 1_000_000
STEAL = 8
"""Column of the line ``cpu`` of /proc/stat (proc(5))."""


class Awake:
    """All processors, while the block lasts. ``stolen_share``: of their time, so far, 0 to 1."""

    def __enter__(self) -> Awake:
        self._before = processor_ticks()
        self._spinners = [
            subprocess.Popen([sys.executable, __file__, str(cpu), str(os.getpid())])
            for cpu in sorted(os.sched_getaffinity(0))
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for spinner in self._spinners:
            spinner.kill()
        for spinner in self._spinners:
            spinner.wait()

    def stolen_share(self) -> float:
        passed = [now - before for now, before in zip(processor_ticks(), self._before, strict=True)]
        return passed[STEAL - 1] / max(1, sum(passed[:STEAL]))


def processor_ticks() -> list[int]:
    """user, nice, system, idle, iowait, irq, softirq, steal, …: of all processors since the machine began."""
    return [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]


def spin(cpu: int, parent: int) -> None:
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while os.getppid() == parent:
        for _ in range(LOOPS):
            pass


if __name__ == "__main__":
    spin(int(sys.argv[1]), int(sys.argv[2]))
