"""One run: a world from a seed, workers, traffic, faults; then everything drained and compared with the oracle."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from driftloop.console.topics import apply_topics
from driftloop.schemas.settings import Settings

from .cluster import Cluster, ClusterFailed
from .faults import CLUSTER, SINGLE, Fault, Striker, draw, resumed
from .health import Health
from .reading import Watch
from .traffic import Traffic, publish_specifications
from .verdict import Verdict, judge
from .workers import Worker, Workers
from .world import make_world

DRAIN_SECONDS_MOST = 240.0
TICK_SECONDS = 0.02


@dataclass(frozen=True)
class Plan:
    """What a run is made of. ``kinds``: faults to draw from, empty for those that fit the number of brokers.
    ``static``: workers are static members of the group. ``faults`` of them come ``spacing`` seconds apart; traffic
    flows ``tail_seconds`` beyond the last, once undone."""

    seed: int
    brokers: int = 1
    partitions: int = 6
    workers: int = 2
    records_a_second: float = 1500.0
    session_seconds: float = 6.0
    faults: int = 6
    static: bool = False
    kinds: tuple[str, ...] = ()
    spacing: tuple[float, float] = (2.0, 7.0)
    tail_seconds: float = 14.0


@dataclass
class Report:
    """The JSON of a run. ``redelivered``: records handed to folds beyond the once that each needs (workers.py)."""

    seed: int
    brokers: int
    workers_at_first: int
    static_members: bool
    faults: list[dict[str, Any]]
    records: int
    outputs: int
    lost: int
    doubled: int
    wrong: int
    redelivered: int
    seconds_to_resume: list[float | None]
    seconds: float
    exits: dict[str, str]
    unexpected_exits: list[str]
    problems: list[str] = field(default_factory=list)
    cluster: list[str] = field(default_factory=list)
    """What the cluster did that nobody asked for (health.py)."""

    @property
    def passed(self) -> bool:
        return not (self.lost or self.doubled or self.wrong or self.unexpected_exits or self.problems)

    @property
    def verdict(self) -> str:
        """Wrong numbers are ours whatever the cluster does; that something took too long may be its fault."""
        if self.passed:
            return "passed"
        ours = self.lost or self.doubled or self.wrong or not self.cluster
        return "failed" if ours else "cluster failed"


class Run:
    """``report`` does everything; the folder keeps the logs of the workers."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.rng = random.Random(plan.seed)
        kinds = plan.kinds or (SINGLE if plan.brokers == 1 else CLUSTER)
        self.faults = draw(self.rng, kinds, plan.faults, plan.spacing)
        seconds = (self.faults[-1].at if self.faults else 5.0) + plan.tail_seconds
        self.world = make_world(plan.seed, int(seconds * plan.records_a_second), plan.partitions)
        self.problems: list[str] = []

    def report(self) -> Report:
        started = time.monotonic()
        with Cluster(self.plan.brokers) as cluster:
            self.health = Health(cluster)
            self.health.start()
            settings = self._settings(cluster)
            apply_topics(settings)
            publish_specifications(settings)
            workers = Workers(settings, self.folder, self.plan.static)
            striker = Striker(self.rng, self.faults, workers, cluster)
            try:
                watch = self._let_it_happen(settings, workers, striker)
                handed = workers.handed()
                verdict = judge(settings, self.world)
            finally:
                self.health.over.set()
                workers.end()
        for fault in self.faults:
            fault.seconds_to_resume = resumed(fault, watch.advances)
        return self._told(workers, striker, verdict, handed, time.monotonic() - started)

    def _settings(self, cluster: Cluster) -> Settings:
        return Settings(
            bootstrap_servers=cluster.bootstrap,
            prefix="chaos",
            partitions=self.plan.partitions,
            replication=self.plan.brokers,
            state_folder=self.folder / "state",
            session_seconds=self.plan.session_seconds,
        )

    def _let_it_happen(self, settings: Settings, workers: Workers, striker: Striker) -> Watch:
        """Until everything is produced, struck, undone and drained, and the workers have been stopped."""
        for _ in range(self.plan.workers):
            workers.start()
        watch = Watch(settings, workers.owner_of)
        traffic = Traffic(settings, self.world, self.plan.records_a_second, self.plan.tail_seconds)
        watch.start()
        self._wait_until_at_work(watch)
        traffic.start()
        striker.begun = time.time()
        ends = {p: tuple(len(log) - 1 for log in self.world.worlds[p].logs) for p in range(settings.partitions)}
        deadline: float | None = None
        while watch.last != ends or not striker.done:
            striker.tick()
            if striker.done:
                traffic.release.set()
            if deadline is None and striker.done and not traffic.is_alive():
                deadline = time.monotonic() + DRAIN_SECONDS_MOST
            if deadline is not None and time.monotonic() > deadline:
                self.problems.append(f"not drained within {DRAIN_SECONDS_MOST:.0f} s")
                break
            time.sleep(TICK_SECONDS)
        workers.thaw(everybody=True)
        workers.stop()
        watch.over.set()
        watch.join()
        traffic.join()
        if traffic.failed or traffic.unsent:
            self.problems.append(f"not produced: {traffic.unsent}, failed: {traffic.failed[:3]}")
        return watch

    def _wait_until_at_work(self, watch: Watch) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS_MOST
        while len(watch.last) < self.plan.partitions:
            assert time.monotonic() < deadline, f"only partitions {sorted(watch.last)} are at work"
            time.sleep(TICK_SECONDS)

    def _told(self, workers: Workers, striker: Striker, verdict: Verdict, handed: int, seconds: float) -> Report:
        exits = {worker.name: worker.exit_name for worker in workers.all}
        unexpected = [w for w in workers.all if not (w.expected or _excused(w, striker))]
        told = [f"{w.name}: {w.exit_name}: {_last_words(w)}" for w in unexpected]
        return Report(
            self.plan.seed, self.plan.brokers, self.plan.workers, self.plan.static,
            [_fault(f, striker.begun) for f in self.faults],
            len(self.world), verdict.outputs, verdict.lost, verdict.doubled, verdict.wrong,
            handed - len(self.world), [_rounded(fault.seconds_to_resume) for fault in self.faults],
            round(seconds, 1), exits, told, self.problems + verdict.examples, self.health.found,
        )  # fmt: skip


