"""CPU an event from a backlog: the observer, a stock Faust agent that does its work, a bare loop that only decodes.

The same records for all three. The observer also keeps its state exactly (one transaction a checkpoint, the pending
rows in it) and sketches every feature; the agent keeps nothing. Both must join every pair.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import Bench, median_of
from driftloop.schemas.settings import Settings
from pure_fold import pane_cost_us
from runs import Run
from stream import make_stream, records

HERE = Path(__file__).parent
SECONDS_MOST = 900


def run(bench: Bench) -> dict[str, Any]:
    """Each observer run has topics of its own; agent and loop read those of the last."""
    stream = make_stream(bench.pairs)
    every = list(records(stream))
    bench.say(f"{len(every):,} records of {bench.pairs:,} pairs")
    runs = []
    for i in range(bench.repeats):
        one = Run(bench, f"backlog-{i}", stream, every)
        runs.append(one.found)
        bench.say_cost("observer", one.found)
    settings, events = one.settings, one.found["events"]
    bare = [measure("bare_decode", settings, events, bench) for _ in range(bench.repeats)]
    assert all(found["decoded"] == len(every) for found in bare), "the bare loop has not decoded every record"
    bench.say_cost("bare decode", median_of(bare))
    stock = measure("stock_agent", settings, events, bench)
    assert stock["joined"] == bench.pairs, f"the stock agent has joined {stock['joined']} of {bench.pairs}"
    bench.say_cost("stock agent", stock)
    observer, bare_row = median_of(runs), median_of(bare)
    cost, us_per_pane = observer["cpu_us_per_event"], pane_cost_us()
    bench.say(f"{observer['panes']:,} panes told at {us_per_pane:.0f} µs each, fold alone, in the observer's cost")
    return {
        "ratio_to_stock": stock["cpu_us_per_event"] / cost,
        "ratio_to_bare_decode": bare_row["cpu_us_per_event"] / cost,
        "base_mb": observer["base_mb"],
        "panes_told": observer["panes"],
        "us_per_pane": us_per_pane,
        "share_of_telling_panes": us_per_pane * observer["panes"] / (cost * events),
        "observer": observer,
        "bare_decode": bare_row,
        "stock": stock,
    }


def measure(program: str, settings: Settings, count: int, bench: Bench) -> dict[str, Any]:
    """Run a program of this folder until it has read everything; its figures."""
    file = bench.folder / f"{program}.json"
    told = {
        "bootstrap_servers": settings.bootstrap_servers,
        "prefix": settings.prefix,
        "partitions": settings.partitions,
    }
    command = [sys.executable, str(HERE / f"{program}.py"), json.dumps(told), str(count), str(file)]
    subprocess.run(command, check=True, timeout=SECONDS_MOST, cwd=bench.folder)
    found: dict[str, Any] = json.loads(file.read_text())
    found["cpu_us_per_event"] = 1e6 * found["cpu_seconds"] / found["events"]
    found["events_per_second_per_core"] = found["events"] / found["cpu_seconds"]
    return found
