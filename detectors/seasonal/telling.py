"""What a person reads: which shift was seen in which feature, and which shifts cannot be seen here and why.

The smallest shift x of one channel that is found within a day has evidence of at least the threshold then:

    (x - floor)² / 2 · Σ g_k² / F_k ≥ ln(A / its part of the average)

g_k: how much of a step is left in the k-th innovation (noise.response). With ρ near 1 the sum hardly grows with the
hours, and F hardly falls with more rows: then no budget of this size shows a smaller shift.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles
from driftloop.detectors.seasonal import evidence, keeper
from driftloop.detectors.seasonal.baseline import Baseline
from driftloop.detectors.seasonal.core import Live, Plan
from driftloop.detectors.seasonal.noise import response

DAY_HOURS = 24


class Shift(NamedTuple):
    """``size`` in ``unit``: sd of the reference, or Cohen's h of a share; a mean of the last twelve hours, but of the
    period alone where it alarms: the hours before a change would make it look small."""

    feature: str
    channel: str
    size: float
    unit: str

    def __str__(self) -> str:
        return f"{self.channel} of {self.feature} {self.size:+.2f} {self.unit}"


def shifts(plan: Plan, baseline: Baseline, deviation: Doubles) -> tuple[Shift, ...]:
    """Of each feature the channel that stands out most from its own noise. ``deviation`` [G]."""
    channels = plan.channels
    noise = np.sqrt(baseline.wander.a[0] + baseline.own_error.mean(0)[0])
    size, out = deviation * channels.shift_unit, np.abs(deviation) / np.maximum(noise, 1e-12)
    first = [*channels.channel_first, len(out)]
    return tuple(_shift(plan, a + int(np.argmax(out[a:b])), size) for a, b in pairwise(first))


def information(plan: Plan, baseline: Baseline) -> Doubles:
    """Of one channel's step of size 1 within a day: the sum of g_k² / F_k, [G]."""
    s2 = np.maximum(baseline.own_error.mean(0), 1e-12)
    g, f = response(baseline.wander, s2, plan.clock.periods(DAY_HOURS))
    return np.asarray((g * g / (f * baseline.inflation.mean(0))).sum(0)[0])


def least_seen(plan: Plan, of_a_day: Doubles, live: Live) -> Doubles:
    """x of every channel, [G]: sd or Cohen's h that is found within a day at the threshold as it stands."""
    channels = plan.channels
    threshold = float(keeper.threshold(live.keeper, plan.clock.budget)[0])
    per = np.bincount(channels.feature)[channels.feature] * len(channels.feature_first) * evidence.BETS
    need = np.log(np.maximum(threshold * per, math.e))
    return np.asarray((plan.floor + np.sqrt(2 * need / of_a_day)) * channels.shift_unit)


def blind_to(plan: Plan, of_a_day: Doubles, live: Live) -> float:
    """x of the mean of a typical numeric feature (without one: of a typical share)."""
    least = least_seen(plan, of_a_day, live)
    means = [g for g, name in enumerate(plan.channels.names) if name == "mean"]
    return float(np.median(least[means] if means else least))


def is_restless(live: Live) -> bool:
    """The threshold had to go so far up that the stream's own movement, not its drift, decides what is seen."""
    return bool(live.keeper.c[0] >= keeper.BLIND)


def sentence(shift: Shift, change: str, creeping: Shift | None, weeks: float, blind_below: float) -> str:
    """What there is to say, in a sentence or two; empty: nothing. ``shift``: of the strongest feature,
    ``creeping``: what has crept, ``blind_below``: sd, 0 where the stream is calm enough for its budget."""
    said = {
        "opened": [f"drift: {shift} against the same hours of the reference"],
        "updated": [f"drift goes on: {shift}"],
        "resolved": ["the drift has gone by itself: a day without an alarm"],
        "reanchored": ["the drift has lasted: what the last two days looked like is the new normal, provisionally"],
    }.get(change, [])
    if creeping:
        said.append(
            f"slow: the level of {creeping} from the reference of {weeks:.0f} weeks, no jump seen; "
            "the reference does not cover this time"
        )
    if blind_below:
        said.append(
            "this stream moves too much by itself for your budget; "
            f"shifts under {blind_below:.2f} sd will not be seen within a day"
        )
    return "; ".join(said)


def creeping(plan: Plan, live: Live) -> Shift:
    """The channel whose level is furthest from the reference."""
    size = live.level.b[0] * plan.channels.shift_unit
    return _shift(plan, int(np.argmax(np.abs(size))), size)


def _shift(plan: Plan, g: int, size: Doubles) -> Shift:
    channels = plan.channels
    name = plan.settings.histograms[channels.feature[g]].name
    return Shift(name, channels.names[g], float(size[g]), "h" if channels.share[g] else "sd")