def _excused(worker: Worker, striker: Striker) -> bool:
    """No answer from the cluster, or no end in time, is a broker's fault while it is away."""
    return worker.exit_name in ("UNAVAILABLE", "DEADLINE") and striker.away_during(worker, time.time())


def _last_words(worker: Worker) -> str:
    lines = worker.log.read_text(errors="replace").strip().splitlines()
    return next((line for line in reversed(lines) if "(exit " in line), lines[-1] if lines else "")


def _fault(fault: Fault, begun: float) -> dict[str, Any]:
    found = asdict(fault)
    return {
        "seconds": round(fault.struck - begun, 1),
        "kind": found["kind"],
        "target": found["target"],
        "lasted_seconds": round(max(0.0, fault.over - fault.struck), 1),
        "partitions": found["partitions"],
        "seconds_to_resume": _rounded(fault.seconds_to_resume),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def run(plan: Plan, logs: Path | None = None) -> Report:
    """One run in a folder of its own, which stays if ``logs`` names it."""
    try:
        if logs is not None:
            logs.mkdir(parents=True, exist_ok=True)
            return Run(plan, logs).report()
        with tempfile.TemporaryDirectory(prefix="driftloop-chaos-run-") as folder:
            return Run(plan, Path(folder)).report()
    except ClusterFailed as error:
        return never_begun(plan, str(error))


def never_begun(plan: Plan, why: str) -> Report:
    """No cluster, no run."""
    nothing = dict.fromkeys(("records", "outputs", "lost", "doubled", "wrong", "redelivered"), 0)
    return Report(
        seed=plan.seed,
        brokers=plan.brokers,
        workers_at_first=plan.workers,
        static_members=plan.static,
        faults=[],
        seconds_to_resume=[],
        seconds=0.0,
        exits={},
        unexpected_exits=[],
        problems=["there was no cluster to run on"],
        cluster=[why],
        **nothing,
    )


def totals(reports: Sequence[Report]) -> dict[str, Any]:
    """Over all runs."""
    known = sorted(s for report in reports for s in report.seconds_to_resume if s is not None)
    return {
        "runs": len(reports),
        "failed": sum(report.verdict == "failed" for report in reports),
        "cluster_failed": sum(report.verdict == "cluster failed" for report in reports),
        **{name: sum(getattr(r, name) for r in reports) for name in ("lost", "doubled", "wrong", "redelivered")},
        "records": sum(report.records for report in reports),
        "faults": sum(len(report.faults) for report in reports),
        "seconds_to_resume_median": known[len(known) // 2] if known else None,
        "seconds_to_resume_most": known[-1] if known else None,
    }
