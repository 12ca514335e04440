"""`make chaos RUNS=n SEED=s JSON=file`: many runs, one seed after the other, and a table of what they showed.

Every third run is on three brokers, the others on one; ``--brokers`` takes one kind alone. In every other pair of
seeds (marked s) the workers are static members of the group. Exit code 1: in some run something was lost, doubled or
wrong, a worker ended as none may, or not everything was drained. Exit code 75: that, but for wrong numbers, and in
each such run brokers failed that nobody had struck: run it again on a quieter machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .run import Plan, Report, run, totals

HEAD = "  seed brokers  records  outputs  lost doubled  wrong   again  faults: seconds to resume (away, of a broker)"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--brokers", type=int, choices=(1, 3))
    parser.add_argument("--faults", type=int, default=6, help="in each run")
    parser.add_argument("--rate", type=float, default=1500.0, help="records a second")
    parser.add_argument("--kinds", default="", help="comma-separated: kill, term, join, freeze, broker or leader")
    parser.add_argument("--logs", type=Path, help="keep the workers' logs in this folder")
    asked = parser.parse_args()
    kinds = tuple(kind for kind in asked.kinds.split(",") if kind)
    print(HEAD, flush=True)
    reports = []
    for number in range(asked.runs):
        seed = asked.seed + number
        brokers = asked.brokers or (3 if seed % 3 == 0 else 1)
        plan = Plan(
            seed,
            brokers,
            records_a_second=asked.rate,
            faults=asked.faults,
            kinds=kinds,
            workers=2 + seed % 2,
            static=seed % 4 > 1,
        )
        reports.append(run(plan, asked.logs and asked.logs / str(seed)))
        print(line(reports[-1]), flush=True)
        if asked.json:
            told = {"summary": totals(reports), "runs": [asdict(report) for report in reports]}
            asked.json.write_text(json.dumps(told, indent=1) + "\n")
    print(summary(reports))
    verdicts = {report.verdict for report in reports}
    return 1 if "failed" in verdicts else 75 if "cluster failed" in verdicts else 0


def line(report: Report) -> str:
    """One row of the table; what went wrong stands below it."""
    r = report
    faults = " ".join(_told(fault) for fault in r.faults)
    brokers = f"{r.brokers}{' s' if r.static_members else '  '}"
    head = f"{r.seed:>6} {brokers:>7} {r.records:>8} {r.outputs:>8} {r.lost:>5} {r.doubled:>7} {r.wrong:>6}"
    problems = "".join(f"\n       ! {told}" for told in r.problems + r.unexpected_exits)
    problems += "".join(f"\n       cluster: {told}" for told in r.cluster)
    return f"{head} {r.redelivered:>7}  {faults}{problems}"


def _told(fault: dict[str, Any]) -> str:
    seconds = fault["seconds_to_resume"]
    away = f"({fault['lasted_seconds']:.0f})" if fault["kind"] in ("broker", "leader") else ""
    return f"{fault['kind']}:" + ("-" if seconds is None else f"{seconds:.1f}") + away


def summary(reports: list[Report]) -> str:
    found = totals(reports)
    exits = Counter(name for report in reports for name in report.exits.values())
    told = [f"{name} {value}" for name, value in found.items()]
    told.append("exits " + " ".join(f"{name}:{count}" for name, count in exits.most_common()))
    return "\n".join(("", *told))


if __name__ == "__main__":
    sys.exit(main())
