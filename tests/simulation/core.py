"""One seed of the pure core: make the world, run it, ask the oracle; and the smallest world that still fails."""

from __future__ import annotations

import random
import time
from dataclasses import replace

from .core_check import faults, last_revisions
from .core_run import CoreRun, small_structures
from .core_world import CoreWorld, make_world
from .outcome import Outcome

SHRINK_SECONDS = 20.0


def simulate(seed: int, size: int = 60, twice: bool = False) -> Outcome:
    """``twice``: read the same world once more, otherwise, and compare bytes."""
    world = make_world(seed, size)
    run, found = judged(world)
    if twice and world.exact and not world.changes and not found:
        with small_structures(random.Random(seed + 1)):
            other = CoreRun(world, seed + 1).run()
        if last_revisions(other) != last_revisions(run):
            found = ["read otherwise, the last revisions have other bytes"]
    counts = {"records": world.records(), **world.what_goes_wrong()}
    if run is not None:
        counts |= {"crashes": run.crashes, "checkpoints": run.collects}
    return Outcome("core", seed, found, counts)


def judged(world: CoreWorld) -> tuple[CoreRun | None, list[str]]:
    """The run, and what is wrong with it. An exception out of the core is a fault as any other."""
    try:
        with small_structures(random.Random(world.seed)):
            run = CoreRun(world, world.seed).run()
    except Exception as error:
        return None, [f"{type(error).__name__}: {error}"]
    return run, faults(run)


def smallest(seed: int, size: int = 60, seconds: float = SHRINK_SECONDS) -> CoreWorld:
    """The world of ``seed`` with as many records dropped as can be while it still fails."""
    world, deadline = make_world(seed, size), time.monotonic() + seconds
    chunk = max(1, world.records() // 2)
    while chunk and time.monotonic() < deadline:
        places = [(p, s, at) for p, logs in enumerate(world.logs) for s in (0, 1) for at in range(len(logs[s]))]
        for start in range(0, len(places), chunk):
            fewer = without(world, set(places[start : start + chunk]))
            if fewer.records() < world.records() and judged(fewer)[1]:
                world = fewer
                break
        else:
            chunk //= 2
    return world


def without(world: CoreWorld, dropped: set[tuple[int, int, int]]) -> CoreWorld:
    logs = [
        tuple([one for at, one in enumerate(log) if (p, s, at) not in dropped] for s, log in enumerate(both))
        for p, both in enumerate(world.logs)
    ]
    return replace(world, logs=logs)


def story(world: CoreWorld) -> str:
    """What is in a small world, for a person."""
    lines = [f"{s.model}: {s}" for s in [*world.specifications, *world.changes]]
    for partition, logs in enumerate(world.logs):
        for name, log in zip(("predictions", "truths"), logs, strict=True):
            lines += [f"  {name}[{partition}]@{offset}: {item}" for offset, item in log]
    return "\n".join(lines)
