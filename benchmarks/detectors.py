"""How many drifts does a detector find, how late, and how often does it cry wolf? Every detector on the same streams.

    python benchmarks/detectors.py [--quick] [--only NAME,...] [--json FILE] [--seed N] [--replicates N]
                                   [--detector module:function] [--stream file.csv]

Ten error streams and four numeric ones with one change each, at a row drawn anew for every replicate; five without
any; public files as they are. Beside every detector stand one that always alarms, one that alarms every 100 rows, one
that never does: without them no figure says anything. With --json each row is written when it is there, and a run
that was interrupted goes on after the last. A target that is missed is printed, not an error. No broker.

Other libraries compete where `make peers` has built their environment; what a drift pass over 100,000 x 10 values
takes them and us is measured at the end.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from detectors_bench import drift_pass, error_streams, numeric_streams, peers, public_streams, streams, table
from detectors_bench.contenders import Contender, of_yours, standing
from detectors_bench.peers import PeerEnded
from detectors_bench.results import Results, totals
from detectors_bench.scoring import Tally, run
from detectors_bench.streams import Source, Stream

SEED = 20261121
"""Of the evaluation; settings were chosen on others."""
REPLICATES = 60
"""Of a stream with a change; of 50,000 rows without one, two thirds of it: 600 drifts, 2 million rows."""


class Entry(NamedTuple):
    """One kind of stream and how often it is drawn."""

    source: Source
    replicates: int


def entries(replicates: int, own: Iterable[Path]) -> list[Entry]:
    changing = [*error_streams.changing(), *numeric_streams.SHIFTS]
    quiet = [*error_streams.NO_CHANGE, *numeric_streams.NO_SHIFTS]
    found = [Entry(source, replicates) for source in changing]
    found += [Entry(source, max(1, 2 * replicates // 3)) for source in quiet]
    found += [Entry(source, 1) for source in public_streams.there()]
    return found + [Entry(streams.from_csv(path), 1) for path in own]


def drawn(entry: Entry, seed: int) -> Iterator[Stream]:
    for replicate in range(entry.replicates):
        yield entry.source.draw(np.random.default_rng([seed, *entry.source.name.encode(), replicate]))


def sum_of(contender: Contender, replicates: list[Stream]) -> Tally:
    tally = Tally()
    for stream in replicates:
        tally.add(run(contender, stream))
    return tally


def measure(found: list[Entry], contenders: list[Contender], seed: int, results: Results) -> None:
    """A row a stream and detector, each on the same replicates; a slow one on the first of them."""
    for entry in found:
        begun, chosen = (
            time.perf_counter(),
            {"stream": entry.source.name, "seed": seed, "replicates": entry.replicates},
        )
        missing = [c for c in contenders if not results.done(chosen | {"detector": c.name})]
        replicates = list(drawn(entry, seed)) if missing else []
        for contender in missing:
            if not (contender.bits if replicates[0].bits else contender.numbers):
                continue
            try:
                tally = sum_of(contender, replicates[: max(1, round(contender.share * len(replicates)))])
            except PeerEnded as error:
                print(f"  {error}: no line of it", flush=True)
            else:
                results.add(tally.row(entry.source.name, contender.name) | chosen)
        print(f"  {entry.source.name}: {time.perf_counter() - begun:.0f} s", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two replicates, no river, nothing slow")
    parser.add_argument("--only", help="detectors, comma-separated")
    parser.add_argument("--streams", help="streams whose names begin so, comma-separated")
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--detector", action="append", default=[], metavar="module:function", help="one of yours")
    parser.add_argument("--stream", action="append", default=[], type=Path, metavar="file.csv", help="one of yours")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    try:
        contenders = chosen(asked) + [of_yours(name) for name in asked.detector]
        found = entries(2 if asked.quick else asked.replicates, asked.stream)
        results = Results(asked.json)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if asked.streams:
        found = [e for e in found if e.source.name.startswith(tuple(asked.streams.split(",")))]
    if not error_streams.DATA.is_dir():
        print(f"  no folder {error_streams.DATA}: ten streams are missing (PUBLIC_STREAMS names it)")
    measure(found, contenders, asked.seed, results)
    if not (asked.streams or asked.only):
        drift_pass.measure(asked.seed, results)
    rows = results.rows + totals(results.rows, {e.source.name: e.source.group for e in found})
    results.write(rows)
    table.show(rows)
    return 0


def chosen(asked: argparse.Namespace) -> list[Contender]:
    everybody = standing() + peers.installed()
    if asked.quick:
        everybody = [c for c in everybody if c.share == 1 and not c.name.startswith("river")]
    if not asked.only:
        return everybody
    names = asked.only.split(",")
    if unknown := set(names) - {c.name for c in everybody}:
        raise ValueError(f"no such detector: {', '.join(unknown)}; there are {', '.join(c.name for c in everybody)}")
    return [c for c in everybody if c.name in names]


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))  # where a --detector of yours lives
    sys.exit(main())
