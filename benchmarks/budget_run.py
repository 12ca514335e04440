"""One row of the budget table: simulated weeks through the detector; false incidents, and shifts found on the way.

A shift is tried on a branch: the state at that hour (states are values), the stream from there with the shift, up to
``TRIAL_HOURS``; the stream itself goes on without. A trial in which an incident was open already does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from budget_shifts import SHIFTS
from budget_streams import START, Drawn, Scenario, Stream, cut
from driftloop.detectors.seasonal import core
from driftloop.detectors.seasonal.baseline import Unknown, side_by_side
from driftloop.detectors.seasonal.fitting import learned, warmed
from driftloop.detectors.seasonal.history import Pane, history_of
from driftloop.detectors.seasonal.incidents import CALM, OPENED, REANCHORED
from driftloop.detectors.seasonal.plan import DAY_SECONDS, HOUR_SECONDS, Settings
from scipy.stats import t as student

WEEK_HOURS = 168
TRIAL_HOURS = 72
WITHIN_HOURS = 24
FIRST_WEEKS = 8


@dataclass(frozen=True)
class Row:
    """What is run. ``trial_every``: every kind of shift is tried once in so many weeks; 0: never."""

    scenario: Scenario
    traffic_per_hour: float = 500.0
    reference_weeks: int = 4
    weeks: int = 104
    seeds: int = 20
    trial_every: int = 8
    seed: int = 1
    budget_days: float = 7.0

    @property
    def name(self) -> tuple[str, float, int]:
        return self.scenario.name, self.traffic_per_hour, self.reference_weeks


@dataclass
class Tally:
    """By seed: incidents ``opened`` a week [M, weeks], taken over as new normal, slow notices; hours of trials."""

    opened: np.ndarray
    lasting: np.ndarray
    slow: np.ndarray
    hours: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in SHIFTS})

    def power(self) -> dict[str, float]:
        """Share found within a day; the others were not, or later."""
        return {kind: round(float(np.mean(np.array(h) <= WITHIN_HOURS)), 4) for kind, h in self.hours.items() if h}

    def median(self) -> dict[str, float | None]:
        """None: half of them were not found within the trial."""
        found = {kind: float(np.median(h)) for kind, h in self.hours.items() if h}
        return {kind: h if np.isfinite(h) else None for kind, h in found.items()}


class Watch:
    """The monitors of a row, one a seed, and where they are in time."""

    def __init__(self, row: Row) -> None:
        s = row.scenario
        self.row = row
        self.stream = Stream(s, row.traffic_per_hour, row.seeds, row.seed)
        settings = Settings(
            s.histograms,
            budget_seconds=row.budget_days * DAY_SECONDS,
            pane_seconds=s.hours * HOUR_SECONDS,
            calendar=s.calendar,
        )
        self.plan = core.Plan(settings, s.hours)
        self.first = self.plan.clock.period(START)
        reference = self.stream.counts(self.stream.stretch(0, row.reference_weeks * WEEK_HOURS))
        one_by_one = side_by_side([self._learned(counts) for counts in reference])
        self.baseline = warmed(self.plan, one_by_one, self.first, np.moveaxis(reference, 0, 1))

    def _learned(self, counts: np.ndarray) -> Any:
        s = self.row.scenario
        panes = [Pane(START + HOUR_SECONDS * s.hours * t, one) for t, one in enumerate(counts)]
        found = history_of(self.plan.settings, panes)
        if isinstance(found, Unknown):
            raise SystemExit(f"{s.name} is UNKNOWN: {found.reason}; {found.hint}")
        if found.clock.hours != s.hours:
            raise SystemExit(f"{s.name} would be judged every {found.clock.hours} hours, not every {s.hours}")
        return learned(self.plan, found)

    def step(self, live: core.Live, hour: int, t: int, counts: np.ndarray) -> tuple[core.Live, core.Outcome]:
        """Period t after ``hour``, counted from the start of the stream."""
        period = self.first + hour // self.plan.hours + t
        if not counts.any():
            return live, core.standing(self.plan, live)
        return core.advance(self.plan, self.baseline, live, period, counts)

    def try_shifts(self, live: core.Live, drawn: Drawn, hour: int, tally: Tally) -> None:
        """Every kind of shift from ``hour`` on, where the stretch ``drawn`` begins."""
        calm = live.incidents.state == CALM
        for k, (kind, shift) in enumerate(SHIFTS.items()):
            rng = np.random.default_rng([hour, k, *self.row.scenario.name.encode()])
            counts, branch = self.stream.counts(shift(self.stream, drawn, rng), rng), live
            hours = np.full(self.row.seeds, np.inf)
            for t in range(counts.shape[1]):
                branch, outcome = self.step(branch, hour, t, counts[:, t])
                new = np.isinf(hours) & (outcome.change == OPENED)
                hours = np.where(new, (t + 1) * self.plan.hours, hours)
                if np.isfinite(hours[calm]).all():
                    break
            tally.hours[kind] += hours[calm].tolist()


def run(row: Row) -> dict[str, Any]:
    """The row as JSON. ``incidents``: mean over the seeds, with the upper 95 % bound of that mean beside it."""
    watch = Watch(row)
    live = core.begin(watch.plan, watch.baseline)
    tally = Tally(np.zeros((row.seeds, row.weeks)), np.zeros(row.seeds), np.zeros(row.seeds))
    rng = np.random.default_rng([row.seed, 7])
    for week in range(row.weeks):
        hour = (row.reference_weeks + week) * WEEK_HOURS
        drawn = watch.stream.stretch(hour, WEEK_HOURS)
        counts = watch.stream.counts(drawn)
        tried = row.trial_every and week % row.trial_every == row.trial_every - 1
        at = int(rng.integers(0, (WEEK_HOURS - TRIAL_HOURS) // watch.plan.hours)) if tried else -1
        for t in range(counts.shape[1]):
            if t == at:
                steps = watch.plan.hours * watch.stream.steps
                ahead = cut(drawn, t * steps, t * steps + TRIAL_HOURS * watch.stream.steps)
                watch.try_shifts(live, ahead, hour + t * watch.plan.hours, tally)
            live, outcome = watch.step(live, hour, t, counts[:, t])
            tally.opened[:, week] += outcome.change == OPENED
            tally.lasting += outcome.change == REANCHORED
            tally.slow += outcome.slow
    return _told(row, tally, float(live.keeper.c.mean()))


def upper(values: np.ndarray | Sequence[float]) -> float:
    """Upper 95 % bound (one-sided, Student's t) of the mean."""
    if len(values) < 2:
        return float("inf")
    error = float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return float(np.mean(values) + student.ppf(0.95, len(values) - 1) * error)


def _told(row: Row, tally: Tally, c: float) -> dict[str, Any]:
    a_week = 7 / row.budget_days
    weeks, beginning = row.weeks, min(FIRST_WEEKS, row.weeks)
    all_of_it, first = tally.opened.sum(1), tally.opened[:, :beginning].sum(1)
    return {
        "scenario": row.scenario.name,
        "traffic_per_hour": row.traffic_per_hour,
        "reference_weeks": row.reference_weeks,
        "weeks": weeks,
        "allowed": weeks * a_week,
        "incidents": round(float(all_of_it.mean()), 3),
        "incidents_first_8_weeks": round(float(first.mean()), 3),
        "power": tally.power(),
        "hours_to_detect": tally.median(),
        "seeds": row.seeds,
        "ratio": round(float(all_of_it.mean()) / weeks / a_week, 4),
        "ratio_upper": round(upper(all_of_it) / weeks / a_week, 4),
        "ratio_first_8_weeks": round(float(first.mean()) / beginning / a_week, 4),
        "ratio_first_8_weeks_upper": round(upper(first) / beginning / a_week, 4),
        "taken_over": round(float(tally.lasting.mean()), 3),
        "slow_notices": round(float(tally.slow.mean()), 3),
        "threshold_c": round(c, 2),
        "trials": {kind: len(hours) for kind, hours in tally.hours.items() if hours},
        "tuned": row.scenario.tuned,
        "what": row.scenario.what,
    }
