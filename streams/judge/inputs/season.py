"""A specification's season as the detector wants it, and a reference's as the monitor that watches live windows.

The detector's pane is a window: its counts are the histograms of all features whose bins are known, and behind them
that of the scores. What is learned is told to the seventh digit, zipped, in base64: 85 kB for 20 features.

Scores are one version's: where another serves, their histogram goes in empty, which the detector takes for not seen.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from driftloop.detectors import packing, seasonal
from driftloop.detectors.seasonal import Baseline, Calendar, Histogram, Monitor, Settings, Unknown
from driftloop.schemas.monitor.season import Season, SeasonBaseline
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.streams.judge.inputs.features import budgets_of_features
from driftloop.streams.judge.sums import FEATURES, Counts, Layout

DAY_SECONDS = 86_400.0
BUILD = "driftloop reference build"
SCORE = "prediction score"
"""As the detector and its alarms name it."""
SCORE_BINS_LEAST = 2
_BINS_LEAST = {"numeric": 2, "categorical": 3, "embedding": 2}
"""A categorical feature that was never there has no category to watch."""


def watched(specification: MonitorSpecification) -> tuple[Feature, ...]:
    """Features with a histogram, in the order of the specification."""
    return tuple(f for f in specification.features if f.bins >= _BINS_LEAST[f.kind])


def settings_of(specification: MonitorSpecification, slots: str = "", score_bins: int = 0) -> Settings:
    """``slots``: the table of a user's calendar; ``score_bins``: 0 where scores are not watched. ValueError: there is
    nothing to watch yet, or this machine does not know the zone."""
    histograms = [
        Histogram(f.name, "categorical" if f.kind == "categorical" else "numeric", f.bins)
        for f in watched(specification)
    ]
    if score_bins:
        histograms.append(Histogram(SCORE, "score", score_bins))
    return Settings(
        tuple(histograms),
        budget_seconds=budgets_of_features(specification) * specification.budget_seconds,
        pane_seconds=specification.window_seconds,
        calendar=_calendar(specification, slots),
        by=_season(specification).by,
    )


def _season(specification: MonitorSpecification) -> Season:
    assert specification.season is not None, f"{specification.model} has no season"
    return specification.season


def _calendar(specification: MonitorSpecification, slots: str) -> Calendar:
    """Of windows of a day the date is that of their middle: they may begin at any hour of UTC."""
    season = _season(specification)
    whose: Calendar = seasonal.utc
    if season.calendar:
        whose = seasonal.tabulated(slots)
    elif season.zone != "UTC" or season.holidays:
        whose = seasonal.local(season.zone, frozenset(season.holidays))
    if specification.window_seconds < DAY_SECONDS:
        return whose
    middle = specification.offset_seconds + DAY_SECONDS / 2
    return lambda time: whose(time + middle)


def counts_of(
    specification: MonitorSpecification, known: SeasonBaseline, layout: Layout, counts: Counts, scored: bool
) -> Counts:
    """A pane's counts for the detector out of a window's histograms. ``scored``: its scores are those of the version
    that the season is of."""
    found = [layout.read(FEATURES, counts, f"feature:{f.name}") for f in watched(specification)]
    if known.score_bins:
        score = layout.read(FEATURES, counts, "score")
        found.append(score if scored else np.zeros_like(score))
    return np.concatenate(found)


def learn(
    specification: MonitorSpecification,
    windows: Sequence[seasonal.Pane],
    slots: str = "",
    version: str = "",
    score_bins: int = 0,
) -> tuple[SeasonBaseline, int]:
    """(what a reference says of the season, bytes of the largest record of a live state) from its windows.
    ``slots``: the table of a user's calendar; ``version``, ``score_bins``: of the scores, if windows count them."""
    season = _season(specification)
    whose = (season.zone, specification.window_seconds, specification.offset_seconds)
    try:
        settings = settings_of(specification, slots, score_bins)
    except ValueError as error:
        return SeasonBaseline(*whose, "", str(error), BUILD, season.by, season.calendar, slots), 0
    found = seasonal.fit(settings, windows)
    if isinstance(found, Unknown):
        return SeasonBaseline(*whose, "", found.reason, found.hint, season.by, season.calendar, slots), 0
    fitted = base64.b64encode(zlib.compress(_rounded(found), 9)).decode()
    known = SeasonBaseline(*whose, fitted, by=season.by, calendar=season.calendar, slots=slots)
    known = replace(known, version=version, score_bins=score_bins)
    state = seasonal.to_records(seasonal.start(Monitor(settings, found)))
    return known, max(map(len, state.values()))


def _rounded(baseline: Baseline) -> bytes:
    """Half the size: an error of 1e-7 is nothing beside that of a mean of rows."""
    exact = seasonal.baseline_to_bytes(baseline)
    return packing.pack(
        exact[0], *(array.astype(np.float32).astype(np.float64) for array in packing.unpack(exact, exact[0]))
    )


def monitor_of(specification: MonitorSpecification, known: SeasonBaseline | None) -> Monitor | Unknown:
    """The monitor of live windows, or why there is none."""
    season = _season(specification)
    if known is None:
        return Unknown("the reference was built before the monitor had a season", BUILD)
    if known.reason:
        return Unknown(known.reason, known.hint)
    whose = (season.zone, specification.window_seconds, specification.offset_seconds, season.by, season.calendar)
    if (known.zone, known.window_seconds, known.offset_seconds, known.by, known.calendar) != whose:
        other = "zone, calendar, window, offset or by"
        return Unknown(f"the season of the reference has another {other} than the monitor", BUILD)
    try:
        baseline = seasonal.baseline_from_bytes(zlib.decompress(base64.b64decode(known.fitted, validate=True)))
        monitor = Monitor(settings_of(specification, known.slots, known.score_bins), baseline)
    except (ValueError, zlib.error) as error:
        return Unknown(f"the season of the reference cannot be used: {error}", BUILD)
    if baseline.tau.shape != (1, len(monitor.plan.channels.feature)):
        return Unknown("the season of the reference was learned from other channels", BUILD)
    return monitor
