"""From reference panes to a baseline: season, what days to set aside, noise, and where the threshold starts.

Everything is measured on residuals of weeks that were left out when their season was taken (leave one week out):
residuals against a mean that holds the pane itself would look calmer than the future. An odd day (a holiday, an
outage) stands out of these by 2.5 times the median day; at most one a week is set aside. Cost: .4 s for 4 weeks of
hours of 120 channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles
from driftloop.detectors.seasonal import core, level, noise
from driftloop.detectors.seasonal.baseline import Baseline, Unknown
from driftloop.detectors.seasonal.channels import Channels, Measured, measure, weigh
from driftloop.detectors.seasonal.core import Plan
from driftloop.detectors.seasonal.history import History, Pane, history_of
from driftloop.detectors.seasonal.plan import By, Settings
from driftloop.detectors.seasonal.season import MARGIN, Season, Shape
from numpy.typing import NDArray

ODD = 2.5
"""Times the median day: the 2.5 of the recipe, where holidays of .4 sd read 4 to 30."""
SURE_DAYS = 20
"""Days' worth of the whole day's inflation in that of an hour."""
QUIET_COUNTS = 0.5
"""Of a quiet week of the reference, as one of the live stream: its season is learned from itself, so it is calmer."""
NEVER_SEEN = 1e12
"""Inflation of a channel that the reference has no value of: nothing can be said against it."""
NO_SHAPE = 1e-12
"""Variance between slots that is rounding."""
NEIGHBOURS = 5
"""Hours that share their inflation."""


class Sums(NamedTuple):
    """By week and place in the week: panes ``k`` [N, S, G], and sums of ``y``."""

    k: Doubles
    y: Doubles


class Means(NamedTuple):
    """``all`` [G], ``day`` [D, G], ``week`` [S, G], and the panes behind each."""

    all: Doubles
    day: Doubles
    week: Doubles
    behind: Doubles


class Residuals(NamedTuple):
    """Of every pane against the other weeks, [T, G], with its sampling variance; inf: nothing is to be learned."""

    r: Doubles
    s2: Doubles


def fit(settings: Settings, panes: Sequence[Pane]) -> Baseline | Unknown:
    """Learn from reference panes, in any order. Errors: ValueError where they are not of these histograms."""
    found = history_of(settings, panes)
    if isinstance(found, Unknown):
        return found
    plan = Plan(settings, found.clock.hours)
    return warmed(plan, learned(plan, found), found.first, found.counts[:, None])


def warmed(plan: Plan, baseline: Baseline, first: int, counts: Doubles) -> Baseline:
    """Replay the reference once: a stream that already spends the budget starts with a higher threshold, a quiet one
    with a lower.

    ``counts`` [T, M, bins].
    """
    live = core.begin(plan, baseline)
    for t, one in enumerate(counts):
        if one.any():
            live, _ = core.advance(plan, baseline, live, first + t, one, learn=False)
    c = np.where(live.keeper.c > 0, live.keeper.c, live.keeper.c * QUIET_COUNTS)
    return baseline._replace(start=np.array([c, live.keeper.k]))


def learned(plan: Plan, found: History) -> Baseline:
    """All but the start of the threshold, for one monitor."""
    channels, clock = plan.channels, found.clock
    weights = weigh(channels, plan.settings.histograms, found.counts.sum(0))
    panes = measure(channels, weights, found.counts)
    keep = panes.rows > 0
    keep, odd, shape = _without_odd_days(plan, found, panes, keep)
    sums = _sums(found, panes.y, keep)
    means = _means(found, sums)
    spread = _spreads(channels, found, panes, keep, shape, means)
    left = _left_out(found, panes, keep, shape, sums, spread)
    wander = noise.fit_noise(left.r, left.s2)
    own_error = _by_place(found, np.where(np.isfinite(left.s2), left.s2, 0.0), np.isfinite(left.s2))
    sd = np.sqrt(wander.a[0] + own_error.mean(0)) * channels.shift_unit
    low, high = level.TAU_HOURS
    tau = np.clip(level.TAU_FACTOR * sd, low, high) / clock.hours
    lasting = wander.a[0] * (1 + wander.rho[0]) / (1 - wander.rho[0])
    weeks = np.maximum(sums.k.sum(0).max(1), 0.5)
    return Baseline(
        clock.hours,
        len(found.counts) / clock.a_week,
        len(odd),
        weights,
        Shape(shape.day[None], shape.week[:, None]),
        Season(
            means.all[None],
            tuple(means.day[:, None]),
            tuple(means.week[:, None]),
            tuple(spread[:, None]),
            weeks[None],
        ),
        wander,
        own_error[:, None],
        _inflation(found, wander, left)[:, None],
        tau[None],
        np.sqrt((lasting + own_error.mean(0)) / (2 * tau))[None],
        np.zeros((2, 1)),
    )


def _without_odd_days(
    plan: Plan, found: History, panes: Measured, keep: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], list[int], Shape]:
    """(panes to learn from, days set aside, α)."""
    odd: list[int] = []
    while True:
        sums = _sums(found, panes.y, keep)
        means, shape = _means(found, sums), _limited(plan.settings.by, _shape(found, panes.y, keep, sums))
        spread = _spreads(plan.channels, found, panes, keep, shape, means)
        left = _left_out(found, panes, keep, shape, sums, spread)
        s2 = np.maximum(_of_place(found, spread), core.SPREAD_LEAST) / np.maximum(panes.rows, 1.0)
        stands_out = _by_day(found, np.where(np.isfinite(left.s2), left.r**2 / s2, 0.0), np.isfinite(left.s2))
        usual = np.array([p.of_day for p in found.places])
        far = _by_day(found, np.where(keep, (panes.y - means.day[usual]) ** 2 / s2, 0.0), keep)
        stands_out[odd] = 0
        weeks = len(found.counts) // found.clock.a_week
        if stands_out.max() <= ODD * np.median(stands_out) or len(odd) >= weeks:
            return keep, odd, shape
        # Of two days that differ from each other the one unlike all days is odd.
        odd.append(int(np.where(stands_out > 0.6 * stands_out.max(), far, 0.0).argmax()))
        keep = keep & (found.day != odd[-1])[:, None]


def _sums(found: History, y: Doubles, keep: NDArray[np.bool_]) -> Sums:
    shape = (int(found.week[-1]) + 1, found.clock.a_week, y.shape[1])
    k, total = np.zeros(shape), np.zeros(shape)
    at = (found.week, np.array([p.of_week for p in found.places]))
    np.add.at(k, at, keep)
    np.add.at(total, at, np.where(keep, y, 0.0))
    return Sums(k, total)


def _means(found: History, sums: Sums, without: int | None = None) -> Means:
    """Over all weeks, or all but one. A slot that nothing is known of takes what is known of its hour, or of all."""
    k, y = sums.k.sum(0), sums.y.sum(0)
    if without is not None:
        k, y = k - sums.k[without], y - sums.y[without]
    day_k, day_y = (x.reshape(7, found.clock.a_day, -1).sum(0) for x in (k, y))
    whole = y.sum(0) / np.maximum(k.sum(0), 1)
    day = np.where(day_k > 0, day_y / np.maximum(day_k, 1), whole)
    week = np.where(k > 0, y / np.maximum(k, 1), np.tile(day, (7, 1)))
    return Means(whole, day, week, k)


def _shape(found: History, y: Doubles, keep: NDArray[np.bool_], sums: Sums) -> Shape:
    """α from the variance between slots against the noise within them."""
    means, a_day = _means(found, sums), found.clock.a_day
    at = np.array([p.of_week for p in found.places])
    within = np.where(keep, (y - means.week[at]) ** 2, 0.0).sum(0)
    noise_of = within / np.maximum((means.behind - 1).clip(0).sum(0), 1)
    panes = np.maximum(means.behind.mean(0), 0.5)
    week = ((means.week.reshape(7, a_day, -1) - means.day) ** 2).mean(1) * 7 / 6
    day = ((means.day - means.all) ** 2).mean(0) * a_day / max(a_day - 1, 1)

    def clear(between: Doubles, m: Doubles) -> Doubles:
        some = between > NO_SHAPE
        return np.where(some, np.clip(1 - MARGIN * noise_of / m / np.maximum(between, NO_SHAPE), 0.0, 1.0), 0.0)

    return Shape(clear(day, 7 * panes), clear(week, panes))


def _limited(by: By, shape: Shape) -> Shape:
    """What is not said to make a difference makes none, however clear it looks."""
    if by == "hour of day":
        return shape._replace(week=np.zeros_like(shape.week))
    return shape._replace(day=np.zeros_like(shape.day)) if by == "day of week" else shape


def _season_of(means: Means, shape: Shape, a_day: int) -> Doubles:
    """e of every place in the week, [S, G]."""
    day = np.tile(means.day, (7, 1))
    week = np.repeat(shape.week, a_day, axis=0) * (means.week - day)
    return np.asarray(means.all + shape.day * (day - means.all) + week)


def _spreads(
    channels: Channels, found: History, panes: Measured, keep: NDArray[np.bool_], shape: Shape, means: Means
) -> Doubles:
    """Variance of one row about its season, by place in the day and, last, of all: [D + 1, G]; of shares 1/4."""
    e = _season_of(means, shape, found.clock.a_day)[np.array([p.of_week for p in found.places])]
    one = np.where(keep, panes.square - 2 * panes.y * e + e * e, 0.0)
    whole = one.sum(0) / np.maximum(keep.sum(0), 1)
    of_day = _by_place(found, one, keep)
    of_day = np.where(of_day > 0, of_day, whole)
    return np.where(channels.share, 0.25, np.concatenate([of_day, whole[None]]))


def _of_place(found: History, spread: Doubles) -> Doubles:
    return np.asarray(spread[np.array([p.of_day for p in found.places])])


def _left_out(
    found: History, panes: Measured, keep: NDArray[np.bool_], shape: Shape, sums: Sums, spread: Doubles
) -> Residuals:
    """Every week against the season of the others; divided by what the season's own error adds."""
    a_day, weeks = found.clock.a_day, len(sums.k)
    r, at = np.zeros_like(panes.y), np.array([p.of_week for p in found.places])
    week = np.repeat(shape.week, a_day, axis=0) ** 2
    for w in range(weeks):
        own = found.week == w
        e = _season_of(_means(found, sums, without=w), shape, a_day)
        r[own] = panes.y[own] - e[at[own]]
    m = max(1.0, len(found.counts) / found.clock.a_week - 1)
    wide = 1 + (week + np.maximum(shape.day**2 - week, 0) / 7 + (1 - shape.day**2) / (7 * a_day)) / m
    r /= np.sqrt(wide[at])
    day_shape = spread[-1] + shape.day * (_of_place(found, spread) - spread[-1])
    s2 = np.maximum(day_shape, core.SPREAD_LEAST) / np.maximum(panes.rows, 1.0)
    return Residuals(np.where(keep, r, 0.0), np.where(keep, s2, np.inf))


