"""Does the seasonal monitor keep its alarm budget, and what does it find? Simulated years beside the targets.

    python benchmarks/budget.py [--only a,b,…] [--main] [--quick] [--weeks N] [--seeds N] [--json FILE]

False incidents per allowed one on streams in which nothing drifts (mean over seeds, upper 95 % bound of that mean),
and the share of shifts found within 24 hours, by kind. With --json each row is written when it is there, and a run
that was interrupted goes on after the last. Exit 1 is for a run that went wrong; a missed target is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from budget_run import Row, run
from budget_streams import SCENARIOS
from budget_table import print_row, print_table

WEEKS = 104


def rows(only: set[str]) -> Iterator[Row]:
    """The issue's table first: what decides, then other traffic and references, then the streams beside them."""
    named = {s.name: s for s in SCENARIOS if not only or s.name in only}
    tuned = [s for s in named.values() if s.tuned]
    yield from (Row(s) for s in tuned)
    yield from (Row(s, traffic) for traffic in (50.0, 5000.0) for s in tuned)
    yield from (Row(s, reference_weeks=weeks) for weeks in (2, 8) for s in tuned)
    smaller: dict[str, dict[str, Any]] = {
        "wide": {"weeks": 12, "seeds": 4, "trial_every": 6},
        "five-minute": {"weeks": 26},
        "daily": {"reference_weeks": 8},
        "yearly": {"weeks": WEEKS},
    }
    for s in named.values():
        if not s.tuned:
            yield Row(s, **({"weeks": 52} | smaller.get(s.name, {})))


def quick(row: Row) -> Row:
    """Enough to see that it runs, not to judge it."""
    return replace(row, weeks=min(row.weeks, 4), seeds=min(row.seeds, 4), trial_every=2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", default="", help="streams, comma-separated: " + ", ".join(s.name for s in SCENARIOS)
    )
    parser.add_argument("--quick", action="store_true", help="4 weeks and 4 seeds a row")
    parser.add_argument("--main", action="store_true", help="nothing but 500 rows an hour and a reference of 4 weeks")
    parser.add_argument("--seeds", type=int, help="streams a row")
    parser.add_argument("--weeks", type=int, help="of each row, at most")
    parser.add_argument("--seed", type=int, default=1, help="of the first stream; another one gives fresh streams")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    only = set(filter(None, asked.only.split(",")))
    if unknown := only - {s.name for s in SCENARIOS}:
        parser.error(
            f"no such stream: {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in SCENARIOS)}"
        )
    found = json.loads(asked.json.read_text()) if asked.json and asked.json.exists() else []
    known = {(r["scenario"], r["traffic_per_hour"], r["reference_weeks"]) for r in found}
    start = time.perf_counter()
    for one in rows(only):
        row = quick(one) if asked.quick else one
        row = replace(row, seed=asked.seed, seeds=asked.seeds or row.seeds)
        row = replace(row, weeks=min(row.weeks, asked.weeks or row.weeks))
        if row.name in known or (asked.main and row.name[1:] != (500.0, 4)):
            continue
        begun = time.process_time()
        found.append(run(row) | {"cpu_seconds": round(time.process_time() - begun, 1)})
        print_row(found[-1])
        if asked.json:
            asked.json.write_text(json.dumps(found, indent=1) + "\n")
    print_table(found)
    print(f"{time.perf_counter() - start:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
