"""One monitor, pane by pane: gathers panes into periods, judges each period once it is over, says what came of it.

    baseline = fit(settings, panes)          Baseline | Unknown
    state = start(Monitor(settings, baseline))
    state, judgement = step(monitor, state, pane)

Panes come in order of time; a missing one is a hole, one that comes after its period was judged is counted, not
judged. A period is over when its last pane has come, or one of a later period.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles
from driftloop.detectors.seasonal import core, telling
from driftloop.detectors.seasonal.baseline import Baseline
from driftloop.detectors.seasonal.core import Plan
from driftloop.detectors.seasonal.history import Pane
from driftloop.detectors.seasonal.incidents import CHANGES, OPEN
from driftloop.detectors.seasonal.plan import Settings, bins_of
from driftloop.detectors.seasonal.state import State


@dataclass(frozen=True)
class Monitor:
    """What is watched, against what."""

    watched: Settings
    baseline: Baseline

    @cached_property
    def plan(self) -> Plan:
        return Plan(self.watched, self.baseline.hours)

    @cached_property
    def information(self) -> Doubles:
        """telling.information, [G]."""
        return telling.information(self.plan, self.baseline)


class Judgement(NamedTuple):
    """What the period that has just ended comes to; of a pane that ended none: the state of things, no ``change``.

    ``alarmed``: the evidence has reached the threshold in this period. ``parts``: log evidence by feature.
    ``change``: opened, updated, resolved, reanchored or nothing. ``slow``: the level has crept. ``shifts``: by
    feature, the channel that is furthest off. ``blind_below``: sd of a mean that would not be found within a day.
    """

    statistic: float
    threshold: float
    alarmed: bool
    parts: tuple[float, ...]
    change: str
    is_open: bool
    slow: bool
    shifts: tuple[telling.Shift, ...]
    blind_below: float
    said: str


def start(monitor: Monitor) -> State:
    """Nothing seen since the reference."""
    bins = bins_of(monitor.watched.histograms)
    return State(core.begin(monitor.plan, monitor.baseline), np.zeros(bins, np.int64), -1, 0)


def step(monitor: Monitor, state: State, pane: Pane) -> tuple[State, Judgement]:
    """Take the next pane. ValueError: counts of another layout, or that are none."""
    bins, counts = bins_of(monitor.watched.histograms), np.asarray(pane.counts)
    if counts.shape != (bins,) or not np.isfinite([pane.start, counts.sum()]).all() or (counts < 0).any():
        raise ValueError(f"a pane of shape {counts.shape} at {pane.start}: {bins} counts of at least 0 are needed")
    clock = monitor.plan.clock
    period = clock.period(pane.start)
    if period < max(state.period, state.live.period + 1):
        return state._replace(late=state.late + 1), _told(monitor, state.live, None)
    outcome = None
    if state.period >= 0 and period > state.period:
        state, outcome = _close(monitor, state)
    state = state._replace(gathering=state.gathering + counts, period=period)
    if pane.start + monitor.watched.pane_seconds >= clock.start_of(period + 1):
        state, outcome = _close(monitor, state)
    return state, _told(monitor, state.live, outcome)


def _close(monitor: Monitor, state: State) -> tuple[State, core.Outcome | None]:
    """Judge the period that was gathered; without rows it is as if it were not there."""
    empty = State(state.live, np.zeros_like(state.gathering), -1, state.late)
    if not state.gathering.any():
        return empty, None
    counts = state.gathering[None].astype(np.float64)
    live, outcome = core.advance(monitor.plan, monitor.baseline, state.live, state.period, counts)
    return empty._replace(live=live), outcome


def _told(monitor: Monitor, live: core.Live, outcome: core.Outcome | None) -> Judgement:
    plan = monitor.plan
    outcome = outcome or core.standing(plan, live)
    change, slow = CHANGES[outcome.change[0]], bool(outcome.slow[0])
    alarmed = bool(outcome.evidence[0] >= outcome.threshold[0]) and change != ""
    with np.errstate(divide="ignore"):
        parts = tuple(np.log(outcome.parts[0]).tolist())
    shifts = telling.shifts(plan, monitor.baseline, outcome.d[0] if alarmed else live.recent[0])
    blind_below = telling.blind_to(plan, monitor.information, live)
    said = telling.sentence(
        shifts[int(np.argmax(parts))],
        change,
        telling.creeping(plan, live) if slow else None,
        monitor.baseline.weeks,
        blind_below if telling.is_restless(live) else 0.0,
    )
    return Judgement(
        float(outcome.evidence[0]),
        float(outcome.threshold[0]),
        alarmed,
        parts,
        change,
        bool(live.incidents.state[0] == OPEN),
        slow,
        shifts,
        blind_below,
        said,
    )
