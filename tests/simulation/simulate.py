"""``make simulate SEEDS=5000 SEED=1 JSON=file``: thousands of worlds, and of what fails the smallest that does.

python -m tests.simulation.simulate --core 17 shows one seed.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

from . import core, protocol
from .outcome import Outcome
from .protocol_world import Plan

FAILURES_MOST = 20
"""So many, and it is not a matter of more seeds."""
EVERY_SECONDS = 10.0


def main() -> int:
    """0: every world came out as the oracle says."""
    logging.disable(logging.CRITICAL)  # faults are sentences of the transport's own making: all of them are meant
    warnings.simplefilter("ignore")  # a killed process awaits nothing any more
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="worlds of each kind")
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--core", type=int, metavar="SEED", help="only this world of the core")
    parser.add_argument("--protocol", type=int, metavar="SEED", help="only this world of the protocol")
    parser.add_argument("--reset", type=int, metavar="SEED", help="the same, with both sources set back to the start")
    parser.add_argument("--reset-anywhere", type=int, metavar="SEED", help="the same, each set back to anywhere")
    told = parser.parse_args()
    for seed, anywhere in ((told.reset, False), (told.reset_anywhere, True)):
        if seed is not None:
            return 1 if shown(protocol.simulate(seed, Plan.of(seed, protocol.STARTED).with_reset(anywhere))) else 0
    if told.protocol is not None:
        return 1 if shown(protocol.simulate(told.protocol)) else 0
    if told.core is not None:
        return 1 if shown(core.simulate(told.core, twice=True)) else 0
    return many(told.seed, told.seeds, told.json)


def many(first: int, seeds: int, report: Path | None) -> int:
    started = said = time.monotonic()
    counts: Counter[str] = Counter()
    failures: list[Outcome] = []
    for seed in range(first, first + seeds):
        for outcome in (core.simulate(seed, twice=seed % 4 == 0), protocol.simulate(seed)):
            counts.update(outcome.counts)
            counts["worlds"] += 1
            if outcome.faults:
                failures.append(outcome)
                shown(outcome)
        if time.monotonic() - said > EVERY_SECONDS:
            said = time.monotonic()
            print(f"seed {seed}: {counts['worlds'] / (said - started):.1f} worlds/s", file=sys.stderr, flush=True)
        if len(failures) >= FAILURES_MOST:
            break
    seconds = time.monotonic() - started
    figures = {"first_seed": first, "seeds": seeds, **counts, "seconds": round(seconds, 1)}
    figures |= {"worlds_per_second": round(counts["worlds"] / seconds, 2)}
    figures |= {"failures": [{"again": f.again, "faults": f.faults[:5]} for f in failures]}
    print(json.dumps(figures, indent=2))
    if report is not None:
        report.write_text(json.dumps(figures, indent=2) + "\n")
    return 1 if failures else 0


def shown(outcome: Outcome) -> bool:
    """Say what came of it; true if something is wrong."""
    print(f"{outcome.kind} seed {outcome.seed}: {outcome.counts}: {len(outcome.faults)} faults")
    for sentence in outcome.faults[:5]:
        print(f"  {sentence}")
    if outcome.faults:
        print(f"  again: {outcome.again}")
        if outcome.kind == "core":
            world = core.smallest(outcome.seed)
            print(
                f"  it still fails with {world.records()} records: {core.judged(world)[1][:2]}\n{core.story(world)}"
            )
    return bool(outcome.faults)


if __name__ == "__main__":
    sys.exit(main())
