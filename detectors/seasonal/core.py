"""One period of M monitors side by side: counts in, evidence and changes out. Everything a step decides is here.

    channels → expected → deviation d → Kalman innovation → bets → evidence → threshold → incident → what is learned

In production M is 1; simulations step hundreds at once, with the same code and the same bits. A period without rows
is as if it were not there: only time passes. Cost: 250 µs for one monitor of 20 features (120 channels).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles
from driftloop.detectors.seasonal import evidence, incidents, keeper, level, noise, season, weekly
from driftloop.detectors.seasonal.baseline import Baseline
from driftloop.detectors.seasonal.channels import Channels, channels_of, measure
from driftloop.detectors.seasonal.incidents import CALM, OPEN, OPENED, REANCHORED, RESOLVED
from driftloop.detectors.seasonal.plan import Clock, Place, Settings
from numpy.typing import NDArray

DOUBT = 10.0
"""While the evidence is above a tenth of the threshold the season is not learned: it would learn the drift."""
RECENT_HOURS = 12
"""Memory of the shift that is told beside the evidence."""
SURE_ENOUGH = 0.5
"""While the doubt of the week is more than the noise of a period the season is not learned either."""
SPREAD_LEAST = 0.1
"""Variance of a row, in reference variances: a constant feature is not infinitely sure."""


@dataclass(frozen=True)
class Plan:
    """Settings, and what follows from them and the period: the same for every step."""

    settings: Settings
    hours: int

    @cached_property
    def clock(self) -> Clock:
        return Clock(self.hours, self.settings.budget_seconds, self.settings.offset_seconds)

    @cached_property
    def channels(self) -> Channels:
        return channels_of(self.settings.histograms)

    @cached_property
    def patience(self) -> incidents.Patience:
        return incidents.patience_of(self.clock)

    @cached_property
    def floor(self) -> Doubles:
        """In units of y, [G]."""
        return np.asarray(self.settings.floor / self.channels.shift_unit)


class Live(NamedTuple):
    """All that changes. ``r``: evidence [M, 2, bets, G]. ``hot`` [M, F]: features of the open incident. ``recent``
    [M, G]: mean deviation of the last hours. ``period``: the last that was judged, -1: none."""

    season: season.Season
    level: level.Level
    weekly: weekly.Weekly
    filter: noise.Filter
    r: Doubles
    keeper: keeper.Keeper
    incidents: incidents.Incidents
    hot: NDArray[np.bool_]
    recent: Doubles
    period: int


class Outcome(NamedTuple):
    """[M]: ``evidence``, ``threshold``, ``change`` (incidents.CHANGES), ``slow``. ``parts`` [M, F]: of the
    evidence. ``d`` [M, G]: deviations of the period; where there was none, of the last hours."""

    evidence: Doubles
    threshold: Doubles
    change: NDArray[np.int64]
    slow: NDArray[np.bool_]
    parts: Doubles
    d: Doubles


def begin(plan: Plan, baseline: Baseline) -> Live:
    """Nothing seen since the reference."""
    monitors, channels = baseline.tau.shape
    return Live(
        baseline.season,
        level.level_of(monitors, channels, plan.clock.a_day),
        weekly.nothing(monitors, channels),
        noise.Filter(0 * baseline.wander.a, baseline.wander.a),
        evidence.nothing(monitors, channels),
        keeper.Keeper(baseline.start[0], baseline.start[1]),
        incidents.calm(monitors),
        np.zeros((monitors, len(plan.channels.feature_first)), np.bool_),
        np.zeros((monitors, channels)),
        -1,
    )


class Seen(NamedTuple):
    """A period against its season, [M, G]: deviation ``d``, ``some``: there were rows, sampling variance ``s2``;
    variance of the innovation: ``noise``, and ``doubt`` of the week; standardised innovation ``z``, its ``sd``, and
    what the season learns: ``y`` without level, ``spread``."""

    d: Doubles
    some: NDArray[np.bool_]
    s2: Doubles
    noise: Doubles
    doubt: Doubles
    z: Doubles
    sd: Doubles
    y: Doubles
    spread: Doubles


def advance(
    plan: Plan, baseline: Baseline, live: Live, period: int, counts: Doubles, learn: bool = True
) -> tuple[Live, Outcome]:
    """Judge one period: ``counts`` [M, bins]. Without ``learn`` season and level stay as they are."""
    place = plan.clock.slot(plan.settings.calendar, period)
    if live.period >= 0 and period - live.period > 1:
        live = live._replace(filter=noise.pass_time(baseline.wander, live.filter, period - live.period - 1))
    seen = look(plan, baseline, live, place, counts)
    judged = np.asarray(seen.some.any(1))
    taken_over = seen.some & (live.level.weight[place.of_day] < level.SURE)
    live = live._replace(
        weekly=weekly.see(live.weekly, place, seen.d, taken_over, plan.clock.a_week),
        r=evidence.climb(live.r, seen.z, plan.floor / seen.sd, seen.some),
        filter=noise.follow(baseline.wander, live.filter, seen.d, seen.s2, seen.some),
        keeper=keeper.age(live.keeper, plan.clock.budget, judged),
        recent=live.recent + np.where(seen.some, seen.d - live.recent, 0.0) / plan.clock.periods(RECENT_HOURS, 2),
        period=period,
    )
    live, outcome = _decide(plan, baseline, live, place, seen, judged)
    if learn:
        live, outcome = _learn(plan, baseline, live, place, seen, outcome)
    return live, outcome


def look(plan: Plan, baseline: Baseline, live: Live, place: Place, counts: Doubles) -> Seen:
    """The period's channels against what was expected of them."""
    channels, shape = plan.channels, baseline.shape
    y, square, rows = measure(channels, baseline.weights, counts)
    e = season.expected(shape, live.season, place)
    spread = season.spread_of(shape, live.season, place)
    s2 = np.maximum(spread, SPREAD_LEAST) / np.maximum(rows, 1.0)
    known = season.widening(shape, live.season.weeks[:, [place.of_week]], place, plan.clock.a_day)
    known = known + 1 / live.level.weight[place.of_day]
    f = live.filter.p * (1 + known) + s2 + baseline.own_error[place.of_day] * known
    f = f * baseline.inflation[place.of_day]
    offset, doubt = weekly.at(live.weekly, place)
    sd = np.sqrt(f + doubt)
    d = y - e - live.level.b - live.level.offset[place.of_day] - offset
    own = y - live.level.b - live.level.offset[place.of_day] - offset
    found = np.where(channels.share, 0.25, square - 2 * y * e + e * e)
    return Seen(d, rows > 0, s2, f, doubt, (d - live.filter.x) / sd, sd, own, found)


