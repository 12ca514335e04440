"""Where the observer's CPU goes: ``profile_observer.py [--pairs N] [--models N]``, shares by part, function and line.

A timer of consumed CPU (ITIMER_PROF) interrupts whichever thread is running; faulthandler writes that thread's stack
from within the signal, so numpy's calls and waits for the interpreter's lock stand where they belong. A tick is a
kernel tick: some hundred samples a second of CPU, a share of 10 % is right to about 1. Native threads (librdkafka's)
have no stack of Python's; they are what is left.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from driftloop.schemas.settings import Settings
from driftloop.streams.observer.worker import main as observe

TICK_SECONDS = 0.001
ROOT = Path(__file__).resolve().parent.parent
_FRAME = re.compile(r'  File "(?P<file>[^"]*)", line (?P<line>\d+) in (?P<function>.*)')
NATIVE = "native threads (librdkafka)"


class Frame(tuple[str, int, str]):
    """(file, line, function)."""

    @property
    def ours(self) -> bool:
        return self[0].startswith(str(ROOT)) and "/.venv/" not in self[0] and "/benchmarks/" not in self[0]

    @property
    def module(self) -> str:
        """A file as people know it: below our root, or below site-packages."""
        if "/site-packages/" not in self[0] and "/python3." in self[0]:
            return "python/" + self[0].rpartition("/python3.")[2].partition("/")[2]
        return self[0].rpartition("/site-packages/")[2].removeprefix(str(ROOT) + "/")


def serve(file: Path) -> int:
    """The observer; SIGUSR1 starts the sampling, SIGUSR2 ends it and leaves the CPU of the time between."""
    began = 0.0
    out = file.open("w")

    def start(*_: object) -> None:
        nonlocal began
        began = time.process_time()
        faulthandler.register(signal.SIGPROF, out, all_threads=False)
        signal.setitimer(signal.ITIMER_PROF, TICK_SECONDS, TICK_SECONDS)

    def end(*_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        file.with_suffix(".json").write_text(json.dumps({"cpu_seconds": time.process_time() - began}))

    signal.signal(signal.SIGUSR1, start)
    signal.signal(signal.SIGUSR2, end)
    return observe(Settings.from_environment(os.environ))


def read_stacks(text: str) -> Iterator[list[Frame]]:
    """Each sample's frames, from the innermost outwards."""
    for part in text.split("Stack (most recent call first):\n")[1:]:
        found = [Frame((m["file"], int(m["line"]), m["function"])) for m in _FRAME.finditer(part)]
        if found:
            yield found


def thread_of(stack: list[Frame]) -> str:
    """By what its outermost frames run."""
    names = [frame[2] for frame in stack]
    if "_bootstrap" not in names:
        return "main: Faust's event loop and the folds"
    return "fetch: aiokafka" if "run_forever" in names or "run_until_complete" in names else "pools and watchdog"


def tables(stacks: list[list[Frame]]) -> dict[str, Counter[str]]:
    """Samples by thread; by our innermost file, with what it calls; by our function; by innermost file; by line."""
    by = {name: Counter[str]() for name in ("thread", "file", "function", "innermost file", "line")}
    for stack in stacks:
        thread = thread_of(stack)
        mine = next((frame for frame in stack if frame.ours and frame[2] not in ("run", "main")), None)
        part = mine.module if mine else f"{stack[0].module.split('/')[0]} in {thread.partition(':')[0]}"
        by["thread"][thread] += 1
        by["file"][part] += 1
        by["function"][f"{part} {mine[2]}" if mine else part] += 1
        by["innermost file"][stack[0].module] += 1
        by["line"][f"{stack[0].module}:{stack[0][1]} {stack[0][2]}"] += 1
    return by


def show(stacks: list[list[Frame]], cpu_seconds: float, kernel_tick: float, events: int, most: int) -> None:
    us_per_event = 1e6 * cpu_seconds / events
    whole = cpu_seconds / kernel_tick
    print(f"{cpu_seconds:.2f} s CPU, {events:,} events, {us_per_event:.2f} µs an event, {len(stacks)} samples")
    for name, samples in tables(stacks).items():
        print(f"\nby {name}")
        if name in ("thread", "file"):
            samples[NATIVE] = max(0, round(whole - len(stacks)))
        for what, count in samples.most_common(most):
            print(f"  {100 * count / whole:5.1f} %  {us_per_event * count / whole:7.3f} µs  {what}")


def profile(pairs: int, models: int, folder: Path) -> tuple[list[list[Frame]], float, int]:
    """One worker from a backlog: stacks, CPU seconds, events."""
    from backlog_topics import make_backlog
    from driftloop.console.broker.embedded import EmbeddedBroker
    from measuring import work_off
    from processes import Fleet, wait_for
    from stream import EVENTS_PER_SECOND, make_stream, model_names, publish_monitors, records

    file = folder / "stacks.txt"
    with EmbeddedBroker() as broker:
        settings = Settings(bootstrap_servers=broker.bootstrap, prefix="profile", partitions=12)
        names = model_names(models)
        stream = make_stream(pairs, per_second=EVENTS_PER_SECOND * models)
        backlog = make_backlog(settings, stream, records(stream, names))
        publish_monitors(settings, stream, names)
        with Fleet(settings, folder, command=(sys.executable, __file__, "--worker", str(file))) as fleet:
            fleet.workers[0].process.send_signal(signal.SIGUSR1)
            work_off(fleet, backlog)
            fleet.workers[0].process.send_signal(signal.SIGUSR2)
            wait_for(file.with_suffix(".json").exists, 30, "the profile")
        backlog.end()
    cpu = json.loads(file.with_suffix(".json").read_text())["cpu_seconds"]
    return list(read_stacks(file.read_text())), cpu, backlog.count


def kernel_tick_seconds() -> float:
    """How much CPU lies between two interrupts, measured: the kernel looks at such timers at its own ticks only."""
    ticks = 0

    def count(*_: object) -> None:
        nonlocal ticks
        ticks += 1

    before = signal.signal(signal.SIGPROF, count)
    signal.setitimer(signal.ITIMER_PROF, TICK_SECONDS, TICK_SECONDS)
    start = time.process_time()
    while time.process_time() - start < 1.0:
        pass
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)
    return (time.process_time() - start) / ticks


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=250_000)
    parser.add_argument("--models", type=int, default=1)
    parser.add_argument("--most", type=int, default=25, help="lines of each table")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        return serve(asked.worker)
    with tempfile.TemporaryDirectory(prefix="driftloop-bench-") as folder:
        stacks, cpu_seconds, events = profile(asked.pairs, asked.models, Path(folder))
    show(stacks, cpu_seconds, kernel_tick_seconds(), events, asked.most)
    return 0


if __name__ == "__main__":
    sys.exit(main())