def _inflation(found: History, wander: noise.Wander, left: Residuals) -> Doubles:
    """Variance of the innovations beyond the model's, by place in the day, neighbours sharing; at least 1."""
    t, a_day = len(found.counts), found.clock.a_day
    places = np.array([p.of_day for p in found.places])
    z2 = np.zeros((a_day, left.r.shape[1]))
    np.add.at(z2, places, noise.squares(wander, left.r, left.s2))
    whole = z2.sum(0) / t
    if a_day > NEIGHBOURS:
        z2 = np.mean([np.roll(z2, j - NEIGHBOURS // 2, 0) for j in range(NEIGHBOURS)], axis=0)
    found_ = (z2 + SURE_DAYS * np.maximum(1.0, whole)) / (t / a_day + SURE_DAYS)
    known = np.isfinite(left.s2).any(0)
    return np.where(known, np.maximum(1.0, found_) * (1 + np.sqrt(2 / t)), NEVER_SEEN)


def _by_place(found: History, values: Doubles, some: NDArray[np.bool_]) -> Doubles:
    """Means by place in the day, [D, G]."""
    total, k = np.zeros((2, found.clock.a_day, values.shape[1]))
    places = np.array([p.of_day for p in found.places])
    np.add.at(total, places, values)
    np.add.at(k, places, some)
    return np.asarray(total / np.maximum(k, 1))


def _by_day(found: History, values: Doubles, some: NDArray[np.bool_]) -> Doubles:
    """Means of all channels by day."""
    total = np.bincount(found.day, values.sum(1))
    return np.asarray(total / np.maximum(np.bincount(found.day, some.sum(1)), 1))
