"""How far each feature of a window is from its reference, and the one test over all of them.

Shown: PSI, Jensen–Shannon, missing, unseen, and an effect size (numeric: shift of the mean in reference sd;
categorical: Cohen's w). Tested: window conformal Shiryaev–Roberts on the Jensen–Shannon divergence less what chance
explains. The reason for that choice: days differ from each other by more than their rows' sampling error (weather,
weekdays), so a chi-square of rows would alarm on most of them; the rank of a day among days is honest if days are
exchangeable. A real season longer than a window is a true difference, and alarms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from driftloop.detectors import window_csr
from driftloop.detectors.shiryaev_roberts import plain
from driftloop.detectors.side_by_side import References, SideBySide, references
from driftloop.schemas.events import DriftDetected, FeatureDrift
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.streams.judge.sums import Counts

DETECTOR = "window_csr"
WINDOWS_KEPT_MOST = 64
"""The test and the telling of one window ask for the same."""
NAMED_MOST = 5
"""Features told in one alarm, the strongest first."""


def families(specification: MonitorSpecification) -> int:
    """Families of tests that share the budget: errors, features with estimates, and embeddings where there are any.
    Each may use its part of the allowed alarms."""
    return 3 if specification.vectors else 2


ESTIMATES_PART = 0.25
"""Of what the family of the features may use, where windows have estimates without labels: those are made of scores
alone, and the feature test knows the scores' causes. Its threshold rises by a third."""


def budgets_of_features(specification: MonitorSpecification) -> float:
    """The feature test may alarm falsely once in so many budgets."""
    estimated = specification.task != "regression"
    return families(specification) / (1.0 - ESTIMATES_PART if estimated else 1.0)


def budgets_of_estimates(specification: MonitorSpecification) -> float:
    """And the estimates (labels/estimate_watch.py) once in so many."""
    return families(specification) / ESTIMATES_PART


def settings_of(specification: MonitorSpecification) -> window_csr.Settings:
    """Its run length is counted in windows."""
    windows = budgets_of_features(specification) * specification.budget_seconds / specification.window_seconds
    return _settings(max(1, len(specification.features)), max(1.0, windows))


@lru_cache(maxsize=64)
def _settings(features: int, windows: float) -> window_csr.Settings:
    return window_csr.Settings(features, windows)


def measure(
    specification: MonitorSpecification,
    current: Mapping[str, Counts],
    reference: Mapping[str, Sequence[int]],
) -> tuple[FeatureDrift, ...]:
    """Every feature with rows in both, in the order of the specification; no evidence yet."""
    features, found = _compared(specification, current, reference)
    if found is None:
        return ()
    told = []
    for at, feature in enumerate(features):
        counts, n = current[feature.name], int(found.rows[at])
        numeric = feature.kind != "categorical"  # of an embedding it is the norm that is counted
        told.append(
            FeatureDrift(
                feature=feature.name,
                kind=feature.kind,
                count=n,
                missing=int(counts[-1]) / n,
                unseen=0.0 if numeric else int(counts[-2]) / n,
                psi=found.psi[at],
                js=found.jensen_shannon[at],
                effect=found.mean_shift(at) if numeric else found.cohens_w[at],
                unit="sd" if numeric else "w",
                log_evidence=LOG_EVIDENCE_LEAST,
            )
        )
    return tuple(told)


def _compared(
    specification: MonitorSpecification,
    current: Mapping[str, Counts],
    reference: Mapping[str, Sequence[int]],
) -> tuple[list[Feature], SideBySide | None]:
    """The features that can be compared, side by side; None: there is none."""
    features = [f for f in specification.features if _is_told(current.get(f.name), reference.get(f.name))]
    if not features:
        return [], None
    known = references(tuple([tuple(reference[f.name]) for f in features]))
    return features, _side_by_side(tuple([current[f.name].tobytes() for f in features]), known)


def _is_told(counts: Counts | None, baseline: Sequence[int] | None) -> bool:
    return counts is not None and baseline is not None and len(baseline) == len(counts) and any(counts.tolist())


@lru_cache(WINDOWS_KEPT_MOST)
def _side_by_side(current: tuple[bytes, ...], known: References) -> SideBySide:
    return SideBySide([np.frombuffer(counts, np.int64) for counts in current], known)


def with_evidence(
    specification: MonitorSpecification, drifts: Sequence[FeatureDrift], log_evidence: Sequence[float]
) -> tuple[FeatureDrift, ...]:
    """The same with what the test holds against each in their last field; ``log_evidence`` by feature of the
    specification, or empty."""
    if not log_evidence:
        return tuple(drifts)
    known = dict(zip((f.name for f in specification.features), log_evidence, strict=True))
    return tuple([FeatureDrift(*d[:-1], max(known[d.feature], LOG_EVIDENCE_LEAST)) for d in drifts])


LOG_EVIDENCE_LEAST = -690.0
"""Stands for no evidence at all: infinities have no place in JSON."""


def is_above_floor(specification: MonitorSpecification, drift: FeatureDrift, reference: Sequence[int]) -> bool:
    """Large enough to call a person: PSI or effect, less what chance explains, has reached its floor (w as sd)."""
    rows = sum(reference)
    inverse = 1 / drift.count + 1 / rows
    bins_used = int(np.count_nonzero(np.asarray(reference)))
    psi = drift.psi - max(0, bins_used - 1) * inverse
    chance = inverse if drift.unit == "sd" else 0.0  # w has had it taken off already
    effect = math.sqrt(max(0.0, drift.effect**2 - chance))
    return psi >= specification.effect_psi or effect >= specification.effect_sd


def strongest(log_evidence: Mapping[str, float], threshold: float) -> list[str]:
    """Whom an alarm names: every feature that reached the threshold by itself, and always the strongest."""
    order = sorted(log_evidence, key=lambda name: (-log_evidence[name], name))
    alone = [name for name in order if log_evidence[name] >= math.log(threshold)]
    return (alone or order[:1])[:NAMED_MOST]


def detected(
    specification: MonitorSpecification,
    version: str,
    window_start: float,
    test: tuple[str, float],
    feature: str,
    log_evidence: float,
    effect: tuple[float, str],
    paging: bool,
) -> DriftDetected:
    """The alarm of one feature at the end of a window. ``test``: name, threshold; ``effect``: size, unit."""
    return DriftDetected(
        model=specification.model,
        version=version,
        spec=specification.spec,
        as_of=window_start + specification.window_seconds,
        window_start=window_start,
        window_seconds=specification.window_seconds,
        detector=test[0],
        feature=feature,
        statistic=plain(log_evidence),
        threshold=test[1],
        effect=effect[0],
        unit=effect[1],
        paging=paging,
    )


def scores(
    specification: MonitorSpecification,
    window_start: float,
    current: Mapping[str, Counts],
    reference: Mapping[str, Sequence[int]],
) -> window_csr.Scores:
    """What the test sees of one window: a score and a uniform a feature; NaN where it cannot be told."""
    features, found = _compared(specification, current, reference)
    told = {}
    if found is not None:
        pairs = zip(features, found.jensen_shannon, found.expected_jensen_shannon, strict=True)
        told = {feature.name: divergence - expected for feature, divergence, expected in pairs}
    values = [told.get(feature.name, math.nan) for feature in specification.features]
    uniforms = [
        window_csr.uniform_of(specification.model, feature.name, window_start) for feature in specification.features
    ]
    return window_csr.Scores(values or [math.nan], uniforms or [0.5])
