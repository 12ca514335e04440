"""The reference of a model: bin edges go into its specification, baselines are what was counted on them.

So baselines may be built anew while panes stay comparable. ``build_reference`` is a pure function of rows; where the
rows come from (a range of the topic, a file) is the caller's affair, and ``offsets`` says it.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from driftloop.schemas.baseline.calibration import CalibrationBaseline
from driftloop.schemas.baseline.quantiles import numeric_edges
from driftloop.schemas.baseline.ranges import learn_range
from driftloop.schemas.baseline.reference_outcome import learned_scales, outcome
from driftloop.schemas.baseline.reference_vectors import count_vectors, learn_bases
from driftloop.schemas.bins import LOSS_BINS, loss_codes
from driftloop.schemas.codec import canonical_json
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.events import OffsetRange
from driftloop.schemas.monitor.quality import LEARNED
from driftloop.schemas.monitor.season import SeasonBaseline, as_told
from driftloop.schemas.monitor.segments import learned
from driftloop.schemas.monitor.specification import CATEGORIES_MOST, Feature, MonitorSpecification, numeric_codes
from numpy.typing import NDArray

CONFIDENCE = 0.9
"""Of the one-sided upper bounds: an e-detector's bound holds with this probability over the reference."""
DAYS_LEAST = 5
"""Below so many days rows are taken as independent, for want of anything better."""
_DAY_SECONDS = 86_400.0
_SILENT_WHEN_NONE = ("sums", "season", "file", "calibration", "losses_given", "residuals")


