"""What issue 4 asks of the observer, and issue 5 of a replay, beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Target(NamedTuple):
    """``sign`` +1: at least ``bound``; -1: at most; 0: only reported."""

    key: str
    sign: int
    bound: float
    what: str

    def met(self, value: float) -> bool:
        return self.sign == 0 or (value >= self.bound if self.sign > 0 else value <= self.bound)


TARGETS = (
    Target("ratio_to_stock", 1, 25.0, "CPU an event: stock Faust agent / observer"),
    Target("ratio_to_bare_decode", 1, 1.0, "CPU an event: bare decode loop / observer (stretch 1.3)"),
    Target("two_worker_cpu_ratio", -1, 1.15, "CPU an event: two workers / one"),
    Target("two_worker_speedup", 0, 0.0, "wall clock: one worker / two (two cores carry the broker too)"),
    Target("cost_growth_10k_to_1m", -1, 0.25, "CPU an event at 1 M pending / at 10 k, - 1"),
    Target("cost_of_100_models", -1, 2.0, "CPU an event: 100 models mixed evenly / one"),
    Target("bytes_per_pending", -1, 100.0, "resident bytes a pending prediction at 1 M"),
    Target("base_mb", -1, 150.0, "resident MB of an idle worker"),
    Target("recovery_seconds_1m", -1, 10.0, "kill -9 at 1 M pending until the successor has absorbed"),
    Target("recovery_seconds_1m_static", -1, 5.0, "the same with static membership"),
    Target("core_share_at_5k", -1, 0.25, "of a core at 5,000 events/s"),
    Target("latency_p99_ms_at_5k", -1, 250.0, "ms from append (the broker's clock) to fold in memory, p99"),
    Target("pane_latency_p99_ms_at_5k", 0, 0.0, "ms from append to published pane, p99"),
    Target("checkpoint_pause_ms", -1, 100.0, "ms a checkpoint held the event loop, the longest"),
    Target("replay_flights_per_core_second", 1, 200_000.0, "records a second of CPU, `replay` of the flights"),
    Target("replay_records_per_core_second", 0, 0.0, "records a second of CPU, `replay` of this benchmark's stream"),
)


def print_table(found: Mapping[str, Any]) -> None:
    """A line a target."""
    print(f"\n{'':30} {'measured':>10}  {'target':>10}")
    missed = []
    for target in TARGETS:
        bound = {1: f">= {target.bound:g}", -1: f"<= {target.bound:g}", 0: ""}[target.sign]
        if target.key not in found:
            print(f"{target.key:30} {'not run':>10}  {bound:>10}            {target.what}")
            continue
        met = target.met(found[target.key])
        verdict = "met" if met and target.sign else "" if met else "NOT MET"
        missed += [] if met else [target.key]
        print(f"{target.key:30} {found[target.key]:>10.3g}  {bound:>10}  {verdict:8}  {target.what}")
    print(f"\n{len(missed)} TARGETS NOT MET: {', '.join(missed)}" if missed else "\nevery target that was run is met")
