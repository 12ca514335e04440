"""Simulated streams for the alarm budget: what 20 features look like at every moment of two years, seed by seed.

A stream is drawn as rates: how many rows fall into each bin of each feature in a period. Rows arrive as a Poisson
process, so the count of a bin is Poisson with its rate, exactly as of multinomial panes with Poisson totals; only
that two features of a pane have totals of their own, which no channel looks at. M seeds are drawn side by side, each
with phases, weights and shares of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from driftloop.detectors.seasonal.calendar import Calendar, local, utc
from driftloop.detectors.seasonal.plan import Histogram
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtr, ndtri

Doubles = NDArray[np.float64]
START = 1_704_067_200
"""Monday 2024-01-01T00:00Z."""
VALUE_BINS, CATEGORIES = 16, 6
HALF_YEAR_HOURS = 26 * 168


@dataclass(frozen=True)
class Scenario:
    """One kind of stream. Sizes in reference sd; of shares the same on log-odds. ``tuned``: one of the issue's."""

    name: str
    what: str
    day: float = 0.0
    weekend: float = 0.0
    holidays_a_year: int = 0
    wander: float = 0.0
    rho: float = 0.9
    common: float = 0.0
    growth_a_week: float = 0.0
    burst: float = 0.0
    hourly: float = 0.0
    yearly: float = 0.0
    holes: float = 0.0
    numeric: int = 10
    categorical: int = 10
    pane_minutes: int = 60
    hours: int = 1
    calendar: Calendar = utc
    lived: Calendar | None = None
    tuned: bool = False

    @property
    def features(self) -> int:
        return self.numeric + self.categorical

    @cached_property
    def histograms(self) -> tuple[Histogram, ...]:
        numeric = [Histogram(f"n{i}", "numeric", VALUE_BINS + 1) for i in range(self.numeric)]
        categorical = [Histogram(f"c{i}", "categorical", CATEGORIES + 2) for i in range(self.categorical)]
        return (*numeric, *categorical)


_DAY = {"day": 0.7}
_WEEK = _DAY | {"weekend": 0.4, "holidays_a_year": 10}
SCENARIOS = (
    Scenario("a", "stationary", tuned=True),
    Scenario("b", "daily cycle", **_DAY, tuned=True),
    Scenario("c", "daily + weekly + holidays", **_WEEK, tuned=True),
    Scenario("d", "AR(1) noise, rho .9, .15 sd", wander=0.15, tuned=True),
    Scenario("e", "traffic grows by 1 % a week", growth_a_week=0.01, tuned=True),
    Scenario("f", "daily + AR(1)", **_DAY, wander=0.15, tuned=True),
    Scenario("bursts", "b, and half of the days two hours of .4 sd in all", **_DAY, burst=0.4),
    Scenario("hourly", "b, and .2 sd of noise every hour", **_DAY, hourly=0.2),
    Scenario("yearly", "b, and .3 sd over the year", **_DAY, yearly=0.3),
    Scenario("correlated", "f, features wander together", **_DAY, wander=0.15, common=0.7),
    Scenario("dst", "c, lives in Berlin, watched so", **_WEEK, calendar=local("Europe/Berlin")),
    Scenario("dst-utc", "c, lives in Berlin, watched in UTC", **_WEEK, lived=local("Europe/Berlin")),
    Scenario("holes", "b, 2 % of panes missing, and a day and a half every eight weeks", **_DAY, holes=0.02),
    Scenario("five-minute", "b in panes of five minutes", **_DAY, pane_minutes=5),
    Scenario("daily", "c in panes of a day", **_WEEK, pane_minutes=1440, hours=24),
    Scenario("narrow", "b with 3 features", **_DAY, numeric=2, categorical=1),
    Scenario("wide", "b with 200 features", **_DAY, numeric=100, categorical=100),
)


@dataclass
class Drawn:
    """Latent values of a stretch of time, resolution ``steps_an_hour``: [M, T, ...]."""

    mean: Doubles
    logit: Doubles
    rate: Doubles
    sd: Doubles
    missing: Doubles
    moved: Doubles = field(default_factory=lambda: np.zeros(0))


