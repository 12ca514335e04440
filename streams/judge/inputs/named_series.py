"""The value of a pane or window for a detector that the user has named: one number, or None where it cannot be told.

Which series there are: schemas/monitor/named_detector.py.
"""

from __future__ import annotations

from driftloop.detectors import distances
from driftloop.schemas.bins import score_middles
from driftloop.schemas.events import WindowMeasured
from driftloop.schemas.monitor.named_detector import LABELLED, METRIC, REFERENCED, NamedDetector
from driftloop.streams.judge.editions import Edition
from driftloop.streams.judge.metrics import confusion
from driftloop.streams.judge.metrics.tasks import loss_of
from driftloop.streams.judge.reference import Reference
from driftloop.streams.judge.sums import FEATURES, LABELS, Counts, PaneSums, Total

INPUTS, LABEL, WINDOW = "inputs", "labels", "window"
"""When a series has its next value: a window's predictions are complete; a pane has matured; a window has."""


def comes_with(detector: NamedDetector) -> str:
    what, _ = detector.series
    return WINDOW if what == METRIC else LABEL if what in LABELLED else INPUTS


def of_inputs(edition: Edition, reference: Reference | None, detector: NamedDetector, pane: Total) -> float | None:
    """A pane's, from its predictions (of all champions)."""
    what, of = detector.series
    if what == "predictions":
        return float(pane.predictions)
    places, name = edition.layout.places[FEATURES], "score" if what == "score" else f"feature:{of}"
    if name not in places:
        return None
    counts = edition.layout.read(FEATURES, pane.features, name)
    return _of_counts(what, counts, reference.features.get(of) if reference is not None else None)


def _of_counts(what: str, counts: Counts, baseline: tuple[int, ...] | None) -> float | None:
    rows = int(counts.sum())
    if not rows or (what in REFERENCED and (baseline is None or len(baseline) != len(counts))):
        return None
    if what == "score":
        return float(counts @ score_middles()) / rows
    if what in ("missing", "unseen"):
        return int(counts[-1 if what == "missing" else -2]) / rows
    assert baseline is not None
    if what == "distance":
        return distances.jensen_shannon(counts, baseline)
    return distances.mean_shift(counts, baseline) if counts[:-1].any() else None


def of_labels(edition: Edition, detector: NamedDetector, pane: PaneSums) -> float | None:
    """A pane's whose horizon has passed."""
    specification, layout = edition.specification, edition.layout
    if "loss" not in layout.places[LABELS]:
        return None
    if detector.series[0] == "loss":
        rows = int(layout.read(LABELS, pane.labels, "loss").sum())
        return pane.sum_of(loss_of(specification).total) / rows if rows else None
    right = confusion.accuracy(layout.read(LABELS, pane.labels, "confusion"), len(specification.classes))
    return None if right is None else 1.0 - right.value


def of_window(window: WindowMeasured, detector: NamedDetector) -> float | None:
    """A metric of a window whose horizon has passed."""
    found = window.metrics.get(detector.series[1])
    return None if found is None else found.value
