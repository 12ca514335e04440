"""The observer's join store has thrown waiting rows away: truths become orphans, windows lack labels.

It is bounded in rows and bytes (streams/observer/fold.py); what it drops is counted as ``overflow`` and never silent:
an alarm of a model whenever that has grown, at most once a window.
"""

from __future__ import annotations

from typing import NamedTuple

from driftloop.schemas.events import DriftDetected
from driftloop.schemas.monitor.specification import MonitorSpecification

DETECTOR = "join_overflow"
FEATURE = "waiting predictions"
NEVER = -1.0


class Told(NamedTuple):
    """How many rows had overflown when it was last told, and when."""

    rows: int = 0
    at: float = NEVER


def alarm(
    told: Told, rows: int, specification: MonitorSpecification, now: float
) -> tuple[Told, DriftDetected | None]:
    """``rows``: dropped since the beginning, in all partitions, as of ``now``. No alarm: none since, or just told."""
    if rows <= told.rows or (told.at != NEVER and now < told.at + specification.window_seconds):
        return told, None
    seconds = specification.pane_seconds
    found = DriftDetected(
        model=specification.model,
        version="",
        spec=specification.spec,
        as_of=now,
        window_start=now - seconds,
        window_seconds=seconds,
        detector=DETECTOR,
        feature=FEATURE,
        statistic=float(rows),
        threshold=1.0,
        effect=float(rows - told.rows),
        unit="records",
        paging=True,
    )
    return Told(rows, now), found
