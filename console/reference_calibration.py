"""What a reference says of its scores: calibrated on its labelled rows, and how its own windows lie by that."""

from __future__ import annotations

import numpy as np
from driftloop.console.reference_rows import ReferenceRows
from driftloop.schemas.baseline.calibration import CalibrationBaseline
from driftloop.schemas.bins import score_codes
from driftloop.schemas.losses import as_kept
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.inputs.whole_days import step_seconds
from driftloop.streams.judge.labels import estimate_watch, estimates


def learn_calibration(specification: MonitorSpecification, rows: ReferenceRows) -> CalibrationBaseline | None:
    """None: there is none of a regression. Where nothing can be learned it says why."""
    known = estimates.learn(
        specification, score=rows.score, labels=rows.labels, predicted=rows.predicted, version=rows.version
    )
    if known is None or known.reason:
        return known
    own = rows.version == known.version
    score = rows.score[own] if rows.score.ndim == 1 else as_kept(rows.score[own]).max(axis=1)
    seconds = step_seconds(specification)
    since = np.floor((rows.event_time[own] - specification.offset_seconds) / seconds)
    _, window = np.unique(since, return_inverse=True)
    counts = np.zeros((int(window.max()) + 1, len(known.hits)), np.int64)
    np.add.at(counts, (window, score_codes(score)), 1)
    return estimate_watch.with_windows(specification, known, counts)


def describe_calibration(model: str, known: CalibrationBaseline) -> str:
    """Whether windows will tell estimates before their labels are there."""
    if known.reason:
        return f"{model}: no metric is estimated before its labels are there: {known.reason}; {known.hint}"
    return (
        f"{model}: metrics are estimated before their labels are there, as {sum(known.rows):,} labelled predictions "
        f"of {known.version or 'a version that no column names'} have it"
    )
