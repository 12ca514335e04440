"""Unit costs for sizing (docs/scaling.md), and how well they foretell runs that they were not taken from.

    python benchmarks/unit_costs.py [--json FILE] [--pure]

First the fold alone, fed from lists (``--pure``: that only). Then, on a real broker: an idle worker, a pulse of
records a second (which is mostly transactions), and a backlog with one and with forty numeric features: what is left
of these over the fold is the transport, by event and by byte. The check is the stream of the other benchmarks, with
one, two and four workers, none of whose figures went into the units.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from bench import Bench
from driftloop.console.broker.embedded import EmbeddedBroker
from pure_fold import PARTITIONS, Cost, fold_all
from sizing import Units
from stream import EVENTS_PER_SECOND, make_stream, model_names
from transport_units import check_runs, transport_units

PAIRS = 40_000
REPEATS = 3
HERE_PER_SECOND = EVENTS_PER_SECOND / PARTITIONS
"""Events a second of event time in the one partition that is folded here."""


def cost(shape: dict[str, Any] | None = None, **more: Any) -> Cost:
    """The least of some runs: what others do on the machine only adds."""
    stream = make_stream(PAIRS, **({"per_second": HERE_PER_SECOND} | (shape or {})))
    return min((fold_all(stream, **more) for _ in range(REPEATS)), key=lambda found: found.cpu_seconds)


def us_more(more: Cost, less: Cost) -> float:
    """Microseconds by which one run took longer than the other."""
    return 1e6 * (more.cpu_seconds - less.cpu_seconds)


def pure_units() -> dict[str, float]:
    """Microseconds of CPU, bytes."""
    plain, unlabelled = cost(), cost(truths=False)
    sparse = cost({"per_second": HERE_PER_SECOND / 8})
    wide, categorical = cost({"numeric": 50}), cost({"categorical": 4})
    small = cost(batch=20)
    pane = us_more(sparse, plain) / (sparse.panes - plain.panes)
    dense = {"per_second": 100 * HERE_PER_SECOND, "delay_seconds": 300.0}
    models, single = cost(dense, models=model_names(100)), cost(dense)
    telling = pane * (models.panes - single.panes)
    return {
        "us_per_prediction": (1e6 * unlabelled.cpu_seconds - pane * unlabelled.panes) / PAIRS,
        "us_per_truth": (us_more(plain, unlabelled) - pane * (plain.panes - unlabelled.panes)) / PAIRS,
        "us_per_numeric_feature": us_more(wide, plain) / PAIRS / 40,
        "us_per_categorical_feature": us_more(categorical, plain) / PAIRS / 2,
        "us_per_pane": pane,
        "us_per_batch": us_more(small, plain) / (plain.events / 20 - plain.events / 1_000),
        "us_per_event_of_100_models": (us_more(models, single) - telling) / models.events,
        "bytes_per_pane": (sparse.output_bytes - plain.output_bytes) / (sparse.panes - plain.panes),
        "state_bytes_per_pending": unlabelled.state_bytes / PAIRS,
        "state_bytes_per_event": plain.state_bytes / plain.events,
        "store_bytes_per_pending": unlabelled.store_bytes / PAIRS,
    }


def say(title: str, found: dict[str, Any]) -> None:
    print(f"\n{title}")
    for name, value in found.items():
        print(f"  {name:34} {value:12.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pure", action="store_true")
    parser.add_argument("--pairs", type=int, default=200_000, help="of the runs on the broker")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    found: dict[str, Any] = {"pure": pure_units()}
    say("the fold alone", found["pure"])
    if not asked.pure:
        with tempfile.TemporaryDirectory(prefix="driftloop-bench-") as folder, EmbeddedBroker() as broker:
            bench = Bench(broker.bootstrap, broker.folder, Path(folder), asked.pairs)
            found["transport"] = transport_units(bench, found["pure"])
            say("the transport", found["transport"])
            units = Units.of(found["pure"], found["transport"])
            found["check"] = check_runs(bench, units)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
