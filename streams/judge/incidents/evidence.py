"""What is told of an incident beside its alarms: since which offsets, what it may be, whom it touches, what it costs.

offsets          from the first bad one on: of the pane in which the change began; where that has been forgotten,
                 of its window (past.py); later updates have the same first ones
suspects         suspects.py
loss_shares      attribution.py, of windows before the change against those of the alarms, labels so far
traffic_touched  the segments that make up the rise; without segments, of what moved: the greatest share of a
                 broken rule, or of an alarming feature the least share of rows that must have changed to turn the
                 reference's histogram into the current one (total variation)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import accumulate

import numpy as np
from driftloop.schemas.events import DriftDetected, IncidentChanged, LossShare, OffsetRange
from driftloop.streams.judge.editions import Edition
from driftloop.streams.judge.incidents import attribution, loss_given_score
from driftloop.streams.judge.incidents.incidents import LOSS, PERFORMANCE
from driftloop.streams.judge.incidents.loss_given_score import Explained, Known, Seen
from driftloop.streams.judge.incidents.past import Past, PastWindow, losses
from driftloop.streams.judge.incidents.silencing import kind_of
from driftloop.streams.judge.incidents.suspects import UNEXPLAINED, Signs, suspects
from driftloop.streams.judge.labels import estimate_watch
from driftloop.streams.judge.ledger import CHAMPION, Ledger
from driftloop.streams.judge.merge import LeftOut
from driftloop.streams.judge.metrics import tasks
from driftloop.streams.judge.reference import Reference
from driftloop.streams.judge.sums import FEATURES, LABELS, PaneSums, Total, total
from driftloop.streams.judge.windows import Window


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known when an incident is told. ``since``, ``until``: event time that its alarms are about.
    ``quality``: (rule, feature) that are broken. ``labels``: (known, expected) of a gap in them that is told, None:
    there is none."""

    edition: Edition
    ledger: Ledger
    reference: Reference | None
    now: float
    since: float
    until: float
    quality: tuple[tuple[str, str], ...] = ()
    idle: LeftOut = LeftOut()  # noqa: RUF009 (a tuple)
    labels: tuple[float, float] | None = None

    def windows(self) -> list[Window]:
        """Of every champion, those that its time touches, in order."""
        spec, seconds = self.edition.specification.spec, self.edition.specification.window_seconds
        found = [
            window
            for (group, start), window in self.ledger.windows.items()
            if group.role == CHAMPION
            and group.spec == spec
            and window.panes
            and self.since - seconds < start < self.until
        ]
        return sorted(found, key=lambda window: (window.start, window.group.version))

    def panes(self) -> list[tuple[float, PaneSums]]:
        """Their panes of that time."""
        return [(at, w.panes[at]) for w in self.windows() for at in sorted(w.panes) if self.since <= at < self.until]


@dataclass(slots=True)
class Evidence:
    """``past``: windows that are over, to compare with."""

    past: Past = field(default_factory=Past)

    def explain(self, told: IncidentChanged, scene: Scene) -> IncidentChanged:
        """The event with all of it; one that is resolved says no more."""
        if told.change == "resolved":
            return told
        is_loss = told.kind == PERFORMANCE and any(a.detector == LOSS and a.paging for a in told.evidence)
        shares = self._shares(scene) if is_loss else ()
        panes = scene.panes()
        sums = total(scene.edition.layout, [pane for _, pane in panes])
        inputs = {"score", *(feature.name for feature in scene.edition.specification.features)}
        features = tuple(alarm for alarm in told.evidence if kind_of(alarm) == "drift" and alarm.feature in inputs)
        signs = Signs(
            loss=is_loss,
            expected=tuple(a for a in told.evidence if a.detector == estimate_watch.DETECTOR and not is_loss),
            quality=scene.quality,
            features=features,
            explained=_explained(sums, scene) if is_loss else None,
            unexplained=_unexplained(sums, scene),
            residuals=_residuals(sums, scene),
            labels=scene.labels or _labels(replace(scene, until=scene.now)),
            unheard=scene.idle.unheard,
            partitions=scene.idle.of,
        )
        return replace(
            told,
            offsets=self._offsets(told.offsets, scene),
            suspects=suspects(signs),
            traffic_touched=_touched(told, shares, features, sums, scene),
            loss_shares=shares[: attribution.SHARES_MOST],
        )

    def _offsets(self, offsets: tuple[OffsetRange, ...], scene: Scene) -> tuple[OffsetRange, ...]:
        """The same, from the first bad one on."""
        first = {(r.topic, r.partition): r.first for r in offsets}
        last = {(r.topic, r.partition): r.last for r in offsets}
        for window in self._forgotten(scene):
            for place, offset in window.first.items():
                first[place] = min(offset, first.get(place, offset))
                last[place] = max(offset, last.get(place, offset))
        return tuple(OffsetRange(*place, first[place], last[place]) for place in sorted(first))

    def _forgotten(self, scene: Scene) -> list[PastWindow]:
        """Windows of its time of which the ledger knows nothing any more."""
        here = {(w.start, w.group.version) for w in scene.windows()}
        first = scene.since - scene.edition.specification.window_seconds
        recent = self.past.recent
        return [w for w in recent if first < w.start < scene.until and (w.start, w.version) not in here]

    def _shares(self, scene: Scene) -> tuple[LossShare, ...]:
        specification = scene.edition.specification
        before = self.past.before(scene.since, specification.window_seconds)
        gone = [window.segments for window in self._forgotten(scene)]
        now = attribution.added([*gone, *(losses(specification, w) for w in scene.windows())])
        judged, found = set(scene.edition.segments), list[LossShare]()
        for segmentation in specification.segments:
            names = [name for name in segmentation.segments if name in judged]
            found += attribution.loss_shares(segmentation.name, names, before, now)
        return tuple(sorted(found, key=lambda s: (-s.share, s.segmentation, s.segment)))


