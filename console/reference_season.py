"""What a reference says of a monitor's season: its rows counted by window, as live panes are, and learned from."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from driftloop.console.calendars import written_down
from driftloop.console.reference_rows import ReferenceRows
from driftloop.detectors.seasonal import Pane
from driftloop.detectors.seasonal.calendar import HOUR_SECONDS
from driftloop.schemas.baseline.projection import Projection, norm_codes
from driftloop.schemas.baseline.reference import category_codes
from driftloop.schemas.bins import score_codes
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.losses import as_kept
from driftloop.schemas.monitor.season import SeasonBaseline
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification, numeric_codes
from driftloop.schemas.topics import STATE_BYTES_MOST
from driftloop.streams.judge.inputs.season import SCORE_BINS_LEAST, learn, watched
from driftloop.streams.judge.metrics import tasks
from numpy.typing import NDArray

BYTES_MOST = STATE_BYTES_MOST * 3 // 4
"""Of what is learned, and of the judge's state: what else stands in their records takes less than a quarter."""


def learn_season(
    specification: MonitorSpecification, rows: ReferenceRows, modules: Collection[str] = ()
) -> SeasonBaseline | None:
    """None: the monitor has no season. ``specification`` with its bins; ``modules``: as Settings.detectors.

    ConfigError: no record holds it; a calendar that cannot be called.
    """
    if specification.season is None:
        return None
    slots = ""
    if specification.season.calendar:
        first, last = float(rows.event_time.min()), float(rows.event_time.max())
        slots = written_down(specification.season.calendar, first, last, modules)
    versions = set(rows.version.tolist())
    bins = tasks.score_bins(specification) if len(versions) == 1 else 0
    bins = bins if bins >= SCORE_BINS_LEAST else 0
    windows = windows_of(specification, rows, bins)
    known, state_bytes = learn(specification, windows, slots, versions.pop() if bins else "", bins)
    if (most := max(len(known.fitted) + len(known.slots), state_bytes)) > BYTES_MOST:
        raise ConfigError(
            f"the season of {len(watched(specification))} features takes {most:,} bytes, more than the "
            f"{BYTES_MOST:,} that a record holds",
            "watch fewer features, or categories, or leave [season] out of the monitor file",
        )
    return known


def windows_of(specification: MonitorSpecification, rows: ReferenceRows, score_bins: int = 0) -> list[Pane]:
    """The rows' histograms by window, in order of time; windows without rows are left out. ``score_bins``: 0, without
    that of the scores.

    Windows shorter than an hour are added up to hours, as the detector does: a year of minutes would fill the memory.
    """
    features = watched(specification)
    since = np.floor((rows.event_time - specification.offset_seconds) / specification.window_seconds)
    starts = specification.offset_seconds + since * specification.window_seconds
    if specification.window_seconds < HOUR_SECONDS:
        starts = starts // HOUR_SECONDS * HOUR_SECONDS
    known, window = np.unique(starts, return_inverse=True)
    found = list(zip([f.bins for f in features], codes_of(specification, features, rows.columns), strict=True))
    if score_bins:
        found.append((score_bins, score_codes_of(specification, rows.score)))
    by_feature = [
        np.bincount(window * bins + codes, minlength=len(known) * bins).reshape(-1, bins) for bins, codes in found
    ]
    counts = np.hstack(by_feature) if by_feature else np.empty((len(known), 0), np.int64)
    return [Pane(start, counts[i]) for i, start in enumerate(known.tolist())]


def score_codes_of(specification: MonitorSpecification, score: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of every row's score; of many classes, of the largest."""
    if specification.task == "regression":
        assert specification.scales is not None, f"{specification.model} is a regression"
        return np.searchsorted(np.asarray(specification.scales.prediction_edges or ()), score, side="right")
    return score_codes(score if score.ndim == 1 else as_kept(score).max(axis=1))


def codes_of(
    specification: MonitorSpecification, features: tuple[Feature, ...], columns: dict[str, NDArray[Any]]
) -> Iterator[NDArray[np.int64]]:
    """The bin of every row, feature by feature."""
    numeric = [columns[f.name] for f in specification.numeric]
    codes = numeric_codes(np.column_stack(numeric).astype(np.float64), specification) if numeric else None
    places = {f.name: j for j, f in enumerate(specification.numeric)}
    for feature in features:
        if feature.kind == "categorical":
            yield category_codes(feature, columns[feature.name])
        elif feature.kind == "embedding":
            assert feature.basis is not None, f"{feature.name} has bins and no basis"
            projected = Projection(feature.width, feature.basis).project(columns[feature.name])
            yield norm_codes(projected.norms, feature.edges or ())
        else:
            assert codes is not None, f"{feature.name} is a numeric feature of {specification.model}"
            yield codes[:, places[feature.name]]
