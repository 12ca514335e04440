"""One seed of the protocol, from first record to last exit."""

from __future__ import annotations

import random

from .cluster import Cluster, instead_of_kafka
from .loop import VirtualLoop
from .outcome import Outcome
from .protocol_world import Plan

STARTED = 1_000.0


def simulate(seed: int) -> Outcome:
    return lived("protocol", seed, Plan.of(seed, STARTED))


def reset(seed: int, anywhere: bool = False) -> Outcome:
    """The observer, and in the middle an operator sets the offsets back: to the start, then the numbers are the
    oracle's; or each source to anywhere, then what cannot be told anew shows as faults, and a person judges them."""
    kind = "reset-anywhere" if anywhere else "reset"
    return lived(kind, seed, Plan.of(seed, STARTED).with_reset(anywhere))


def lived(kind: str, seed: int, plan: Plan) -> Outcome:
    loop = VirtualLoop(random.Random(seed), STARTED)
    cluster = Cluster(plan, loop)
    with instead_of_kafka(cluster):
        try:
            loop.run_until_complete(cluster.live())
            if not cluster.faults:
                cluster.judge()
        except Exception as error:
            cluster.faults.append(f"{type(error).__name__}: {error}")
        finally:
            for worker in cluster.workers:
                loop.kill(worker)
            loop.close()
    counts = {
        **cluster.counts,
        "aborts": cluster.broker.aborts,
        "commits": cluster.broker.commits,
        "fenced": cluster.broker.fenced,
        "moves": cluster.group.moves,
        "expelled": cluster.group.expelled,
        "steps": loop.steps,
        "records": sum(len(cluster.broker.log(*place).committed(0)) for place in cluster.absorbed),
        "virtual_seconds": int(loop.time() - STARTED),
        **{f"exit_{name.lower()}": n for name, n in cluster.exits.items()},
    }
    return Outcome(kind, seed, cluster.faults, dict(counts))
