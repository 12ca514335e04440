"""`driftloop observer --workers N`: one process that starts N workers, restarts what crashes, and stops with them.

Each worker is a static member of the consumer group (transport/membership.py): one that crashed and is started again
at once finds its partitions waiting, and the others are not disturbed. Its standard input is a pipe that nobody
writes to: the end of it is the end of this process, by kill -9 too, and the worker drains and stops.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import BinaryIO

from driftloop.console.restarts import Restarts
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.exits import Exit

STOP_SECONDS = 30.0
"""A worker drains within 15 s or ends itself; this is for one that does not even do that."""
LINE_BYTES_MOST = 1 << 20

Say = Callable[[str], None]


def run_workers(settings: Settings, service: str, count: int, say: Say) -> int:
    """Blocks until told to stop, or until a worker ended for good. The exit code: the first that is not 0."""
    seats = take_seats(settings, service, count)
    return asyncio.run(_Workers(service, [(number, name) for number, name, _ in seats], say).run())


def take_seats(settings: Settings, service: str, count: int) -> list[tuple[int, str, BinaryIO]]:
    """``count`` instance ids that no other such command on this machine uses: number, id, and the lock on it.

    The ids are the same at the next start, so that a restart within the session finds the partitions waiting.
    """
    folder = settings.state_folder / "workers"
    folder.mkdir(parents=True, exist_ok=True)
    base = settings.instance_id or socket.gethostname()
    seats: list[tuple[int, str, BinaryIO]] = []
    number = 0
    while len(seats) < count:
        number += 1
        lock = (folder / f"{settings.group(service)}-{base}-{number}").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            seats.append((number, f"{base}-{number}", lock))
    return seats


class _Workers:
    def __init__(self, service: str, seats: Sequence[tuple[int, str]], say: Say) -> None:
        self._service = service
        self._seats = seats
        self._say = say
        self._lifeline, self._held = os.pipe()
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._told = asyncio.Event()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._told.set)
        keeping = [asyncio.ensure_future(self._keep(number, name)) for number, name in self._seats]
        codes = await asyncio.gather(*keeping)
        os.close(self._held)
        os.close(self._lifeline)
        return next((code for code in codes if code), Exit.STOPPED)

    async def _keep(self, number: int, name: str) -> int:
        """One worker, started again while that helps. When it does not, all stop."""
        restarts = Restarts()
        while True:
            started = time.monotonic()
            code = await self._one_life(number, name)
            if self._told.is_set():
                return 0 if code == -signal.SIGTERM else code  # told before it was up: there was nothing to drain
            wait = restarts.wait_after(code, time.monotonic() - started)
            if wait is None:
                self._say(f"[{number}] {ended(code)}; all stop")
                self._told.set()
                return code if code >= 0 else Exit.BROKEN
            self._say(f"[{number}] {ended(code)}; starting it again in {wait:.0f} s")
            try:
                await asyncio.wait_for(self._told.wait(), wait)
            except TimeoutError:
                continue
            return 0

    async def _one_life(self, number: int, name: str) -> int:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "driftloop.console", self._service, "--while-stdin"),
            stdin=self._lifeline,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"DRIFTLOOP_INSTANCE_ID": name},
            limit=LINE_BYTES_MOST,
            start_new_session=True,  # Ctrl-C reaches this process only, which passes it on once
        )
        self._say(f"[{number}] started as {name}, process {process.pid}")
        forwarding = asyncio.ensure_future(self._forward(number, process))
        living = asyncio.ensure_future(process.wait())
        stopping = asyncio.ensure_future(self._told.wait())
        await asyncio.wait([living, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not living.done():
            process.terminate()
            await asyncio.wait([living], timeout=STOP_SECONDS)
        code = Exit.DEADLINE if not living.done() else living.result()
        if not living.done():
            process.kill()
            await living
        await forwarding
        return code

    async def _forward(self, number: int, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # a line beyond the limit: its head is gone
                continue
            if not line:
                return
            self._say(f"[{number}] {line.decode(errors='replace').rstrip()}")


def ended(code: int) -> str:
    """In words."""
    if code < 0:
        return f"ended by signal {-code}"
    name = Exit(code).name.lower().replace("_", " ") if code in set(Exit) else "see above"
    return f"ended with exit code {code} ({name})"


def stop_with_stdin() -> None:
    """Send this process a SIGTERM when its standard input ends: then whoever started it is gone."""

    def wait() -> None:
        while os.read(0, 1 << 16):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
