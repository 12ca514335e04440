"""``make simulate SEEDS=5000 SEED=1 JSON=file``: thousands of worlds, and of what fails the smallest that does.

With a file (record.py) a run goes on where the last one was cut off. ``--core 17`` shows one seed.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from . import core, protocol
from .outcome import Outcome
from .record import Record, code_of

FAILURES_MOST = 20
"""So many, and it is not a matter of more seeds."""
EVERY_SECONDS = 10.0
RESET_EVERY = 8
"""Of so many seeds one has a third world, in which an operator sets the offsets back to the start."""
KINDS: dict[str, Callable[[int], Outcome]] = {
    "core": lambda seed: core.simulate(seed, twice=True),
    "protocol": protocol.simulate,
    "reset": protocol.reset,
    "reset-anywhere": lambda seed: protocol.reset(seed, anywhere=True),
}


def main() -> int:
    """0: every world came out as the oracle says."""
    logging.disable(logging.CRITICAL)  # faults are sentences of the transport's own making: all of them are meant
    warnings.simplefilter("ignore")  # a killed process awaits nothing any more
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many, those that the file has included")
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--json", type=Path, help="the figures, written as they come")
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, metavar="SEED", help="only this world")
    told = parser.parse_args()
    for kind, world in KINDS.items():
        if (seed := getattr(told, kind.replace("-", "_"))) is not None:
            return 1 if shown(world(seed)) else 0
    return many(told.seeds, Record(told.json, told.seed, code_of()))


def worlds_of(seed: int) -> Iterator[Outcome]:
    yield core.simulate(seed, twice=seed % 4 == 0)
    yield protocol.simulate(seed)
    if seed % RESET_EVERY == 0:
        yield protocol.reset(seed)


def many(seeds: int, record: Record) -> int:
    """``seeds`` of them in all, those that the record has included."""
    said = started = time.monotonic()
    while record.done < seeds and len(record.failures) < FAILURES_MOST:
        before = time.monotonic()
        for outcome in worlds_of(record.first + record.done):
            record.add(outcome)
            if outcome.faults:
                shown(outcome)
        record.seed_done(time.monotonic() - before)
        if time.monotonic() - said > EVERY_SECONDS:
            said = time.monotonic()
            so_far = f"{record.done} of {seeds} seeds, {record.worlds} worlds, {len(record.failures)} failures"
            print(f"{said - started:.0f} s: {so_far}", file=sys.stderr, flush=True)
    print(json.dumps(record.figures(), indent=2))
    return 1 if record.failures else 0


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
