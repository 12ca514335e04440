"""One, two and four workers of one group on the same backlog: CPU of all of them, their shares, the wall clock.

Two cores carry the broker too: the speed-up is what this machine gives, the CPU is what the work costs.
"""

from __future__ import annotations

from typing import Any

from bench import Bench
from runs import Run
from stream import make_stream, records

COUNTS = (1, 2, 4)


def run(bench: Bench) -> dict[str, Any]:
    stream = make_stream(bench.pairs)
    every = list(records(stream))
    found: dict[int, dict[str, Any]] = {}
    for count in COUNTS[:2] if bench.quick else COUNTS:
        found[count] = Run(bench, f"workers-{count}", stream, every, workers=count).found
        bench.say_cost(f"{count} workers", found[count])
        bench.say(
            f"{'':24} {found[count]['wall_seconds']:8.2f} s wall, partitions each {found[count]['partitions_each']}"
        )
    cost = {count: one["cpu_us_per_event"] for count, one in found.items()}
    return {
        "two_worker_cpu_ratio": cost[2] / cost[1],
        "two_worker_speedup": found[1]["wall_seconds"] / found[2]["wall_seconds"],
        **({"four_worker_cpu_ratio": cost[4] / cost[1]} if 4 in cost else {}),
        "by_workers": {str(count): one for count, one in found.items()},
    }
