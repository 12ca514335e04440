"""One world of the protocol: a broker, a group, workers, apps that write, and a fate for everybody; what must hold is
watched while it runs, and asked when it is over."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NoReturn

from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import FoldContext
from driftloop.streams.transport.exits import Exit
from driftloop.streams.transport.state import moving, state_log, writer

from .clients import Clients, Trouble
from .group import Group
from .kafka import Broker, Place, Record, Transaction
from .ledger import OUT, SOURCES, expected_outputs, expected_state, service
from .loop import OWNER, Job, Process, VirtualLoop, blocking_step, step_at_hand
from .observed import Observed, exact_world
from .observed import service as observer_service
from .protocol_world import Plan
from .worker import Worker

STATE = "observer-state"
SETTLED_SECONDS_MOST = 150.0
TOLD_SECONDS_MOST = 40.0
"""An operator's reset whose answer was lost on the way to the group is obeyed once more."""
STOPPED_SECONDS_MOST = 40.0
HONEST = {Exit.STOPPED, Exit.FENCED, Exit.DEADLINE}
"""How a worker may end here. REFUSED is honest too where aborts were injected."""


class Left(BaseException):
    """``leave`` was called: nothing of this process runs any more."""


class Cluster:
    """Everything of one world. ``faults``: what went against the rules."""

    def __init__(self, plan: Plan, loop: VirtualLoop) -> None:
        self.plan, self.loop = plan, loop
        self.rng = loop.rng = random.Random(plan.seed)
        self.observed = Observed(exact_world(plan.seed)) if plan.observer else None
        if self.observed is not None:
            plan.partitions = self.observed.partitions
        self.settings = Settings("simulated:1", "t", plan.partitions, session_seconds=plan.session_seconds)
        self.service = service() if self.observed is None else observer_service
        self.sources = tuple(self.settings.topic(short) for short in SOURCES)
        catalogue = Catalogue() if self.observed is None else self.observed.catalogue
        self.context = FoldContext(catalogue, lambda: None, plan.partitions, self.settings.topic)
        self.broker = Broker(loop)
        self.broker.on_commit = self._committed
        loop.nobody_answers = lambda: self.broker.away
        loop.interrupted = plan.interrupted
        loop.on_step = self._step
        self.group = Group(loop, self.broker, self.sources, plan.partitions, plan.session_seconds)
        self.trouble = Trouble(self.rng, plan.abortable, plan.retriable, plan.unsure)
        self.clients = Clients(self.broker, self.trouble)
        self.workers: list[Worker] = []
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        self.exits: Counter[str] = Counter()
        self.absorbed = {(topic, p): -1 for topic in self.sources for p in range(plan.partitions)}
        self.chaos, self.ending = True, False
        self.was_reset = False

    # What the processes call.

    def topic_ids(self) -> dict[str, str]:
        blocking_step()
        if self.broker.away:
            blocking_step(1.0)
            raise Unavailable("simulated: nobody answers")
        return {topic: f"id-of-{topic}" for topic in self.sources}

    def commit(self, worker: Worker, offsets: dict[Place, tuple[int, str]]) -> bool:
        for place, (offset, _) in offsets.items():
            if offset > self.absorbed[place] + 1:
                self.faults.append(f"{worker.name} commits {offset} of {place}, the state has {self.absorbed[place]}")
        return self.group.commit(worker.member, worker.generation, offsets)

    def left(self, process: Process, code: Exit, why: str) -> None:
        assert isinstance(process, Worker)
        process.exit = code
        self.exits[code.name] += 1
        honest = HONEST | ({Exit.REFUSED} if self.plan.abortable else set())  # five aborts in a row
        if code not in honest:
            self.faults.append(f"{process.name} ended as {code.name}: {why}")
        self.gone(process)

    def broken(self, worker: Worker, error: BaseException | None) -> None:
        if not isinstance(error, Left):
            trace = "".join(traceback.format_exception(error)[-3:]) if error is not None else ""
            self.left(worker, Exit.BROKEN, f"{type(error).__name__}: {error}\n{trace}")

    def gone(self, worker: Worker) -> None:
        """It is dead; its supervisor starts it again, a little later."""
        self.loop.kill(worker)
        if self.chaos or (not self.ending and all(w.dead for w in self.workers)):
            self.loop.call_later(self.rng.uniform(0.1, 4.0), self._again, worker.instance, context=_nobody())

    def _again(self, instance: str) -> None:
        alive = [w for w in self.workers if not w.dead]
        taken = any(instance and w.instance == instance for w in alive)
        if not self.ending and len(alive) < self.plan.workers and not taken:
            self.start_worker(instance)

    def start_worker(self, instance: str = "") -> Worker:
        worker = Worker(f"worker-{len(self.workers)}", self, instance)
        self.workers.append(worker)
        worker.spawn(self.loop, worker.start)
        return worker

    # What the seed does to them.

    def _step(self, process: Process) -> None:
        """Between two steps of blocking work."""
        if not self.chaos or not isinstance(process, Worker):
            return
        fate = self.rng.random()
        if fate < self.plan.crash_a_step:
            self.counts["crashes"] += 1
            self.counts[f"crashes_in_{step_at_hand()}"] += 1
            self.gone(process)
        elif fate < self.plan.crash_a_step + self.plan.freeze_a_step and not process.frozen:
            self.freeze(process)

    def freeze(self, worker: Worker, least: float = 0.0) -> None:
        self.counts["freezes"] += 1
        longest = self.rng.choice((0.5, 3.0, self.plan.session_seconds + 3.0, 40.0))
        self.loop.freeze(worker, least + longest * self.rng.random())

    async def fate(self) -> None:
        for seconds, what in self.plan.events:
            await asyncio.sleep(max(0.0, self.plan.started + seconds - self.loop.time()))
            alive = [w for w in self.workers if not w.dead]
            if what == "away":
                await self._away()
            elif what == "reset":
                self._reset_offsets(alive)
            elif what == "join" and len(alive) < self.plan.workers + 1:
                self.start_worker()
            elif what == "rebalance":
                self.group.rebalance()
            elif alive:
                self._befall(self.rng.choice(alive), what)

    def _befall(self, worker: Worker, what: str) -> None:
        if what == "crash":
            self.counts["crashes"] += 1
            self.counts["crashes_at_any_moment"] += 1
            self.gone(worker)
        elif what in ("freeze", "nap") and not worker.frozen:
            self.freeze(worker, 1.5 * self.plan.session_seconds if what == "nap" else 0.0)
        elif what == "stop" and not worker.stopping and worker.exit is None:
            worker.spawn(self.loop, lambda: worker.background(worker.stop()))
        elif what == "empty" and hasattr(worker, "consumer"):
            self.counts["emptied"] += 1
            worker.consumer.empty_queue()

    def _reset_offsets(self, alive: list[Worker]) -> None:
        """An operator stops the group and sets both sources back; commits of Kafka's tool carry no metadata."""
        if self.observed is None:
            return
        self.counts["resets"] += 1
        self.was_reset = True
        for worker in alive:
            self.gone(worker)
        self.group.forget_members()
        for place, absorbed in self.absorbed.items():
            back = self.rng.randint(0, absorbed + 1)
            position = back if self.plan.resets_anywhere else 0
            self.group.committed[place] = (position, "")
            self.absorbed[place] = position - 1  # what the state will say once a worker has obeyed

    async def _away(self) -> None:
        self.counts["outages"] += 1
        self.broker.away = True
        await asyncio.sleep(self.rng.choice((0.5, 3.0, 8.0)))
        self.broker.away = False

    async def apps(self) -> None:
        """Records of both sources, before and while the workers run; some in transactions, some of these aborted."""
        if self.observed is not None:
            await self.observed.feed(self)
            return
        for n in range(self.plan.bursts):
            for topic in self.sources:
                for partition in range(self.plan.partitions):
                    values = [(b"k", self._value(n, i)) for i in range(self.rng.randint(0, self.plan.burst_most))]
                    if self.rng.random() < self.plan.transactional:
                        self.broker.write_in_transaction(topic, partition, values, self.rng.random() < 0.7)
                    else:
                        for key, value in values:
                            self.broker.write(topic, partition, key, value)
            if n >= self.plan.bursts // 3:
                await asyncio.sleep(self.rng.uniform(0, 2 * self.plan.seconds / self.plan.bursts))

    def _value(self, burst: int, i: int) -> bytes:
        return self.rng.choice((b"", b"", b"!", b"!!")) + b"%d-%d" % (burst, i)

    # What must hold.

    def _committed(self, transaction: Transaction) -> None:
        """A transaction became visible: its header may not go back, and is written by whoever has the id."""
        for (topic, partition), first in transaction.first.items():
            if topic != self.settings.topic(STATE):
                continue
            for entry in self.broker.log(topic, partition).entries[first:]:
                if entry.transaction is transaction and entry.record is not None and entry.record.key == b"header":
                    self._header(partition, json.loads(entry.record.value or b"{}")["sources"])

    def _header(self, partition: int, sources: dict[str, int]) -> None:
        for topic, offset in sources.items():
            if offset < self.absorbed[topic, partition] and self.was_reset:
                self.counts["set_back"] += 1
            elif offset < self.absorbed[topic, partition]:
                self.faults.append(f"{topic}[{partition}]: the state goes back to {offset}")
            self.absorbed[topic, partition] = offset

    def ends(self) -> dict[Place, int]:
        """The last readable offset of each source partition."""
        found = {}
        for place in self.absorbed:
            records = self.broker.log(*place).committed(0)
            found[place] = records[-1].offset if records else -1
        return found

    async def live(self) -> None:
        """Chaos, then calm; everything must be absorbed, told to the group, and given back."""
        sweeping = asyncio.ensure_future(self.group.sweep())
        apps, fate = asyncio.ensure_future(self.apps()), asyncio.ensure_future(self.fate())
        for n in range(self.plan.workers):
            self.start_worker(f"seat-{n}" if self.plan.static else "")
        await asyncio.gather(apps, fate)
        self.calm()
        if not await self._until(lambda: self.absorbed == self.ends(), SETTLED_SECONDS_MOST):
            behind = {place: (self.absorbed[place], end) for place, end in self.ends().items()}
            self.faults.append(f"not absorbed after {SETTLED_SECONDS_MOST:.0f} s: {behind}")
        elif not await self._until(lambda: self._told() and self.absorbed == self.ends(), TOLD_SECONDS_MOST):
            self.faults.append(f"the group was told {self.group.committed}, the state has {self.absorbed}")
        self.ending = True
        for worker in [w for w in self.workers if not w.dead and not w.stopping]:
            worker.spawn(self.loop, lambda worker=worker: worker.background(worker.stop()))
        if not await self._until(lambda: all(w.dead for w in self.workers), STOPPED_SECONDS_MOST):
            self.faults.append(f"did not stop: {[w.described() for w in self.workers if not w.dead]}")
        sweeping.cancel()

    def calm(self) -> None:
        self.chaos = False
        self.trouble.calm()
        self.plan.calm()
        self.broker.away = False
        for worker in self.workers:
            if worker.frozen and not worker.dead:
                self.loop.thaw(worker)
        if all(w.dead or w.stopping for w in self.workers):
            self.start_worker("seat-0" if self.plan.static else "")

    async def _until(self, fact: Any, seconds: float) -> bool:
        deadline = self.loop.time() + seconds
        while not fact():
            if self.loop.time() > deadline or self.faults:
                return False
            await asyncio.sleep(0.25)
        return True

    def _told(self) -> bool:
        told = {place: self.group.committed.get(place, (0, ""))[0] - 1 for place in self.absorbed}
        return told == self.absorbed

    def judge(self) -> None:
        """Final state and outputs, as a reader with read_committed has them."""
        if self.observed is not None:
            self.faults += self.observed.judge(self)
            return
        for partition in range(self.plan.partitions):
            logs: tuple[list[Record], list[Record]] = tuple(  # type: ignore[assignment]
                self.broker.log(topic, partition).committed(0) for topic in self.sources
            )
            state: dict[bytes, bytes] = {}
            for record in self.broker.log(self.settings.topic(STATE), partition).committed(0):
                assert record.key is not None
                if record.value is None:
                    state.pop(record.key, None)
                else:
                    state[record.key] = record.value
            state.pop(b"header", None)
            if state != (wanted := expected_state(logs)):
                self.faults.append(f"partition {partition}: the state is {state}, not {wanted}")
            self._judge_outputs(partition, logs)

    def _judge_outputs(self, partition: int, logs: tuple[list[Record], list[Record]]) -> None:
        out = self.broker.log(self.settings.topic(OUT), partition)
        seen = Counter((record.key, record.value) for record in out.committed(0))
        wanted = Counter(expected_outputs(partition, logs).items())
        self.counts["outputs"] += sum(wanted.values())
        if seen != wanted:
            more, less = sorted((seen - wanted).items())[:3], sorted((wanted - seen).items())[:3]
            self.faults.append(f"partition {partition}: outputs too many {more}, missing {less}")


def _nobody() -> Any:
    import contextvars

    return contextvars.Context()


@contextmanager
def instead_of_kafka(cluster: Cluster) -> Iterator[None]:
    """The transport's clients, clock and exit, for as long as this world lasts."""

    def leave(code: Exit, why: str) -> NoReturn:
        process = OWNER.get()
        assert process is not None, f"{code.name}: {why}"
        if not process.dead:
            cluster.left(process, code, why)
        raise Left

    clock = SimpleNamespace(monotonic=cluster.loop.time, sleep=blocking_step, time=time.time)
    replaced: list[tuple[Any, str, Any]] = [
        (writer, "Producer", cluster.clients.producer),
        (state_log, "Consumer", cluster.clients.consumer),
        (moving, "Consumer", cluster.clients.consumer),
        (state_log, "time", clock),
    ]
    for name, module in list(sys.modules.items()):
        if name.startswith("driftloop.streams.transport.") and hasattr(module, "leave"):
            replaced.append((module, "leave", leave))
    before = [(module, name, getattr(module, name)) for module, name, _ in replaced]
    for module, name, value in replaced:
        setattr(module, name, value)
    try:
        yield
    finally:
        Job.current = None
        for module, name, value in before:
            setattr(module, name, value)
