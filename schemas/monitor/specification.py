"""The monitor specification of a model: what is watched, on which bins, when, and what may be done about it.

A person writes TOML (monitor_file.py compiles it, with the mistakes told); what travels on the monitors topic is its
canonical JSON. ``spec``, the hash of that, names it: panes of different specifications never add up.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from driftloop.schemas.baseline.basis import Basis
from driftloop.schemas.baseline.ranges import Range, with_ends
from driftloop.schemas.bins import delay_edges
from driftloop.schemas.codec import canonical_json
from driftloop.schemas.coder import Coder
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.monitor.named_detector import NamedDetector
from driftloop.schemas.monitor.quality import LEARNED, QualityRules
from driftloop.schemas.monitor.season import Season, as_told
from driftloop.schemas.monitor.segments import Combination, Segmentation
from driftloop.schemas.monitor.together import NAME as TOGETHER
from driftloop.schemas.monitor.together import Together, vectors_of
from driftloop.schemas.outcome import Scales, Task, label_code, score_fields
from numpy.typing import NDArray

__all__ = ["Feature", "MonitorSpecification", "RetrainPolicy", "Scales", "compile_monitor", "label_code"]
DAY_SECONDS = 86_400.0
QUIET_WINDOWS = 2
"""A day without an alarm may be a Sunday; two windows in a row are the least that is a habit."""
_SOME_TIME = ("horizon_seconds", "pane_seconds", "window_seconds", "budget_seconds")
_TIMES = (*_SOME_TIME, "disorder_seconds", "dedup_seconds", "offset_seconds", "idle_after_seconds")
_SCALES_EDGES = ("prediction_edges", "label_edges")
CATEGORIES_MOST = 64
"""A reference keeps the most frequent ones; the rest is "other"."""
_SILENT_WHEN_DEFAULT = (
    "segments",
    "scales",
    "value_most",
    "width",
    "basis",
    "quantiles",
    "quality",
    "season",
    "detectors",
    "range",
    "hold",
    "together",
)
"""Fields that came after the first release. They stand in the JSON only where they say something, so that a
specification that does not use them keeps its name."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One input of the model. ``field`` is its name on the wire.

    ``edges`` (numeric) and ``categories`` are None until a reference has been built or the file has told them.
    An embedding has ``width`` numbers; its ``edges`` are those of its norm, ``basis`` what it is projected on.
    ``range``: what the reference has shown to be usual of a number (ranges.py), its ends are among the edges.
    """

    name: str
    field: str
    kind: Literal["numeric", "categorical", "embedding"]
    edges: tuple[float, ...] | None = None
    categories: tuple[str, ...] | None = None
    width: int = 0
    basis: Basis | None = None
    range: Range | None = None

    @property
    def bins(self) -> int:
        """Bins of its histogram; 0 while the bins are not known.

        numeric (of an embedding: its norm): len(edges) + 1, then one for missing.
        categorical: len(categories), other or unseen, missing.
        """
        known = self.categories if self.kind == "categorical" else self.edges
        return 0 if known is None else len(known) + 2


@dataclass(frozen=True, slots=True)
class RetrainPolicy:
    """When a successor is trained, on what, and what it must show."""

    mode: Literal["observe", "propose", "automatic"] = "observe"
    trainer: str = ""
    """module:function"""
    label_growth: float = 1.35
    """Train anew when the labels are this many times those of the last fit (notes/flights.md)."""
    minimum_labels: int = 1_000
    cooldown_seconds: float = DAY_SECONDS
    runs_per_day: int = 2
    rows_most: int = 50_000
    """A uniform sample of everything so far; more rows gained .0003 nats on the flights stream."""
    gate: Literal["no_harm", "gain"] = "no_harm"
    holdout_seconds: float = 14 * DAY_SECONDS
    seed: int = 1
    time_limit_seconds: float = 600.0
    memory_limit_mb: int = 1_024


@dataclass(frozen=True)
class MonitorSpecification:
    """Compiled and complete. Times in seconds of event time.

    ``offset_seconds`` aligns panes and windows: pane k starts at offset + k * pane_seconds since the epoch, and a
    window is a whole number of panes. ``budget_seconds``: event time per allowed false alarm.
    ``task`` and ``classes`` (none of a regression) say what scores and labels are: outcome.py. ``scales``: of a
    regression. ``value_most``: the largest value of an outcome that is summed as it is; None: values are not summed.
    ``quantiles``: whose losses a regression is told; none: the judge's choice. ``quality``: None: all is learned.
    ``season``: that of the features, None: every window is compared with all of the reference. ``detectors``: of the
    user's choice, beside the judge's. ``hold``: windows without an alarm until an incident is over, None: 2.
    ``together``: numeric features that are watched as one vector too.
    """

    model: str
    task: Task
    classes: tuple[str, ...]
    features: tuple[Feature, ...]
    horizon_seconds: float
    disorder_seconds: float = 600.0
    dedup_seconds: float = DAY_SECONDS
    pane_seconds: float = 3_600.0
    window_seconds: float = DAY_SECONDS
    offset_seconds: float = 0.0
    idle_after_seconds: float = 3_600.0
    budget_seconds: float = 7 * DAY_SECONDS
    minimum_rows: int = 200
    effect_psi: float = 0.02
    effect_sd: float = 0.05
    effect_error: float = 0.01
    retrain: RetrainPolicy = RetrainPolicy()
    segments: tuple[Segmentation, ...] = ()
    scales: Scales | None = None
    value_most: float | None = None
    quantiles: tuple[float, ...] = ()
    quality: QualityRules | None = None
    season: Season | None = None
    detectors: tuple[NamedDetector, ...] = ()
    hold: int | None = None
    together: Together | None = None

    @cached_property
    def spec(self) -> str:
        """Name of this specification: 16 hex digits of sha256 over its canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    @cached_property
    def numeric(self) -> tuple[Feature, ...]:
        """The numeric features, in the order of their columns."""
        return tuple(f for f in self.features if f.kind == "numeric")

    @cached_property
    def categorical(self) -> tuple[Feature, ...]:
        """The categorical features, in the order of their columns."""
        return tuple(f for f in self.features if f.kind == "categorical")

    @cached_property
    def embeddings(self) -> tuple[Feature, ...]:
        """The embeddings, in the order of their columns."""
        return tuple(f for f in self.features if f.kind == "embedding")

    @cached_property
    def vectors(self) -> tuple[Feature, ...]:
        """What is watched as a vector: the embeddings, then the numeric features together, which no app sends."""
        if self.together is None:
            return self.embeddings
        known = self.together
        as_one = Feature(TOGETHER, "", "embedding", known.edges, width=len(known.features), basis=known.basis)
        return (*self.embeddings, as_one)

    def whole_vectors(self, sent: NDArray[np.float32], numeric: NDArray[np.float64]) -> NDArray[np.float32]:
        """f4[n, W] of ``vectors`` side by side, from the embeddings as they were sent and f8[n, F] of ``numeric``."""
        if self.together is None:
            return sent
        columns = dict(zip((f.name for f in self.numeric), numeric.T, strict=True))
        return np.concatenate([sent.reshape(len(numeric), -1), self.vectors_together(columns)], axis=1)

    def vectors_together(self, columns: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float32]:
        """f4[n, width] of the numeric features that are watched together, from their columns by name."""
        return vectors_of(self._members, [columns[f.name] for f in self._members])

    @cached_property
    def _members(self) -> tuple[Feature, ...]:
        """The numeric features that are watched together."""
        assert self.together is not None, f"{self.model} watches no features together"
        known = {f.name: f for f in self.numeric}
        return tuple(known[name] for name in self.together.features)

    @cached_property
    def score_fields(self) -> tuple[str, ...]:
        """Names of a prediction's scores on the wire."""
        return score_fields(self.task, self.classes)

    @cached_property
    def delay_edges_seconds(self) -> tuple[float, ...]:
        """Upper edges of the label-delay buckets; the last one is the horizon."""
        return delay_edges(self.horizon_seconds)

    @cached_property
    def quiet_windows(self) -> int:
        """So many without an alarm, and an incident is over."""
        return self.hold or QUIET_WINDOWS

    @cached_property
    def has_bins(self) -> bool:
        """Every feature's bins are known, embeddings aside. Until then counts, missing values and scores are folded,
        no histograms."""
        return all(f.bins for f in self.features if f.kind != "embedding")

    @cached_property
    def bins_hash(self) -> str:
        """16 hex digits over the features and their bins alone: what baselines must agree with."""
        bins: list[Any] = [
            (f.name, f.kind, f.edges, f.categories, *([asdict(f)] if f.width else [])) for f in self.features
        ]
        if self.scales is not None:
            bins.append(asdict(self.scales))
        if self.together is not None:
            bins.append(asdict(self.together))
        return hashlib.sha256(canonical_json(bins).encode()).hexdigest()[:16]

    @cached_property
    def coder(self) -> Coder:
        """Codes f8[n, F] of the numeric features. Only where ``has_bins``."""
        assert self.has_bins, f"the bins of {self.model} are not known yet"
        return Coder([f.edges or () for f in self.numeric])

    def with_bins(
        self,
        edges: Mapping[str, Sequence[float]],
        categories: Mapping[str, Sequence[str]],
        segments: Mapping[str, Sequence[Combination]] | None = None,
        scales: Scales | None = None,
        bases: Mapping[str, Basis] | None = None,
        ranges: Mapping[str, Range | None] | None = None,
    ) -> MonitorSpecification:
        """The same with bin edges, categories, bases and ranges by feature name, and combinations by segmentation;
        what is not named keeps what it has."""
        found = []
        for f in self.features:
            if f.kind != "categorical" and f.name in edges:
                basis = (bases or {}).get(f.name, f.basis)
                learned = (ranges or {}).get(f.name, f.range)
                limits = with_ends(map(float, edges[f.name]), learned, (self.quality or LEARNED).of(f.name).range)
                found.append(replace(f, edges=limits, basis=basis, range=learned))
            elif f.kind == "categorical" and f.name in categories:
                found.append(replace(f, categories=tuple(categories[f.name])))
            else:
                found.append(f)
        known = segments or {}
        segmented = [replace(s, values=tuple(known[s.name])) if s.name in known else s for s in self.segments]
        together = self.together
        if together is not None and TOGETHER in edges:
            basis = (bases or {}).get(TOGETHER, together.basis)
            together = replace(together, edges=tuple(map(float, edges[TOGETHER])), basis=basis)
        return replace(
            self,
            features=tuple(found),
            segments=tuple(segmented),
            scales=scales or self.scales,
            together=together,
        )

    def to_json(self) -> str:
        """Canonical JSON: the same specification gives the same text."""
        return self._json

    @cached_property
    def _json(self) -> str:
        told = asdict(self)
        told["features"] = [
            {k: v for k, v in f.items() if v or k not in _SILENT_WHEN_DEFAULT} for f in told["features"]
        ]
        told["season"] = as_told(self.season) if self.season else None
        told["quality"] = self.quality.as_told() if self.quality else None
        return canonical_json({k: v for k, v in told.items() if v or k not in _SILENT_WHEN_DEFAULT})

    @classmethod
    def from_json(cls, text: str) -> MonitorSpecification:
        """Back from ``to_json``. Errors: BadRecord ``bad-specification``."""
        try:
            found = json.loads(text)
            features = tuple(_feature(f) for f in found.pop("features"))
            scales, season = found.pop("scales", None), found.pop("season", None)
            read = cls(
                **found
                | {
                    "classes": tuple(found["classes"]),
                    "features": features,
                    "retrain": RetrainPolicy(**found["retrain"]),
                    "segments": tuple(_segmentation(s) for s in found.get("segments", ())),
                    "scales": None if scales is None else _scales(scales),
                    "quantiles": tuple(found.get("quantiles", ())),
                    "quality": QualityRules.from_json(found["quality"]) if "quality" in found else None,
                    "season": None if season is None else Season.from_json(season),
                    "detectors": tuple(NamedDetector.from_json(d) for d in found.get("detectors", ())),
                    "together": Together.from_json(found["together"]) if found.get("together") else None,
                }
            )
            _check_times(read)
            return read
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            hint = "was it written by a newer driftloop? apply the monitor file again with this one"
            raise BadRecord("bad-specification", f"this is no monitor specification: {error!r}", hint) from None


