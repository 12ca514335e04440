"""A stream with a strong cycle, daily and weekly: reference rows one by one, live panes hour by hour."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
from driftloop.console.reference_rows import ReferenceRows
from driftloop.console.reference_season import learn_season
from driftloop.schemas.baseline.reference import Baselines, build_reference
from driftloop.schemas.bins import score_codes
from driftloop.schemas.codec import encode
from driftloop.schemas.events import Pane
from driftloop.schemas.monitor.season import Season
from driftloop.schemas.monitor.specification import MonitorSpecification

from .scenes import DAY, HOUR, MODEL, SPEC, START, Judge, Shelf, progress, sparse

WEEK = 7 * 24
HOURLY = replace(SPEC, pane_seconds=HOUR, window_seconds=HOUR, horizon_seconds=HOUR, budget_seconds=7 * DAY)
SEASONAL = replace(HOURLY, season=Season("Europe/Berlin"))
WEDNESDAY = 2
"""START is one."""
A_SHARE_OF = (0.1, 0.5)
"""Of the rows the region is missing; of the rest the half is north, more at night."""


class Hour(NamedTuple):
    """The rows of one hour: ``region`` 1 north, 0 south, 3 missing."""

    start: float
    income: np.ndarray
    region: np.ndarray
    score: np.ndarray


def hours(first: int, count: int, shift: float = 0.0, rows: int = 100, rise: float = 0.0) -> list[Hour]:
    """Income, score and the share of the north follow the hour, income the weekend too; ``shift`` sd in income,
    ``rise`` in the log-odds of the score."""
    found = []
    for hour in range(first, first + count):
        rng = np.random.default_rng([7, hour + 10_000])
        turn = np.sin(2 * np.pi * hour / 24)
        weekend = 0.7 * ((hour // 24 + WEDNESDAY) % 7 >= 5)
        income = rng.normal(0.7 * turn + weekend + shift, 1.0, rows)
        missing, half = A_SHARE_OF
        region = np.where(rng.random(rows) < missing, 3, rng.random(rows) < half + 0.2 * turn)
        odds = rng.normal(0.7 * turn + rise, 1.0, rows)
        found.append(Hour(START + hour * HOUR, income, region, 1 / (1 + np.exp(-odds))))
    return found


def rows_of(told: list[Hour]) -> ReferenceRows:
    names = np.array(["south", "north", "", None], object)
    n = len(told[0].income)
    times = np.concatenate([one.start + np.arange(n) * HOUR / n for one in told])
    columns = {
        "income": np.concatenate([one.income for one in told]),
        "region": names[np.concatenate([one.region for one in told])],
    }
    nothing = np.full(len(times), -1, np.int8)
    score = np.concatenate([one.score for one in told])
    return ReferenceRows(columns, nothing, score, times, nothing, (), np.full(len(times), "v1", object))


@cache
def reference(specification: MonitorSpecification, weeks: int) -> Baselines:
    """What `reference build` publishes of the weeks before START."""
    rows = rows_of(hours(-weeks * WEEK, weeks * WEEK))
    after, found = build_reference(
        specification, rows.columns, rows.labels, score=rows.score, event_time=rows.event_time
    )
    assert after == specification, "its bins stand in the specification"
    return replace(found, season=learn_season(after, rows))


def stream_of(specification: MonitorSpecification, told: list[Hour], version: str = "v1") -> list[bytes]:
    """Each hour's pane, and the progress that makes it due."""
    edges = specification.features[0].edges
    found = []
    for one in told:
        end = one.start + HOUR
        income = np.searchsorted(edges, one.income, side="right")
        region = np.where(one.region == 3, 3, 1 - one.region)
        pane = Pane(
            MODEL, version, "champion", specification.spec, one.start, HOUR, 0, "features", -1, end, 0, 0, 9, -1, -1,
            {"predictions": len(income)}, {},
            (
                sparse("feature:income", income.tolist()),
                sparse("feature:region", region.tolist()),
                sparse("score", score_codes(one.score).tolist()),
            ),
        )  # fmt: skip
        found += [encode(pane), encode(progress(0, 1, end))]
    return found


def judge_of(specification: MonitorSpecification, weeks: int = 3) -> Judge:
    return Judge(Shelf(reference(specification, weeks), specification))
