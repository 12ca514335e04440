"""What the observer costs, in ratios of one run on one real broker: every figure that docs/performance.md names.

    python benchmarks/observer.py [--only backlog,...] [--pairs N] [--quick] [--json FILE]

10 numeric and 2 categorical features, 12 partitions; producers are not counted. An event is one record; CPU is
that of all threads of a process. Exit 1: something was wrong, or a part did not come to its end. A target that is
missed is printed, not an error.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import backlog
import live
import models
import pending
import replay
import workers
from bench import Bench
from driftloop.console.broker.embedded import EmbeddedBroker
from targets import print_table

PARTS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "backlog": backlog.run,
    "workers": workers.run,
    "models": models.run,
    "live": live.run,
    "pending": pending.run,
    "replay": replay.run,
}


def run(parts: list[str], bench: Bench) -> tuple[dict[str, Any], list[str]]:
    """Figures of the parts, keys of the table at the top; and which parts were wrong."""
    found: dict[str, Any] = {}
    wrong = []
    for name in parts:
        print(f"{name}: {(sys.modules[name].__doc__ or '').splitlines()[0]}", flush=True)
        start = time.perf_counter()
        try:
            part = PARTS[name](bench)
        except Exception as error:
            traceback.print_exc()
            wrong.append(f"{name}: {error!r}")
            continue
        flat = {key: value for key, value in part.items() if not isinstance(value, dict | list)}
        found |= flat | {name: part | {"part_seconds": time.perf_counter() - start}}
    return found, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, comma-separated")
    parser.add_argument("--pairs", type=int, help="of the backlog (default 250,000; quick 100,000)")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer runs")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    parts = asked.only.split(",")
    if unknown := set(parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    pairs = asked.pairs or (100_000 if asked.quick else 250_000)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that workers and broker end with us
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="driftloop-bench-") as folder, EmbeddedBroker() as broker:
        bench = Bench(broker.bootstrap, broker.folder, Path(folder), pairs, 1 if asked.quick else 3, asked.quick)
        found, wrong = run(parts, bench)
    print_table(found)
    print(f"{time.perf_counter() - start:.0f} s in all" + "".join(f"\nWRONG: {one}" for one in wrong))
    if asked.json:
        asked.json.write_text(json.dumps(found | {"pairs": pairs, "wrong": wrong}, indent=1) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
