"""An event loop whose time is virtual, and which holds several processes: each can be frozen, thawed and killed
between any two of its steps.

A step is a callback of asyncio, or a piece of blocking work up to its next call to the broker. Blocking work runs in
a thread of its own, but only ever one thread runs at a time: the loop hands it the baton and waits to get it back. So
everything that happens is decided by the seed.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import inspect
import random
import threading
from collections.abc import Callable
from typing import Any

OWNER: contextvars.ContextVar[Process | None] = contextvars.ContextVar("owner", default=None)
"""Whose step runs; tasks, timers and callbacks inherit it."""
QUICK_SECONDS, SLOW_SECONDS = 0.002, 0.15


class Killed(BaseException):
    """The process has gone: raised where its blocking work stands."""


class Process:
    """What can be frozen and killed as one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.frozen = False
        self.held: list[asyncio.Handle] = []
        self.jobs: list[Job] = []

    def spawn(self, loop: VirtualLoop, start: Callable[[], Any]) -> None:
        """Call ``start`` on the loop, as this process."""
        context = contextvars.copy_context()
        context.run(OWNER.set, self)
        loop.call_soon(start, context=context)


class VirtualLoop(asyncio.BaseEventLoop):
    """``rng`` decides how long blocking work takes. ``on_step``: called before each of its steps."""

    _ready: Any
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, rng: random.Random, now: float = 1_000.0) -> None:
        super().__init__()
        self.rng = rng
        self.now = now
        self.steps = 0
        self.interrupted = 0.5
        """Share of blocking work that can be interrupted at its steps; the rest runs through at once."""
        self.nobody_answers: Callable[[], bool] = lambda: False
        """While the broker is away all blocking work waits at its steps."""
        self.on_step: Callable[[Process], None] = lambda _process: None
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)._scheduled = False
        if not self._ready:
            assert self._scheduled, "nothing will ever happen again"
            self.now = max(self.now, self._scheduled[0].when())
        while self._scheduled and self._scheduled[0].when() <= self.now:
            handle = heapq.heappop(self._scheduled)
            handle._scheduled = False
            self._ready.append(handle)
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            owner = handle._context.get(OWNER)
            if handle._cancelled or (owner is not None and owner.dead):
                continue
            if owner is not None and owner.frozen:
                owner.held.append(handle)
            else:
                handle._run()

    def _write_to_self(self) -> None:
        pass

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]  # noqa: ARG002
        """A thread's work, as a job of the process that asks for it."""
        future: asyncio.Future[Any] = self.create_future()
        Job(self, lambda: func(*args), future).soon()
        return future

    def pause(self) -> float:
        """How long a step takes: mostly little, sometimes long enough for others to get between."""
        return self.rng.uniform(0, SLOW_SECONDS if self.rng.random() < 0.1 else QUICK_SECONDS)

    # Fates.

    def freeze(self, process: Process, seconds: float) -> None:
        process.frozen = True
        self.call_later(seconds, self.thaw, process, context=contextvars.Context())

    def thaw(self, process: Process) -> None:
        """It goes on where it stood, and all that was due meanwhile comes at once."""
        process.frozen = False
        self._ready.extend(process.held)
        process.held.clear()

    def kill(self, process: Process) -> None:
        """Nothing of it runs any more. Its threads end where they stand."""
        process.dead = True
        process.held.clear()
        for job in list(process.jobs):
            job.end()


class Job:
    """Blocking work of a process: runs in a thread while it has the baton."""

    current: Job | None = None

    def __init__(self, loop: VirtualLoop, work: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        self.loop, self.work, self.future = loop, work, future
        self.process = OWNER.get()
        self.whole = False
        self._go, self._back = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self._thread: threading.Thread | None = None
        if self.process is not None:
            self.process.jobs.append(self)

    def soon(self) -> None:
        self.loop.call_later(self.loop.pause(), self._start)

    def _start(self) -> None:
        self.whole = self.loop.rng.random() >= self.loop.interrupted and not self.loop.nobody_answers()
        if self.whole:
            Job.current = self
            self._run()
            Job.current = None
            self._settle()
            return
        self._thread = threading.Thread(target=self._run_in_thread, daemon=True)
        Job.current = self
        self._thread.start()
        self._wait()

    def _resume(self) -> None:
        Job.current = self
        self._go.release()
        self._wait()

    def _wait(self) -> None:
        """Until the thread gives the baton back."""
        self._back.acquire()
        Job.current = None
        self._settle()

    def _run_in_thread(self) -> None:
        self._run()
        self._back.release()

    def _run(self) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        try:
            self.result = self.work()
        except BaseException as error:
            self.error = error
        self.done = True

    def _settle(self) -> None:
        """On the loop: tell the result, if there is one by now."""
        if not self.done:
            return
        if self.process is not None:
            self.process.jobs.remove(self)
        if self.future.cancelled() or isinstance(self.error, Killed):
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)

    def end(self) -> None:
        """The process is dead: let the thread run out."""
        if self._thread is not None and self._thread is not threading.current_thread() and not self.done:
            self._go.release()
            self._thread.join()
        self.done = True

    done = False

    # In the thread.

    def step(self, seconds: float | None = None) -> None:
        """Between two calls to the broker: the process may be frozen or killed. ``seconds``: so long it waits."""
        process = self.process
        if process is None:
            return
        if process.dead:
            raise Killed
        if self.whole:
            if seconds:
                self.loop.now += seconds
            return
        self.loop.steps += 1
        self.loop.on_step(process)
        if process.dead:
            raise Killed
        wait = self.loop.pause() if seconds is None else seconds
        context = contextvars.Context()
        context.run(OWNER.set, process)
        self.loop.call_later(wait, self._resume, context=context)
        self._back.release()
        self._go.acquire()
        if process.dead:
            raise Killed


def step_at_hand() -> str:
    """The call during which blocking work has come to the step it is at."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code is not blocking_step.__code__:
        frame = frame.f_back
    while frame is not None and (frame.f_code is blocking_step.__code__ or frame.f_code.co_name.startswith("_")):
        frame = frame.f_back
    return "nothing" if frame is None else frame.f_code.co_name


def blocking_step(seconds: float | None = None) -> None:
    """A step of whatever blocking work runs now."""
    if Job.current is not None:
        Job.current.step(seconds)
