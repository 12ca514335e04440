"""How often the learned rules of data quality are wrong, and what they see: seeded weeks, no broker.

    python benchmarks/quality.py [--weeks 26] [--seeds 40] [--json FILE]

The world: 20 features (10 numeric in 16 bins, 10 of 8 categories), a reference of 28 days, daily windows of about
2,000 predictions with weekends at 40 % and days that differ (log-normal, sd .15). Of every fourth feature values are
missing: 10 % on average, sd 3 points from day to day. Nothing is ever wrong, so every incident is a false one.
Beside it: the same weeks with one fault from day 28 on, how many are found, and how many windows that takes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.streams.judge.quality import quality
from driftloop.streams.judge.quality.limits import Limits
from driftloop.streams.judge.quality.quality import Facts
from driftloop.streams.judge.quality.quality_history import History, Past

DAY = 86_400.0
NUMERIC, CATEGORICAL = 10, 10
EDGES, CATEGORIES = tuple(float(i) for i in range(15)), tuple("abcdefgh")
FEATURES = (
    *(Feature(f"n{i}", f"f_n{i}", "numeric", edges=EDGES) for i in range(NUMERIC)),
    *(Feature(f"c{i}", f"f_c{i}", "categorical", categories=CATEGORIES) for i in range(CATEGORICAL)),
)
SPEC = MonitorSpecification("loans", "binary", ("no", "yes"), FEATURES, DAY)
FAULTS = ("missing 5 points", "unseen 5 %", "column gone", "70 % of traffic lost", "duplicates 5 %")


class World:
    """Days of one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def rows(self, day: int) -> int:
        usual = 2_000.0 * (0.4 if day % 7 >= 5 else 1.0)
        return int(self.rng.poisson(usual * np.exp(self.rng.normal(0.0, 0.15))))

    def counts(self, rows: int, fault: str = "") -> dict[str, np.ndarray]:
        found = {}
        for i, feature in enumerate(FEATURES):
            share = float(np.clip(self.rng.normal(0.1, 0.03), 0.0, 1.0)) if i % 4 == 0 else 0.0
            hit = i in (1, NUMERIC + 1)
            share += 0.05 if hit and fault == "missing 5 points" else 0.0
            share = 1.0 if hit and fault == "column gone" else share
            values = 16 if feature.kind == "numeric" else len(CATEGORIES)
            chances = np.full(values, (1 - share) / values)
            unseen = [0.05 if hit and fault == "unseen 5 %" else 0.0] if feature.kind == "categorical" else []
            chances = np.concatenate([chances * (1 - sum(unseen)), [u * (1 - share) for u in unseen], [share]])
            found[feature.name] = self.rng.multinomial(rows, chances / chances.sum())
        return found


def play(seed: int, days: int, fault: str = "", since: int = 28) -> list[tuple[int, str]]:
    """(day, rule) of every rule that a window broke."""
    world, history = World(seed), History()
    reference = {f.name: np.zeros(f.bins, np.int64) for f in FEATURES}
    for day in range(28):
        for name, counts in world.counts(world.rows(day)).items():
            reference[name] += counts
    limits = Limits(SPEC, {name: tuple(counts.tolist()) for name, counts in reference.items()})
    found = []
    for day in range(days):
        now = fault if day >= since else ""
        rows = world.rows(day) * 3 // (10 if now == "70 % of traffic lost" else 3)
        repeats = int(world.rng.binomial(2 * rows, 0.05 if now == "duplicates 5 %" else 0.002))
        facts = Facts(rows, world.counts(rows, now), np.array([rows, 0, 0]), {}, (0, rows), (repeats, 2 * rows), 0.0)
        broken = quality.check(limits, history.usual(day * DAY, DAY), facts)
        odd = any(b.rule in ("volume", "freshness", "duplicates") for b in broken)
        history.learn(Past(day * DAY, rows, 0.0, repeats / (2 * rows + 1), odd))
        found += [(day, b.rule) for b in broken]
    return found


def measure(seeds: int, weeks: int) -> dict[str, Any]:
    false = [play(seed, 7 * weeks) for seed in range(seeds)]
    days = sum(len({day for day, _ in one}) for one in false)
    power = {}
    for fault in FAULTS:
        delays = [min((d for d, _ in play(s, 35, fault) if d >= 28), default=None) for s in range(min(seeds, 20))]
        told = sorted(d - 27 for d in delays if d is not None)
        power[fault] = {"found": len(told) / len(delays), "windows": told[len(told) // 2] if told else None}
    return {"weeks": seeds * weeks, "windows_with_a_false_alarm": days, "power": power}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--weeks", type=int, default=26)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measure(given.seeds, given.weeks)
    print(
        f"{found['windows_with_a_false_alarm']} windows with a false alarm in {found['weeks']} weeks of daily windows"
    )
    for fault, power in found["power"].items():
        print(f"{fault:24} found {power['found']:.0%}, after {power['windows']} window(s)")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
