"""The learned range of a number: how often it is wrong on quiet streams of every shape, and which errors it sees.

    python benchmarks/ranges.py [--weeks 26] [--seeds 20] [--json FILE]

A reference of 60 days that begin in January, then daily windows of 2,000 values. Nothing is wrong: heavy tails (t3,
lognormal, rain), levels that differ from day to day (AR(1), as spread out as the values of a day), a yearly season of
which the reference has seen the winter only, growth of 1 % a week, whole numbers, flags. Beside it, with references
of different size: an error from the first window on, the share of windows that tell it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from driftloop.schemas.baseline.quantiles import numeric_edges
from driftloop.schemas.baseline.ranges import learn_range, with_ends
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.streams.judge.quality import quality
from driftloop.streams.judge.quality.limits import Limits
from driftloop.streams.judge.quality.quality import Facts
from driftloop.streams.judge.quality.quality_history import Usual
from numpy.typing import NDArray

REFERENCE_DAYS, ROWS = 60, 2_000
Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, int, float], Values]
NOTHING = Usual(None, 0.0, float("inf"), 0.0, 0.0)


def _rain(rng: np.random.Generator, _day: int, n: int, level: float) -> Values:
    """On a tenth of the days, for a tenth of the day; the more the higher the day's level."""
    wet = (rng.random() < 0.1) & (rng.random(n) < 0.1)
    return wet * rng.exponential(0.05 * np.exp(level), n).round(2)


QUIET: dict[str, Draw] = {
    "normal": lambda rng, _d, n, _l: rng.normal(size=n),
    "t3": lambda rng, _d, n, _l: rng.standard_t(3, n),
    "lognormal, sd 1": lambda rng, _d, n, _l: rng.lognormal(0.0, 1.0, n),
    "lognormal, sd 2": lambda rng, _d, n, _l: rng.lognormal(0.0, 2.0, n),
    "exponential": lambda rng, _d, n, _l: rng.exponential(1.0, n),
    "whole numbers": lambda rng, _d, n, _l: rng.poisson(3.0, n).astype(float),
    "flag, 1 % ones": lambda rng, _d, n, _l: (rng.random(n) < 0.01).astype(float),
    "share": lambda rng, _d, n, _l: rng.random(n),
    "days that differ": lambda rng, _d, n, level: level + rng.normal(size=n),
    "amounts, days that differ": lambda rng, _d, n, level: rng.lognormal(0.3 * level, 1.0, n),
    "rain": _rain,
    "degrees C": lambda rng, d, n, level: 12 - 11 * np.cos(d / 365 * 2 * np.pi) + 3 * level + 4 * rng.normal(size=n),
    "grows 1 % a week": lambda rng, d, n, _l: rng.lognormal(0.01 * d / 7, 1.0, n),
}
UNSTABLE: dict[str, Draw] = {
    "a date": lambda _r, d, n, _l: np.full(n, float(d)),
    "a running number": lambda _r, d, n, _l: d * ROWS + np.arange(n, dtype=float),
    "a constant": lambda _r, _d, n, _l: np.full(n, 7.0),
}
FAULTS: dict[str, Callable[[np.random.Generator, Values], Values]] = {
    "x 1000": lambda _r, x: x * 1_000,
    "x 100": lambda _r, x: x * 100,
    "x 10": lambda _r, x: x * 10,
    "C to F": lambda _r, x: x * 1.8 + 32,
    "-999 in 1 %": lambda rng, x: np.where(rng.random(len(x)) < 0.01, -999.0, x),
    "-999 in 2 %": lambda rng, x: np.where(rng.random(len(x)) < 0.02, -999.0, x),
}


def levels_of(rng: np.random.Generator, days: int) -> Values:
    """AR(1) of .7, sd 1."""
    found = np.zeros(days)
    for day in range(1, days):
        found[day] = 0.7 * found[day - 1] + np.sqrt(1 - 0.49) * rng.normal()
    return found


class Stream:
    """One feature of one seed: ``feature`` with what was learned, ``counts`` of the reference."""

    def __init__(self, draw: Draw, seed: int, reference_rows: int, days: int) -> None:
        self.rng, self.draw = np.random.default_rng(seed), draw
        self.levels = levels_of(self.rng, REFERENCE_DAYS + days)
        each = max(1, reference_rows // REFERENCE_DAYS)
        rows = np.concatenate([draw(self.rng, day, each, self.levels[day]) for day in range(REFERENCE_DAYS)])
        span = learn_range(rows)
        self.feature = Feature("x", "f_x", "numeric", edges=with_ends(numeric_edges(rows), span), range=span)
        self.spec = MonitorSpecification("m", "binary", ("no", "yes"), (self.feature,), 86_400.0)
        self.counts = self.count(rows)

    def count(self, values: Values) -> NDArray[np.int64]:
        codes = np.searchsorted(np.asarray(self.feature.edges), values, side="right")
        return np.bincount(codes, minlength=self.feature.bins)

    def breaks(self, day: int, fault: str = "") -> bool:
        values = self.draw(self.rng, day, ROWS, self.levels[day])
        values = FAULTS[fault](self.rng, values) if fault else values
        facts = Facts(ROWS, {"x": self.count(values)}, np.zeros(0), {}, (0, 0), (0, 0), 0.0)
        found = quality.check(Limits(self.spec, {"x": tuple(self.counts.tolist())}), NOTHING, facts)
        return any(b.rule == "out_of_range" for b in found)


def false_alarms(name: str, seeds: int, weeks: int, reference_rows: int) -> int:
    """Windows that break the rule although nothing is wrong."""
    days = range(REFERENCE_DAYS, REFERENCE_DAYS + 7 * weeks)
    streams = [Stream(QUIET[name], seed, reference_rows, 7 * weeks) for seed in range(seeds)]
    return sum(stream.breaks(day) for stream in streams for day in days)


def seen(name: str, fault: str, seeds: int, reference_rows: int) -> float:
    """Share of windows with the error that break the rule, over a year."""
    days = range(REFERENCE_DAYS, REFERENCE_DAYS + 360, 12)
    streams = [Stream(QUIET[name], seed, reference_rows, 360) for seed in range(seeds)]
    return float(np.mean([stream.breaks(day, fault) for stream in streams for day in days]))


def measure(seeds: int, weeks: int) -> dict[str, Any]:
    """Everything, as it is printed."""
    sizes = (240, 12_000, 120_000)
    quiet = {name: {rows: false_alarms(name, seeds, weeks, rows) for rows in sizes} for name in QUIET}
    named = [name for name in QUIET if name not in ("flag, 1 % ones", "grows 1 % a week")]
    power = {fault: {name: seen(name, fault, max(2, seeds // 4), 12_000) for name in named} for fault in FAULTS}
    none = {name: [Stream(draw, s, 12_000, 0).feature.range for s in range(3)] for name, draw in UNSTABLE.items()}
    return {"windows": seeds * weeks * 7, "false": quiet, "seen": power, "without": none}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--weeks", type=int, default=26)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measure(given.seeds, given.weeks)
    print(f"false alarms in {found['windows']} windows, by rows of the reference")
    for name, counts in found["false"].items():
        print(f"  {name:28}", *(f"{rows}: {count}" for rows, count in counts.items()))
    print("share of windows that tell an error")
    for fault, shares in found["seen"].items():
        print(f"  {fault:14}", "; ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    print("no range:", found["without"])
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
