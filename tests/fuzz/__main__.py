"""`make fuzz RECORDS=1000000 SEED=1 JSON=file`: broken records through the readers, then through a real observer."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from driftloop.console.broker.embedded import EmbeddedBroker
from driftloop.console.topics import apply_topics
from driftloop.schemas.settings import Settings

from .mutations import Fuzzer
from .on_broker import fuzz, measure
from .pure import run_pure

PARTITIONS = 12


def main() -> int:
    """0: nothing is wrong. A record that is read wrongly ends the run at once; a bound only fails it."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--part", choices=("pure", "broker", "both"), default="both")
    asked = parser.parse_args()
    found: dict[str, Any] = {"seed": asked.seed}
    if asked.part != "broker":
        found["pure"] = run_pure(asked.records, asked.seed)
        _tell(found, asked.json)
    if asked.part != "pure":
        found["broker"] = {}
        for part in run_on_broker(asked.records, asked.seed):
            found["broker"] |= part
            _tell(found, asked.json)
    return 1 if found.get("pure", {}).get("faults") else 0


def run_on_broker(records: int, seed: int) -> Iterator[dict[str, Any]]:
    """Fuzzed records and as many valid ones, each under a prefix of its own, on a broker of its own. The figures as
    they come."""
    now = time.time()

    def say(what: str) -> None:
        print(f"{time.time() - now:6.0f} s  {what}", file=sys.stderr, flush=True)

    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory(prefix="driftloop-fuzz-") as folder:
        settings = Settings(
            bootstrap_servers=broker.bootstrap,
            prefix="fuzz",
            partitions=PARTITIONS,
            state_folder=Path(folder),
            session_seconds=10.0,
        )
        apply_topics(settings)
        fuzzed, took = fuzz(settings, Path(folder), Fuzzer(seed, now).records(records), now, say, replayed=True)
        yield {"fuzzed": fuzzed}
        settings = replace(settings, prefix="valid")
        apply_topics(settings)
        valid, base = measure(settings, Path(folder), Fuzzer(seed, now).valid_records(records), now)
    yield {
        "valid": valid,
        "cpu_ratio": round(took.cpu_seconds / base.cpu_seconds, 2),
        "throughput_ratio": round(base.wall_seconds / took.wall_seconds, 3),
    }


def _tell(found: dict[str, Any], file: Path | None) -> None:
    text = json.dumps(found, indent=1)
    if file:
        file.write_text(text + "\n")
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