class Stream:
    """``seeds`` streams of a scenario side by side; ``stretch`` must be asked for in order of time."""

    def __init__(self, scenario: Scenario, rate_an_hour: float, seeds: int, seed: int) -> None:
        self.scenario = s = scenario
        self.rate = rate_an_hour
        self.seeds = seeds
        self.rng = np.random.default_rng([seed, *scenario.name.encode()])
        self.steps = max(1, 60 // s.pane_minutes)
        shape = (seeds, 1, s.numeric)
        self.phase = self.rng.uniform(0, 2 * np.pi, shape)
        self.way = self.rng.choice([-1.0, 1.0], shape)
        self.year_phase = self.rng.uniform(0, 2 * np.pi, shape)
        self.base = self.rng.normal(0, 0.5, (seeds, 1, s.categorical, CATEGORIES))
        self.tilt = self.rng.normal(0, 0.5, self.base.shape)
        self.lasts: dict[str, Doubles] = {}
        size = np.sqrt(1 + s.day**2 / 2 + s.wander**2)
        self.edges = ndtri(np.arange(1, VALUE_BINS) / VALUE_BINS) * size
        days = 7 * 130
        self.holiday = self.rng.random((seeds, days)) < s.holidays_a_year / 365
        self.burst_hour = np.where(self.rng.random((seeds, days)) < 0.5, self.rng.integers(0, 23, (seeds, days)), -9)
        self.outage_hour = self.rng.integers(0, 8 * 168, seeds)

    def stretch(self, first_hour: int, hours: int) -> Drawn:
        """Latent values from ``first_hour`` after the start on."""
        s, steps = self.scenario, self.steps
        at = first_hour + np.arange(hours * steps) / steps
        slots = [(s.lived or s.calendar)(START + 3600 * float(t)) for t in at]
        hour = np.array([x.hour for x in slots]) + (at % 1)
        day = (at // 24).astype(int)
        weekday = np.where(self.holiday[:, day], 6, np.array([x.weekday for x in slots]))
        weekend = (weekday >= 5).astype(float)[:, :, None]
        turn = 2 * np.pi * hour[None, :, None] / 24
        cycle = s.day * (1 - s.weekend * weekend)
        mean = cycle * np.sin(turn + self.phase) + s.weekend * weekend * self.way
        mean = mean + s.yearly * np.sin(2 * np.pi * at[None, :, None] / (2 * HALF_YEAR_HOURS) + self.year_phase)
        burst = (at[None] % 24 >= self.burst_hour[:, day]) & (at[None] % 24 < self.burst_hour[:, day] + 2)
        mean = mean + s.burst * burst[:, :, None]
        logit = self.base + self.tilt * (cycle * np.sin(turn))[..., None]
        mean = mean + self._noise("mean", mean.shape)
        logit = logit + self._noise("logit", logit.shape)
        rate = (
            self.rate / steps * (1 + 0.6 * np.sin(2 * np.pi * (hour - 9) / 24)) * (1 + s.growth_a_week) ** (at / 168)
        )
        rate = np.broadcast_to(rate, (self.seeds, len(at))).copy()
        if s.holes:
            rate[self.rng.random(rate.shape) < s.holes] = 0
            rate[(at[None] - self.outage_hour[:, None]) % (8 * 168) < 36] = 0
        ones = np.ones((self.seeds, 1, s.features))
        return Drawn(mean, logit, rate, ones[..., : s.numeric], 0 * ones)

    def _noise(self, name: str, shape: tuple[int, ...]) -> Doubles | float:
        s = self.scenario
        found: Doubles | float = 0.0
        if s.wander:
            found = self._wander(name, shape) * s.wander
            if s.common:
                together = self._wander(name + " common", (*shape[:2], *(1 for _ in shape[2:])))
                found = np.sqrt(s.common) * together * s.wander + np.sqrt(1 - s.common) * found
        if s.hourly:
            found = found + self.rng.normal(0, s.hourly, shape)
        return found

    def _wander(self, name: str, shape: tuple[int, ...]) -> Doubles:
        """Unit AR(1) that goes on where it was."""
        rho = self.scenario.rho
        shocks = self.rng.normal(0, np.sqrt(1 - rho**2), shape)
        last = self.lasts.get(name)
        if last is None:
            last = self.rng.normal(0, 1, (shape[0], 1, *shape[2:]))
        found, _ = lfilter([1.0], [1.0, -rho], shocks, axis=1, zi=rho * last)
        self.lasts[name] = found[:, -1:]
        return np.asarray(found)

    def rates(self, drawn: Drawn) -> Doubles:
        """Expected counts of each period, [M, periods, bins]."""
        s = self.scenario
        below = ndtr((self.edges - drawn.mean[..., None]) / drawn.sd[..., None])
        ends = np.zeros((*below.shape[:-1], 1))
        p = np.diff(np.concatenate([ends, below, ends + 1], axis=-1), axis=-1)
        shares = np.exp(drawn.logit)
        shares /= shares.sum(-1, keepdims=True)
        if drawn.moved.size:
            shares = np.maximum(shares + drawn.moved, 1e-6)
        gone = np.broadcast_to(drawn.missing, (*p.shape[:2], s.features))[..., None]
        n = s.numeric
        numeric = np.concatenate([p * (1 - gone[:, :, :n]), gone[:, :, :n]], axis=-1)
        other = np.zeros((*shares.shape[:-1], 1))
        categorical = np.concatenate([shares * (1 - gone[:, :, n:]), other, gone[:, :, n:]], axis=-1)
        flat = [x.reshape(*x.shape[:2], -1) for x in (numeric, categorical) if x.shape[2]]
        found = np.concatenate(flat, axis=-1) * drawn.rate[..., None]
        together = self.steps * s.hours
        return np.asarray(found.reshape(len(found), -1, together, found.shape[-1]).sum(2)) if together > 1 else found

    def counts(self, drawn: Drawn, rng: np.random.Generator | None = None) -> Doubles:
        """What is counted, [M, periods, bins]."""
        return (rng or self.rng).poisson(self.rates(drawn)).astype(np.float64)


def cut(drawn: Drawn, first: int, last: int) -> Drawn:
    """Steps first..last of a stretch."""

    def part(x: Doubles) -> Doubles:
        return x[:, first:last] if x.ndim > 1 and x.shape[1] > 1 else x

    return replace(drawn, mean=part(drawn.mean), logit=part(drawn.logit), rate=part(drawn.rate))