def compile_monitor(text: str, place: str) -> MonitorSpecification:
    """Compile a monitor file (monitor_file.py). Errors: ConfigError with line, reason and a correct example."""
    from driftloop.schemas.monitor import monitor_file  # it builds what stands here, so it imports this module

    return monitor_file.compile_monitor(text, place)


def _check_times(read: MonitorSpecification) -> None:
    """Every worker goes by these, whatever the model: one that is no number would end them all, start after start.
    Errors: ValueError, TypeError, OverflowError."""
    for name in _TIMES:
        seconds = getattr(read, name)
        if not math.isfinite(seconds) or (seconds <= 0.0 and name in _SOME_TIME):
            raise ValueError(f"{name} is {seconds!r}")


def _feature(found: dict[str, Any]) -> Feature:
    edges, categories = found["edges"], found["categories"]
    return Feature(
        **found
        | {
            "edges": None if edges is None else tuple(float(e) for e in edges),
            "categories": None if categories is None else tuple(categories),
            "basis": Basis.from_json(found["basis"]) if found.get("basis") else None,
            "range": (float(found["range"][0]), float(found["range"][1])) if found.get("range") else None,
        }
    )


def _segmentation(found: dict[str, Any]) -> Segmentation:
    values = found["values"]
    known = None if values is None else tuple(tuple(value) for value in values)
    return Segmentation(found["name"], tuple(found["features"]), known)


def _scales(found: dict[str, Any]) -> Scales:
    edges = {k: None if found[k] is None else tuple(map(float, found[k])) for k in _SCALES_EDGES}
    return Scales(**found | edges)


def feature_bins(feature: Feature) -> int:
    """Bins of the feature's histogram (Feature.bins)."""
    return feature.bins


def numeric_codes(matrix: NDArray[np.float64], spec: MonitorSpecification) -> NDArray[np.int64]:
    """Bin of every value, int64[n, F] for f8[n, F] with the columns of ``spec.numeric``. NaN: the last bin."""
    return spec.coder.codes(matrix)