def _decide(
    plan: Plan, baseline: Baseline, live: Live, place: Place, seen: Seen, judged: NDArray[np.bool_]
) -> tuple[Live, Outcome]:
    """Evidence against the threshold; what that does to the incident, the budget and the evidence itself."""
    parts = evidence.by_feature(plan.channels, evidence.by_channel(live.r))
    total = parts.sum(1)
    most = keeper.threshold(live.keeper, plan.clock.budget)
    alarm = (total >= most) & judged
    outcome = Outcome(total, most, np.zeros(len(total), np.int64), np.zeros_like(alarm), parts, seen.d)
    if not alarm.any() and not live.incidents.state.any():  # most periods, by far
        return live._replace(incidents=incidents.pass_quietly(live.incidents, judged)), outcome
    levels = _measure_end(plan, live, place, seen)
    after, change = incidents.happen(live.incidents, plan.patience, alarm, judged)
    opened, anew = change == OPENED, change == REANCHORED
    strong = parts * parts.shape[1] >= most[:, None]
    hot = np.where(opened[:, None], parts == parts.max(1, keepdims=True), live.hot) | (strong & alarm[:, None])
    of_hot = hot[:, plan.channels.feature]
    taken_over = levels.weight[place.of_day] < level.SURE
    gone = of_hot & taken_over & (change == RESOLVED)[:, None]
    weeks = weekly.expect_again(live.weekly, gone, _noise(baseline))
    if anew.any():
        weeks = _curved(plan, baseline, live._replace(level=levels, weekly=weeks), of_hot & anew[:, None])
    levels = level.forget_measured(levels, opened)
    levels = level.anchor_anew(levels, of_hot & anew[:, None])
    live = live._replace(
        level=levels,
        weekly=weeks,
        r=np.where((alarm | anew)[:, None, None, None], 0.0, live.r),
        filter=live.filter._replace(x=np.where(anew[:, None], 0.0, live.filter.x)),
        keeper=keeper.pay(live.keeper, change == RESOLVED),
        incidents=after,
        hot=hot,
    )
    return live, outcome._replace(change=change)


