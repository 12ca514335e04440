"""What a record of the panes topic says that no observer of this deployment can have said.

What can be read can still be nonsense: a bit that fell over in a Progress named a partition that does not exist, and
the frontier waited for its neighbours for ever; a pane that began at NaN ended the judge at its checkpoint, and each
successor at the same record. Such are dead letters. A replay's panes were never bytes, and are not inspected.
"""

from __future__ import annotations

import math

from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import Bins, Pane, Progress
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.sums import COUNTERS

COUNT_MOST = 2**53
"""Sums of more could leave 64 bits, and a double does not tell them apart."""
HINT = "does another deployment, or a tool that copies topics, write to this one?"
SECONDS_APART_MOST = 1e-3
"""From the grid of panes, for a start that was rounded."""


def inspect_progress(progress: Progress, partitions: int) -> None:
    """``partitions``: of the panes topic, and so of the sources. Errors: BadRecord ``wrong-partition``,
    ``wrong-time``."""
    if progress.partitions != partitions:
        told = f"a Progress of a deployment with {progress.partitions} partitions; this one has {partitions}"
        raise BadRecord("wrong-partition", told, HINT)
    _inspect_partition(progress.partition, partitions)
    p = progress
    times = (p.predictions_watermark, p.truths_watermark, p.predictions_latest, p.truths_latest)
    if not all(time < math.inf for time in times):  # before anything was seen: -inf
        raise BadRecord("wrong-time", f"a Progress of partition {p.partition} stands at {max(times)!r}", HINT)
    for disorder in (p.usual_disorder, *p.disorders.values()):
        if not 0.0 <= disorder < math.inf:
            raise BadRecord(
                "wrong-time", f"a Progress of partition {p.partition} has a disorder of {disorder!r} s", HINT
            )


def inspect_pane(pane: Pane, partitions: int) -> None:
    """What holds of panes of every kind. Errors: BadRecord ``wrong-partition``, ``wrong-time``."""
    _inspect_partition(pane.partition, partitions)
    if not (math.isfinite(pane.pane_start) and math.isfinite(pane.emitted_at)):
        raise BadRecord("wrong-time", f"a pane of {pane.model} at {pane.pane_start!r}, due {pane.emitted_at!r}", HINT)


def inspect_counts(pane: Pane) -> None:
    """Errors: BadRecord ``wrong-counts``, ``wrong-bins``. Some 0.03 µs a bin."""
    least = -COUNT_MOST if pane.kind == COUNTERS else 0
    if not all(least <= count <= COUNT_MOST for count in pane.counts.values()):
        raise BadRecord("wrong-counts", f"a pane of {pane.model} has impossible counts: {pane.counts}", HINT)
    for histogram in pane.histograms:
        if not _is_possible(histogram):
            raise BadRecord("wrong-bins", f"a pane of {pane.model} has an impossible {histogram.name}", HINT)


def inspect_place(pane: Pane, specification: MonitorSpecification) -> None:
    """Does a pane lie where those of its specification lie? Errors: BadRecord ``wrong-time``."""
    s = specification
    nearest = s.offset_seconds + round((pane.pane_start - s.offset_seconds) / s.pane_seconds) * s.pane_seconds
    on_the_grid = abs(pane.pane_start - nearest) < SECONDS_APART_MOST and pane.pane_seconds == s.pane_seconds
    if not (on_the_grid and pane.emitted_at >= pane.pane_start + pane.pane_seconds):
        raise BadRecord(
            "wrong-time",
            f"a pane of {pane.model} of {pane.pane_seconds!r} s at {pane.pane_start!r}, due {pane.emitted_at!r}: "
            f"specification {pane.spec} has none there",
            HINT,
        )


def _inspect_partition(partition: int, partitions: int) -> None:
    if not 0 <= partition < partitions:
        raise BadRecord("wrong-partition", f"partition {partition} of {partitions}", HINT)


def _is_possible(histogram: Bins) -> bool:
    """Ascending bins, each with a count. Of those that are too high for the specification: sums.py."""
    bins, counts = histogram.bins, histogram.counts
    if not bins or len(bins) != len(counts):
        return not bins and not counts
    return bins[0] >= 0 and max(bins) == bins[-1] and min(counts) >= 0 and max(counts) <= COUNT_MOST