@dataclass(frozen=True)
class Baselines:
    """What the reference rows look like, on the bins of the specifications with this ``bins`` hash.

    ``features``: counts by feature name. ``score``: counts of 64 bins (of many classes: of the largest; of a
    regression on its own edges); ``score_by_label`` the same of labelled rows, by code, of a regression by bin of the
    label; ``losses_given``, ``residuals``: reference_outcome.py; () before there were any. ``loss``:
    counts of 512 bins of the loss (losses.py). ``loss_mean``, ``error_rate`` over labelled rows with their
    90 % upper bounds, None without any. Times in seconds, first and last event. ``sums``: of embeddings
    (projection.py), over all rows that have one. ``season``: what was learned of it; None: the monitor has none.
    ``calibration``: what estimates without labels stand on; None: of a regression, and before there were any.
    ``file``: sha256 of the file the rows come from, 64 hex digits; empty: they come from the topics, at ``offsets``.
    """

    model: str
    bins: str
    rows: int
    labelled: int
    from_time: float
    to_time: float
    features: Mapping[str, tuple[int, ...]]
    score: tuple[int, ...]
    score_by_label: tuple[tuple[int, ...], ...]
    loss: tuple[int, ...]
    loss_mean: float | None
    loss_upper: float | None
    error_rate: float | None
    error_upper: float | None
    class_shares: tuple[float, ...] | None
    offsets: tuple[OffsetRange, ...] = ()
    sums: Mapping[str, float] = field(default_factory=dict)
    season: SeasonBaseline | None = None
    file: str = ""
    calibration: CalibrationBaseline | None = None
    losses_given: tuple[tuple[float, ...], ...] = ()
    residuals: tuple[float, ...] = ()

    @cached_property
    def reference(self) -> str:
        """Name of these baselines: 16 hex digits of sha256 over their canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def bins_fit(self, spec: MonitorSpecification) -> bool:
        """They were counted on the bins of this specification."""
        return self.model == spec.model and self.bins == spec.bins_hash

    def to_json(self) -> str:
        """Canonical JSON; what came after the first release stands in it only where there is any."""
        told = asdict(self) | {"features": dict(self.features), "sums": dict(self.sums)}
        told["season"] = as_told(self.season) if self.season else None
        return canonical_json({k: v for k, v in told.items() if v or k not in _SILENT_WHEN_NONE})

    @classmethod
    def from_json(cls, text: str) -> Baselines:
        """Back from ``to_json``. Errors: BadRecord ``bad-reference``."""
        try:
            found = json.loads(text)
            found["features"] = {name: _whole(counts) for name, counts in found["features"].items()}
            found["score_by_label"] = tuple(_whole(counts) for counts in found["score_by_label"])
            found["losses_given"] = tuple(tuple(sums) for sums in found.get("losses_given", ()))
            found["residuals"] = tuple(found.get("residuals", ()))
            found["score"], found["loss"] = _whole(found["score"]), _whole(found["loss"])
            if not math.isfinite(found["to_time"] - found["from_time"]):
                raise ValueError(f"from {found['from_time']!r} to {found['to_time']!r}")
            found["class_shares"] = found["class_shares"] and tuple(found["class_shares"])
            found["offsets"] = tuple(OffsetRange(**o) for o in found["offsets"])
            found["season"] = SeasonBaseline(**found["season"]) if found.get("season") else None
            if found.get("calibration"):
                found["calibration"] = CalibrationBaseline.from_json(found["calibration"])
            return cls(**found)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            hint = "was it written by a newer driftloop? build the reference again with this one"
            raise BadRecord("bad-reference", f"these are no baselines: {error!r}", hint) from None


def _whole(counts: Sequence[int]) -> tuple[int, ...]:
    """TypeError: no list of whole numbers. The judge would end over it, start after start."""
    return tuple(map(operator.index, counts))


def build_reference(
    spec: MonitorSpecification,
    columns: Mapping[str, NDArray[Any]],
    labels: NDArray[np.number],
    *,
    score: NDArray[np.float64],
    event_time: NDArray[np.float64],
    predicted: NDArray[np.integer] | None = None,
    offsets: Sequence[OffsetRange] = (),
) -> tuple[MonitorSpecification, Baselines]:
    """(specification with bins, baselines) from n rows. Bins that the specification has already are kept.

    ``columns`` by feature name: f8[n] with NaN, object[n] of str | None, f4[n, width] of an embedding. ``labels`` and
    ``predicted`` int[n]: index of the class, anything else: not known; of a regression ``labels`` f8[n], NaN: not
    known. ``score`` f8[n], of many classes f8[n, K]. Errors: ConfigError where there are no rows.
    """
    if len(event_time) == 0:
        raise ConfigError(f"a reference of {spec.model} needs rows, and there are none", "name a range that has some")
    rules, new = spec.quality or LEARNED, [f.name for f in spec.numeric if f.edges is None]
    edges = {name: numeric_edges(columns[name]) for name in new}
    in_time = np.argsort(event_time, kind="stable")
    ranges = {name: learn_range(columns[name][in_time]) for name in new if rules.of(name).range is None}
    categories = {f.name: top_categories(columns[f.name]) for f in spec.categorical if f.categories is None}
    scales = learned_scales(spec, labels, score)
    spec = spec.with_bins(edges, categories, learned(spec.segments, columns), scales, None, ranges)
    norms, bases = learn_bases(spec, columns, numeric_edges)
    spec = spec.with_bins(norms, {}, bases=bases)
    vector_counts, vector_sums = count_vectors(spec, columns)
    found = outcome(spec, labels, score, predicted)
    day = event_time[found.labelled] // _DAY_SECONDS
    loss_mean, loss_upper = upper_bound(found.loss, day)
    error_rate, error_upper = upper_bound(found.wrong, day[found.decided])
    return spec, Baselines(
        spec.model,
        spec.bins_hash,
        len(event_time),
        len(found.loss),
        float(event_time.min()),
        float(event_time.max()),
        _feature_counts(spec, columns) | vector_counts,
        found.score,
        found.score_by_label,
        _counts(loss_codes(found.loss), LOSS_BINS),
        loss_mean,
        loss_upper,
        error_rate,
        error_upper,
        found.class_shares,
        tuple(offsets),
        vector_sums,
        losses_given=found.losses_given,
        residuals=found.residuals,
    )


def top_categories(values: NDArray[Any]) -> tuple[str, ...]:
    """The 64 most frequent categories, most frequent first, ties by name."""
    counts = Counter(value for value in values.tolist() if value is not None)
    return tuple(sorted(counts, key=lambda name: (-counts[name], name))[:CATEGORIES_MOST])


def upper_bound(values: NDArray[np.float64], day: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """(mean, one-sided 90 % upper bound of it); (None, None) without values.

    Rows of one day depend on each other, so days are the units: S_d the sum and n_d the number of day d, D days,
    n = sum n_d,  se = sqrt(D/(D-1) * sum (S_d - n_d*mean)^2) / n  (ratio estimator), bound = mean + t(.9; D-1) * se.
    Below five days: the same with rows as units.
    """
    if len(values) == 0:
        return None, None
    mean = float(values.mean())
    _, unit = np.unique(day, return_inverse=True)
    if unit.max() + 1 < DAYS_LEAST:
        unit = np.arange(len(values))
    units = int(unit.max()) + 1
    if units == 1:
        return mean, mean
    from scipy.special import stdtrit  # 15 MB resident, and the stream workers never get here

    excess = np.bincount(unit, weights=values - mean)
    error = math.sqrt(units / (units - 1) * float(excess @ excess)) / len(values)
    return mean, mean + float(stdtrit(units - 1, CONFIDENCE)) * error


def _feature_counts(spec: MonitorSpecification, columns: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    matrix = np.column_stack([columns[f.name] for f in spec.numeric]) if spec.numeric else np.empty((0, 0))
    codes = numeric_codes(np.asarray(matrix, dtype=np.float64), spec)
    found = {f.name: _counts(codes[:, j], f.bins) for j, f in enumerate(spec.numeric)}
    return found | {f.name: _counts(category_codes(f, columns[f.name]), f.bins) for f in spec.categorical}


def category_codes(feature: Feature, values: NDArray[Any]) -> NDArray[np.int64]:
    """Codes of one categorical feature: index; len(categories): other or unseen; one more: missing."""
    known = {name: code for code, name in enumerate(feature.categories or ())}
    other = len(known)
    return np.array([other + 1 if v is None else known.get(v, other) for v in values.tolist()], dtype=np.int64)


def _counts(codes: NDArray[np.int64], bins: int) -> tuple[int, ...]:
    return tuple(np.bincount(codes, minlength=bins).tolist())
