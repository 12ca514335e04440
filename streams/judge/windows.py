"""One window of event time of one version and role: its panes, and when it is told.

    closings: features at its end; provisional at its end + each delay edge below the horizon; labels at end + horizon

A correction behind the last closing tells the window once more. ``GRACE_PANES`` panes and the disorder later it is
forgotten: what comes then is counted, not added.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

from driftloop.schemas.events import (
    Estimate,
    FairnessMeasured,
    FeatureDrift,
    Pane,
    QualityBroken,
    SegmentMeasured,
)
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.labels.estimates import Trust
from driftloop.streams.judge.labels.forecasts import Forecast
from driftloop.streams.judge.state import Group, Kept, Key, pane_of
from driftloop.streams.judge.sums import CONFUSION, FEATURES, Layout, PaneSums, Total

FEATURES_CLOSING, PROVISIONAL, LABELS_CLOSING = "features", "provisional", "labels"
NUMBERS_KEPT_MOST = 32
"""Windows of a model whose numbers are kept: those of hundreds with segments would be a hundred megabytes."""
CLOSINGS_KEPT_MOST = 4_096
"""Windows that are not forgotten yet: a month of hours, of five models."""
GRACE_PANES = 2
"""A record that is late within the horizon is due at most a pane after it (observer/time.py)."""


class Counted(NamedTuple):
    """A pane that counts: under its state key, and as it came."""

    name: Key
    pane: Pane
    kept: Kept


class Numbers(NamedTuple):
    """What the panes of a window say by themselves, whenever it is told."""

    sums: Total
    metrics: Mapping[str, Estimate]
    segments: tuple[SegmentMeasured, ...]
    fairness: tuple[FairnessMeasured, ...]


class Drifts(NamedTuple):
    """The features of a window ``measured`` against a ``reference`` (its name), and as ``told`` with the ``evidence``
    against them, which differs from closing to closing."""

    reference: str
    measured: tuple[FeatureDrift, ...]
    evidence: tuple[float, ...]
    told: tuple[FeatureDrift, ...]


@dataclass(slots=True)
class Window:
    """``applied``: the panes that count, by state key, as they came. ``revision``: of the next emission.

    ``drifts``, ``estimated`` (under a trust): kept until a pane of features comes, for every closing tells them.
    ``segments``: sums by name of the segment. ``forecasts``: of its final coverage, by closing, until that is known.
    ``quality``: the rules that it breaks, found when its predictions were complete. ``numbers``: worked out once
    until the next pane comes (to half of all closings of the flights' year none came), if it is among the last told.
    """

    group: Group
    start: float
    panes: dict[float, PaneSums] = field(default_factory=dict)
    applied: dict[Key, Kept] = field(default_factory=dict)
    revision: int = 0
    drifts: Drifts | None = None
    estimated: tuple[Trust, tuple[dict[str, Estimate], str]] | None = None
    segments: dict[str, PaneSums] = field(default_factory=dict)
    forecasts: dict[int, Forecast] = field(default_factory=dict)
    quality: tuple[QualityBroken, ...] = ()
    numbers: Numbers | None = None

    def notes(self) -> dict[str, Any]:
        """What no pane says: its state record."""
        found: dict[str, Any] = {"revision": self.revision}
        if self.forecasts:
            found["forecasts"] = [[k, *made] for k, made in sorted(self.forecasts.items())]
        return found | ({"quality": [asdict(b) for b in self.quality]} if self.quality else {})

    @classmethod
    def noted(cls, group: Group, start: float, found: Mapping[str, Any]) -> Window:
        """Back from ``notes``, still without panes."""
        forecasts = {k: Forecast(*made) for k, *made in found.get("forecasts", ())}
        quality = tuple(QualityBroken(**b) for b in found.get("quality", ()))
        return cls(group, start, revision=found["revision"], forecasts=forecasts, quality=quality)

    def apply(self, layout: Layout, run: Sequence[Counted]) -> tuple[int, int]:
        """Count panes in that differ in their source partitions alone (waiting.py), each instead of the one before it
        of its key. (predictions, labelled) that came."""
        pane = run[0].pane
        self.numbers = None
        if pane.kind == FEATURES and not pane.segment:
            self.drifts = self.estimated = None
        whose: tuple[dict[Any, PaneSums], str | float] = (self.panes, pane.pane_start)
        if pane.segment:
            whose = (self.segments, pane.segment)
        sums = whose[0].get(whose[1])
        if sums is None:
            sums = whose[0][whose[1]] = PaneSums.empty(layout)
        predictions, labelled = sums.predictions, sum(sums.labelled)
        replaced = []
        for name, _, kept in run:
            if (before := self.applied.get(name)) is not None:
                replaced.append(pane_of(before))
            self.applied[name] = kept
        if replaced:
            sums.add(layout, replaced, sign=-1)
        sums.add(layout, [one.pane for one in run])
        return sums.predictions - predictions, sum(sums.labelled) - labelled


class LastTold:
    """The windows of a model that were told last, with their numbers; what is told less often works them out anew."""

    def __init__(self) -> None:
        self._windows: dict[int, Window] = {}

    def add(self, window: Window) -> None:
        """It has been told."""
        self._windows.pop(id(window), None)
        self._windows[id(window)] = window
        if len(self._windows) > NUMBERS_KEPT_MOST:
            self._windows.pop(next(iter(self._windows))).numbers = None


def closings_passed(specification: MonitorSpecification, start: float, as_of: float) -> int:
    """Delay edges that have passed behind a window's end: the number of its closing, from 0 on."""
    end = start + specification.window_seconds
    return sum(end + edge <= as_of for edge in specification.delay_edges_seconds)


def start_of(specification: MonitorSpecification, time: float) -> float:
    """Start of the window in which ``time`` lies."""
    s = specification
    return s.offset_seconds + math.floor((time - s.offset_seconds) / s.window_seconds) * s.window_seconds


def closings(specification: MonitorSpecification, start: float) -> tuple[tuple[float, str], ...]:
    """(instant, closing) of a window, in order."""
    return _closings(start + specification.window_seconds, specification.delay_edges_seconds)


@lru_cache(CLOSINGS_KEPT_MOST)
def _closings(end: float, edges: tuple[float, ...]) -> tuple[tuple[float, str], ...]:
    """Made once a window: every instant of a model asks all of its windows for theirs."""
    *provisional, horizon = edges
    return (
        (end, FEATURES_CLOSING),
        *[(end + edge, PROVISIONAL) for edge in provisional],
        (end + horizon, LABELS_CLOSING),
    )


def last_closing(specification: MonitorSpecification, start: float) -> float:
    """The instant of a window's last closing."""
    return closings(specification, start)[-1][0]


def forgotten_at(specification: MonitorSpecification, start: float) -> float:
    """From this instant on nothing is added to the window any more."""
    s = specification
    return start + s.window_seconds + s.horizon_seconds + GRACE_PANES * s.pane_seconds + s.disorder_seconds


def matures_at(specification: MonitorSpecification, pane_start: float) -> float:
    """The horizon of the pane's last prediction has passed."""
    return pane_start + specification.pane_seconds + specification.horizon_seconds


def counts_only(pane: Pane) -> Pane:
    """A pane of role history: nothing but its counts and labels is used (totals, delay curve)."""
    return replace(pane, histograms=tuple(h for h in pane.histograms if h.name == CONFUSION), sums={})
