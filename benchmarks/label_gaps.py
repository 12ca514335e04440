"""How often labels are said to have stopped when they have not, and how soon it is seen when they have: no broker.

    python benchmarks/label_gaps.py [--weeks 104] [--seeds 6] [--json FILE]

Each world says when the label of a prediction is known; predictions have a daily cycle and weekends at 60 %, days
differ (log-normal, sd .2), nine of ten are labelled. Hourly panes; windows of an hour and of a day. Nothing is ever
wrong, so every gap that is told is a false one. Beside it the same worlds with an outage of ten days or, if that is
more, of twice the world's own gap: found or not, in days from its beginning, and whether it is over soon afterwards.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from driftloop.schemas.monitor.specification import delay_edges
from driftloop.streams.judge.labels.delays import DelayCurve
from driftloop.streams.judge.labels.label_gaps import LabelGaps, Look, step
from numpy.typing import NDArray

HOUR, DAY = 3_600.0, 86_400.0
Times = NDArray[np.float64]
Told = list[tuple[float, float]]
Known = Callable[[np.random.Generator, Times], Times]
HOLIDAYS = (0, 15, 50, 145, 185, 246, 284, 315, 331, 359)
"""Days of a year on which nobody works."""


def at_once(rng: np.random.Generator, t: Times) -> Times:
    return t + rng.exponential(HOUR / 4, len(t))


def batch(every_days: int, jitter_seconds: float = HOUR) -> Known:
    """All labels so far come at two in the morning of each so many days, give or take."""

    def known(rng: np.random.Generator, t: Times) -> Times:
        seconds = every_days * DAY
        number = np.floor((t - 2 * HOUR) / seconds).astype(np.int64) + 1
        late = rng.normal(0.0, jitter_seconds, number.max() + 1)
        return np.maximum(number * seconds + 2 * HOUR + late[number], t + 60.0)

    return known


def office(rng: np.random.Generator, t: Times) -> Times:
    """People label from nine to five, never at weekends and on holidays."""
    known = np.asarray(t + rng.exponential(6 * HOUR, len(t)))
    for _ in range(6):
        day = np.floor(known / DAY).astype(np.int64)
        closed = (day % 7 >= 5) | np.isin(day % 365, HOLIDAYS)
        hour, soon = known % DAY, 9 * HOUR + rng.exponential(HOUR, len(t))
        tomorrow = closed | (hour > 17 * HOUR)
        known = np.where(tomorrow, (day + 1) * DAY + soon, np.where(hour < 9 * HOUR, day * DAY + soon, known))
    return known


def slow(rng: np.random.Generator, t: Times) -> Times:
    return t + rng.gamma(4.0, 2 * DAY, len(t))


def late_days(rng: np.random.Generator, t: Times) -> Times:
    """On a quarter of the days most labels take forty hours."""
    day = np.floor(t / DAY).astype(np.int64)
    late = rng.random(day.max() + 1) < 0.25
    return t + np.where(rng.random(len(t)) < np.where(late[day], 0.7, 0.1), 40 * HOUR, 3 * HOUR)


class World(NamedTuple):
    """``per_day``: predictions. ``gap_days``: the longest without a label that is usual."""

    name: str
    known: Known
    horizon_days: float
    per_day: float
    gap_days: float = 0.0


WORLDS = (
    World("at once", at_once, 2, 2_400),
    World("at once, 20 a day", at_once, 2, 20),
    World("a batch a night", batch(1), 3, 2_400, 1),
    World("a batch a week", batch(7), 14, 2_400, 7),
    World("a batch in thirty days", batch(30, 6 * HOUR), 45, 2_400, 30),
    World("office hours and holidays", office, 14, 2_400, 4),
    World("eight days later", slow, 30, 480),
    World("a quarter of the days late", late_days, 3, 480),
    World("eight days later, 4 a day", slow, 30, 4),
)


def play(world: World, seed: int, days: int, window_seconds: float, outage: tuple[float, float] = (0, 0)) -> Told:
    """(day of the first look, of the last) of each gap that was told. ``outage``: days from and to which no label
    comes; what was due then is lost."""
    rng = np.random.default_rng(seed)
    starts = np.arange(0.0, days * DAY, HOUR)
    cycle = 1 + 0.8 * np.sin(2 * np.pi * (starts / DAY - 0.25))
    level = np.exp(rng.normal(0.0, 0.2, days))[(starts // DAY).astype(int)]
    week = np.where(starts // DAY % 7 >= 5, 0.6, 1.0)
    n = rng.poisson(world.per_day / 24 * cycle * level * week)
    pane = np.repeat(np.arange(len(starts)), n)
    times = starts[pane] + rng.random(len(pane)) * HOUR
    known = world.known(rng, times)
    edges = np.array(delay_edges(world.horizon_days * DAY))
    there = (rng.random(len(pane)) < 0.9) & (known - times <= edges[-1])
    there &= (known < outage[0] * DAY) | (known >= outage[1] * DAY)
    bucket = np.searchsorted(edges, (known - times)[there])
    labels = np.zeros((len(starts), len(edges)), np.int64)
    np.add.at(labels, (pane[there], bucket), 1)
    return _looks(n, labels, edges, window_seconds, days)


def _looks(n: NDArray[Any], labels: NDArray[Any], edges: Times, window: float, days: int) -> Told:
    curve, gaps, told = DelayCurve.empty(len(edges)), LabelGaps(), Told()
    sums = np.concatenate([[0], np.cumsum(n)])
    came = np.concatenate([np.zeros((1, len(edges)), np.int64), np.cumsum(labels, axis=0)])
    matured, is_told = 0, False
    passed = np.zeros(len(edges), np.int64)
    for look in range(1, int(days * DAY / window)):
        now = look * window
        panes = np.clip(np.floor((now - edges) / HOUR), 0, len(n)).astype(np.int64)
        while matured < panes[-1]:
            curve.learn(HOUR, int(n[matured]), labels[matured].tolist())
            matured += 1
        shares = np.array(curve.labelled) / max(curve.predictions, 1e-9)
        due = float((sums[panes] - sums[passed]) @ shares)
        total = int(sum(came[p, k] for k, p in enumerate(panes)))
        passed = panes
        gaps, stopped = step(gaps, Look(now, window, due, total, float(edges[-1])))
        if stopped is not None:
            told = [*told, (now / DAY, now / DAY)] if not is_told else [*told[:-1], (told[-1][0], now / DAY)]
        is_told = stopped is not None
    return told


def run(weeks: int, seeds: int) -> list[dict[str, Any]]:
    table = []
    for world in WORLDS:
        for window in (HOUR, DAY):
            false = [len(play(world, seed, 7 * weeks, window)) for seed in range(seeds)]
            since, length = 200.3, max(10.0, 2 * world.gap_days)
            until, after = since + length, 2 * world.gap_days + 30
            days = int(until + after)
            found = [play(world, 1_000 + s, days, window, (since, until)) for s in range(seeds)]
            first = [[a for a, b in told if b >= since] for told in found]
            over = [max([b for _, b in told if b >= since], default=np.nan) - until for told in found]
            table.append(
                {
                    "world": world.name,
                    "window_hours": window / HOUR,
                    "years": weeks * seeds * 7 / 365,
                    "false_alarms": int(sum(false)),
                    "false_alarms_per_year": sum(false) / (weeks * seeds * 7 / 365),
                    "found": float(np.mean([bool(f) for f in first])),
                    "median_days_to_find": float(np.median([f[0] - since for f in first if f] or [np.nan])),
                    "most_days_until_over": float(np.nanmax([*over, -1e9])),
                }
            )
            print(json.dumps(table[-1]), flush=True)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weeks", type=int, default=104)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    table = run(arguments.weeks, arguments.seeds)
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
