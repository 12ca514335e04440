"""What strikes, when, and how long it took until the partitions it hit moved again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from .cluster import Cluster
from .reading import Advance
from .workers import Worker, Workers

SINGLE = ("kill", "kill", "term", "join", "freeze", "freeze", "broker")
CLUSTER = ("leader", "leader", "kill", "term", "join", "freeze")
WORKERS_MOST = 4


@dataclass
class Fault:
    """``at``: seconds after the beginning. ``lasts``: seconds until a killed worker is started again, a frozen one
    thawed, a broker brought back. ``partitions``: those it hit."""

    at: float
    kind: str
    lasts: float
    target: str = ""
    struck: float = 0.0
    over: float = 0.0
    partitions: list[int] = field(default_factory=list)
    seconds_to_resume: float | None = None


def draw(rng: random.Random, kinds: Sequence[str], count: int, spacing: tuple[float, float]) -> list[Fault]:
    """``count`` faults some seconds apart, and each kind at least once where there is room for it."""
    drawn = list(dict.fromkeys(kinds))
    rng.shuffle(drawn)
    drawn = (drawn + [rng.choice(kinds) for _ in range(count)])[:count]
    rng.shuffle(drawn)
    faults, at = [], 3.0
    for kind in drawn:
        at += rng.uniform(*spacing)
        faults.append(Fault(at, kind, _lasts(rng, kind)))
    return faults


def _lasts(rng: random.Random, kind: str) -> float:
    match kind:
        case "kill":
            return rng.uniform(0.0, 3.0)
        case "freeze":
            return rng.uniform(8.0, 12.0)
        case "broker" | "leader":
            return rng.uniform(0.5, 6.0)
    return 0.0


class Striker:
    """Strikes when it is time, and undoes what is to be undone; acts as the operator's supervisor of the workers."""

    def __init__(self, rng: random.Random, faults: list[Fault], workers: Workers, cluster: Cluster) -> None:
        self.rng, self.faults, self.workers, self.cluster = rng, faults, workers, cluster
        self.begun = time.time()
        self.outages: list[tuple[float, float]] = []
        """When a broker was away, from and to; to the end of time while it is."""
        self._left = list(faults)
        self._to_start: list[tuple[float, str]] = []
        self._broker_back: tuple[float, int, Fault] | None = None
        self._returning: threading.Thread | None = None
        self._seen_ended: set[str] = set()

    @property
    def done(self) -> bool:
        """Everything struck, and undone."""
        frozen = any(w.frozen_until for w in self.workers.running)
        return not (self._left or self._to_start or self._broker_back or frozen)

    def tick(self) -> None:
        now = time.time()
        self.workers.thaw()
        self._supervise(now)
        if self._broker_back is not None and now >= self._broker_back[0]:
            self._bring_back()
        if self._left and now >= self.begun + self._left[0].at and self._strike(self._left[0]):
            struck = self._left.pop(0)
            for fault in self._left:  # what had to wait for a broker keeps its distance to what follows
                fault.at += max(0.0, struck.struck - self.begun - struck.at)

    def _supervise(self, now: float) -> None:
        """A worker that has ended unbidden is started again a second later; nobody at all is never left."""
        for worker in self.workers.all:
            if not worker.running and worker.name not in self._seen_ended:
                self._seen_ended.add(worker.name)
                if not worker.ending:
                    self._to_start.append((now + 1.0, worker.seat))
        for when, seat in [start for start in self._to_start if now >= start[0]]:
            self._to_start.remove((when, seat))
            self.workers.start(seat)
        if not self.workers.running and not self._to_start:
            self._to_start.append((now, ""))

    def _strike(self, fault: Fault) -> bool:
        """False: there is nobody to strike yet."""
        everything = list(range(self.workers.settings.partitions))
        if fault.kind in ("broker", "leader"):
            if self._broker_back is not None:
                return False
            number = 0
            if fault.kind == "leader":
                number = self.cluster.leader_of(
                    self.workers.settings.topic("predictions"), self.rng.choice(everything)
                )
            if number < 0:
                return False
            fault.target, fault.partitions, fault.struck = f"broker {number}", everything, time.time()
            self.cluster.kill(number)
            self.outages.append((fault.struck, float("inf")))
            self._broker_back = (fault.struck + fault.lasts, number, fault)
            return True
        kind = fault.kind = self._possible(fault.kind)
        if kind == "join":
            fault.struck = fault.over = time.time()
            fault.target = self.workers.start().name
            return True
        owners = {p: self.workers.owner_of(p) for p in everything}
        busy = [w for w in self.workers.healthy if w.name in owners.values() and not w.ending]
        if not busy:
            return False
        self._hit(fault, self.rng.choice(busy), owners)
        return True

    def _possible(self, kind: str) -> str:
        """Not more workers than the machine bears."""
        return "term" if kind == "join" and len(self.workers.running) >= WORKERS_MOST else kind

    def _hit(self, fault: Fault, worker: Worker, owners: dict[int, str]) -> None:
        fault.target, fault.struck = worker.name, time.time()
        fault.partitions = [p for p, name in owners.items() if name == worker.name]
        fault.over = fault.struck + fault.lasts
        match fault.kind:
            case "kill":
                worker.ending = "kill"
                worker.process.kill()
                worker.process.wait()
                self._to_start.append((fault.over, worker.seat))
            case "term":
                worker.ending = "term"
                worker.process.terminate()
            case "freeze":
                self.workers.freeze(worker, fault.lasts)

    def _bring_back(self) -> None:
        """Start the broker; it is back once it is registered, which the workers do not wait for."""
        assert self._broker_back is not None
        _, number, fault = self._broker_back
        if self._returning is None:
            self.cluster.start(number)
            self._returning = threading.Thread(target=self.cluster.wait_until_ready, daemon=True)
            self._returning.start()
        elif not self._returning.is_alive():
            fault.over = time.time()
            self.outages[-1] = (self.outages[-1][0], fault.over)
            self._broker_back = self._returning = None

    def away_during(self, worker: Worker, until: float) -> bool:
        """Whether a broker was away, or had just come back, while this worker ran."""
        return any(start <= until and end + 10.0 >= worker.started for start, end in self.outages)


def resumed(fault: Fault, advances: Sequence[Advance]) -> float | None:
    """Seconds from the fault until every partition it hit had moved on, in other hands where it hit a worker.

    A partition that came to a standstill later for another reason (a second fault) counts in full. None: a worker
    that came when there was nothing left to give it, or a partition with no further records.
    """
    later = [a for a in advances if a.when > fault.struck]
    if fault.kind == "join":
        return min((a.when - fault.struck for a in later if a.owner == fault.target), default=None)
    found = []
    for partition in fault.partitions:
        moved = [a.when for a in later if a.partition == partition and _counts(fault, a)]
        if not moved:
            return None
        found.append(moved[0] - fault.struck)
    return max(found, default=None)


def _counts(fault: Fault, advance: Advance) -> bool:
    if fault.kind in ("broker", "leader"):
        return advance.when > fault.struck + 0.5  # what the broker had sent before is still on its way to us
    return advance.owner != fault.target or (fault.kind == "freeze" and advance.when > fault.over)