def ends_at(told: IncidentChanged) -> float:
    """How far in event time the alarms of the incident's own kind go: of the loss, to the last pane seen."""
    own = [
        alarm for alarm in told.evidence if kind_of(alarm) == told.kind and alarm.detector != estimate_watch.DETECTOR
    ]
    return max((alarm.window_start + alarm.window_seconds for alarm in own), default=told.as_of)


def _explained(sums: Total, scene: Scene) -> Explained | None:
    """Of a model whose reference knows the scores by label."""
    reference, layout, specification = scene.reference, scene.edition.layout, scene.edition.specification
    if reference is None or not any(map(any, reference.score_by_label)):
        return None
    labels = layout.read_all(LABELS, sums.labels)
    if specification.task == "binary":
        current = np.stack([labels[f"score_by_label:{y}"] for y in (0, 1)])
        return loss_given_score.explain(np.asarray(reference.score_by_label, np.int64), current)
    if not reference.losses_given:
        return None
    if specification.task == "multiclass":
        codes = len(specification.classes) + 1
        score = labels["score_by_right:0"] + labels["score_by_right:1"]
        label = labels["confusion"].reshape(codes, codes)[:-1].sum(axis=1)
    elif "score" in labels and "label" in labels:
        score, label = labels["score"], labels["label"]
    else:
        return None
    known = Known(np.asarray(reference.score_by_label, float), *map(np.asarray, reference.losses_given))
    if known.counts.shape != (len(label), len(score)):
        return None
    loss = sums.sums[tasks.loss_of(specification).total]
    return loss_given_score.explain_given(known, Seen(score.astype(float), label.astype(float), loss))


def _unexplained(sums: Total, scene: Scene) -> str:
    """Why nothing is, where it is not."""
    reference = scene.reference
    if sums.labelled < loss_given_score.ROWS_LEAST:
        return f"{UNEXPLAINED} of {sums.labelled} labelled rows"
    if scene.edition.specification.task != "binary" and reference is not None and not reference.losses_given:
        return f"{UNEXPLAINED}: the reference was built without it, or without labels (driftloop reference build)"
    return UNEXPLAINED


def _residuals(sums: Total, scene: Scene) -> str:
    """Of a regression: bias and spread of its errors, before and now."""
    known, rows = scene.reference.residuals if scene.reference else (), sums.labelled
    if not known or not rows or "error" not in sums.sums:
        return ""
    mean = sums.sums["error"] / rows
    spread = max(0.0, sums.sums["squared_error"] / rows - mean**2) ** 0.5
    return f"; errors were {known[0]:+.4g} on average, sd {known[1]:.4g}, and are {mean:+.4g}, sd {spread:.4g}"


def _labels(scene: Scene) -> tuple[float, float]:
    """(known, expected by now) of the scene's panes, by the delay curve."""
    specification, known, expected = scene.edition.specification, 0, 0.0
    curve = scene.ledger.delays.under(specification.delay_edges_seconds).curve
    if curve.predictions <= 0:
        return 0.0, 0.0
    shares = [0.0, *accumulate(count / curve.predictions for count in curve.labelled)]
    for start, pane in scene.panes():
        age = scene.now - start - specification.pane_seconds
        buckets = sum(edge <= age for edge in specification.delay_edges_seconds)
        known += sum(pane.labelled[:buckets])
        expected += pane.predictions * shares[buckets]
    return float(known), expected


def _touched(
    told: IncidentChanged,
    shares: tuple[LossShare, ...],
    features: tuple[DriftDetected, ...],
    sums: Total,
    scene: Scene,
) -> float | None:
    by_segment = attribution.touched(shares)
    if by_segment is not None:
        return by_segment
    broken = [alarm for alarm in told.evidence if kind_of(alarm) == "data_quality"]
    found = [min(1.0, abs(alarm.effect)) if alarm.unit == "share" else 1.0 for alarm in broken]
    found += [_changed_rows(alarm.feature, sums, scene) for alarm in features]
    return max(found, default=None)


def _changed_rows(feature: str, sums: Total, scene: Scene) -> float:
    """Total variation between the reference's histogram and the current one."""
    name, layout = f"feature:{feature}", scene.edition.layout
    if scene.reference is None or name not in layout.places[FEATURES] or feature not in scene.reference.features:
        return 0.0
    was, now = np.asarray(scene.reference.features[feature]), layout.read(FEATURES, sums.features, name)
    if not was.sum() or not now.sum() or len(was) != len(now):
        return 0.0
    return float(np.abs(was / was.sum() - now / now.sum()).sum() / 2)