def _curved(plan: Plan, baseline: Baseline, live: Live, hot: NDArray[np.bool_]) -> weekly.Weekly:
    """What the channels ``hot`` have come to at the end of an incident is not what they come to on other days."""
    clock, calendar = plan.clock, plan.settings.calendar
    measured = {clock.slot(calendar, live.period - back) for back in range(plan.patience.measured)}
    places = [Place(i % clock.a_day, i // clock.a_day, i) for i in range(clock.a_week)]
    normal = np.stack([season.expected(baseline.shape, live.season, place) for place in places])
    if live.weekly.offset:
        normal = normal + np.stack(live.weekly.offset)
    known = live.level.times.T[:, :, None] > 0
    shift = np.where(known & hot, np.stack(live.level.measured), 0.0)
    taken = weekly.Measured(shift, known, _noise(baseline), sorted(measured))
    return weekly.expect_curved(live.weekly, plan.channels, normal, taken, plan.floor)


def _noise(baseline: Baseline) -> Doubles:
    """Variance of a typical period about its season, [M, G]."""
    return np.asarray(baseline.wander.a + baseline.own_error.mean(0))


def _measure_end(plan: Plan, live: Live, place: Place, seen: Seen) -> level.Level:
    """Of an incident that may become the new normal the last hours are measured."""
    patience, now = plan.patience, live.incidents.judged
    at_end = (live.incidents.state == OPEN) & (now - live.incidents.opened >= patience.lasting - patience.measured)
    some = seen.some & at_end[:, None]
    return level.measure_end(live.level, place.of_day, seen.d, some, patience.measured / plan.clock.a_day)


def _learn(
    plan: Plan, baseline: Baseline, live: Live, place: Place, seen: Seen, outcome: Outcome
) -> tuple[Live, Outcome]:
    """What calm monitors learn of the period: the level, provisional offsets, the season."""
    calm = (live.incidents.state == CALM) & (outcome.change == 0)
    some = seen.some & calm[:, None]
    sure_of = seen.noise / (seen.noise + seen.doubt)
    levels = level.creep(live.level, seen.d * sure_of, baseline.tau, some)
    again = plan.clock.periods(level.TOLD_EVERY_HOURS)
    unit = plan.channels.shift_unit
    levels, slow = level.notice(levels, unit, baseline.level_error, calm, live.incidents.judged, again)
    levels = level.settle(levels, place.of_day, seen.d, sure_of, some)
    hot = (live.hot & ~calm[:, None])[:, plan.channels.feature]
    weeks = weekly.learn(live.weekly, place, seen.z * seen.sd, seen.noise, seen.doubt, seen.some & ~hot)
    sure = some & (outcome.evidence < outcome.threshold / DOUBT)[:, None] & (sure_of >= SURE_ENOUGH)
    learned = season.learn(live.season, place, seen.y, seen.spread, sure)
    return live._replace(level=levels, weekly=weeks, season=learned), outcome._replace(slow=slow)


def standing(plan: Plan, live: Live) -> Outcome:
    """Where things stand, without a period: no change."""
    parts = evidence.by_feature(plan.channels, evidence.by_channel(live.r))
    threshold = keeper.threshold(live.keeper, plan.clock.budget)
    none = np.zeros(len(parts), np.int64)
    return Outcome(parts.sum(1), threshold, none, none.astype(np.bool_), parts, live.recent)
