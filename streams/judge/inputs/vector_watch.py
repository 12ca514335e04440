"""Watches embeddings: how far a window's vectors are from the reference's, ranked among the windows so far.

    rff_mmd               their distribution, by random Fourier sums: moves of all components, above all
    whitened_covariance   how their whitened projection varies: spreads and correlations

One test over both of every embedding (detectors/window_csr.py), at the share of the budget of one family. It asks for
windows that are exchangeable. So few rows are joined to the next window's, as features are (conformal_watch.py), and
where the monitor has a season of hours whole days are judged: the hours of a day are alike from day to day, not among
each other. A week's cycle is no habit long enough to climb on. After an alarm the test starts anew.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from driftloop.detectors import rff_mmd, whitened_covariance, window_csr
from driftloop.detectors.shiryaev_roberts import plain
from driftloop.detectors.verdict import Verdict
from driftloop.schemas.events import DriftDetected, TestState
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.incidents.performance import NEVER
from driftloop.streams.judge.inputs import features
from driftloop.streams.judge.inputs.whole_days import ends_a_step, step_seconds
from driftloop.streams.judge.reference import Reference
from driftloop.streams.judge.sums import FEATURES, Counts, Layout, Total

NAME, MMD, COVARIANCE = "multivariate", "rff_mmd", "whitened_covariance"
TESTS = (MMD, COVARIANCE)
UNITS = {MMD: "mmd", COVARIANCE: "variance"}
FLOORS = {MMD: 0.55, COVARIANCE: 2.0}
"""What a shift, or a change of the standard deviation, by one sd in every component is in each unit, while small."""


class Seen(NamedTuple):
    """What one test sees of an embedding: score and distance, NaN where it cannot be told."""

    score: float
    distance: float


@dataclass(slots=True)
class VectorWatch:
    """``carried``: counts and sums of windows that were too small, with their predictions."""

    test: window_csr.State | None = None
    alarmed_at: float = NEVER
    carried: tuple[Counts, Counts, int] | None = None

    def restart(self) -> None:
        self.test, self.alarmed_at, self.carried = None, NEVER, None

    def close(
        self,
        specification: MonitorSpecification,
        reference: Reference,
        layout: Layout,
        version: str,
        window_start: float,
        sums: Total,
    ) -> list[DriftDetected]:
        """Step over one window that has closed."""
        if not channels(layout):
            return []
        counts, vectors, rows = sums.features, sums.vectors, sums.predictions
        if self.carried is not None:
            counts, vectors, rows = counts + self.carried[0], vectors + self.carried[1], rows + self.carried[2]
        if rows < specification.minimum_rows or not ends_a_step(specification, window_start):
            self.carried = counts.copy(), vectors.copy(), rows
            return []
        self.carried = None
        settings = settings_of(specification, layout)
        seen = see(layout, reference, counts, vectors)
        uniforms = [window_csr.uniform_of(specification.model, *name, window_start) for name in seen]
        scores = window_csr.Scores([one.score for one in seen.values()], uniforms)
        self.test, verdict = window_csr.step(settings, self.test or window_csr.start(settings), scores)
        if not verdict.alarmed:
            return []
        self.test, self.alarmed_at = window_csr.start(settings), window_start + specification.window_seconds
        return _alarms(specification, version, window_start, seen, verdict)

    def told(self, specification: MonitorSpecification, layout: Layout, as_of: float) -> tuple[TestState, ...]:
        """The test, and what each embedding adds to its statistic in each of the two ways."""
        names = channels(layout)
        if not names:
            return ()
        settings = settings_of(specification, layout)
        state = self.test or window_csr.start(settings)
        verdict = window_csr.verdict(settings, state)
        recent = self.alarmed_at > as_of - step_seconds(specification)
        share = math.log(len(names))
        parts = [
            TestState(f"{test}:{of}", plain(part - share), verdict.threshold, state.steps, False)
            for (test, of), part in zip(names, verdict.parts, strict=True)
        ]
        return (TestState(NAME, verdict.statistic, verdict.threshold, state.steps, recent), *parts)

    def to_json(self) -> dict[str, Any] | None:
        """None: it has seen nothing."""
        if self == VectorWatch():
            return None
        carried = self.carried and [self.carried[0].tolist(), self.carried[1].tolist(), self.carried[2]]
        test = base64.b64encode(window_csr.to_bytes(self.test)).decode() if self.test else None
        return {"alarmed_at": self.alarmed_at, "carried": carried, "test": test}

    @classmethod
    def from_json(cls, found: Mapping[str, Any] | None) -> VectorWatch:
        if found is None:
            return cls()
        test, carried = found["test"], found["carried"]
        return cls(
            window_csr.from_bytes(base64.b64decode(test)) if test else None,
            found["alarmed_at"],
            carried and (np.asarray(carried[0], np.int64), np.asarray(carried[1], np.int64), carried[2]),
        )


def channels(layout: Layout) -> list[tuple[str, str]]:
    """(test, embedding) of all that is watched."""
    return [(test, f.name) for f in layout.vectors.features for test in TESTS]


def settings_of(specification: MonitorSpecification, layout: Layout) -> window_csr.Settings:
    """Its run length is counted in steps: one false alarm in so many budgets as there are families."""
    steps = features.families(specification) * specification.budget_seconds / step_seconds(specification)
    return window_csr.Settings(max(1, len(channels(layout))), max(1.0, steps))


def see(layout: Layout, reference: Reference, counts: Counts, vectors: Counts) -> dict[tuple[str, str], Seen]:
    """By test and embedding, in the order of ``channels``."""
    found: dict[tuple[str, str], Seen] = {}
    usual = layout.vectors.whole(reference.sums)
    for f in layout.vectors.features:
        known = reference.features.get(f.name, ())
        rows, own = sum(known[:-1]), layout.read(FEATURES, counts, f"feature:{f.name}")
        if not rows or len(known) != len(own):
            found |= {(test, f.name): Seen(math.nan, math.nan) for test in TESTS}
            continue
        waves, moments = layout.vectors.parts(f, usual, rows)
        waves_now, moments_now = layout.vectors.parts(f, vectors, int(own[:-1].sum()))
        by_waves = rff_mmd.Settings(waves, 1.0)
        by_moments = whitened_covariance.Settings(moments, 1.0)
        found[MMD, f.name] = Seen(rff_mmd.score(by_waves, waves_now), rff_mmd.distance(by_waves, waves_now))
        found[COVARIANCE, f.name] = Seen(
            whitened_covariance.score(by_moments, moments_now), whitened_covariance.distance(by_moments, moments_now)
        )
    return found


def _alarms(
    specification: MonitorSpecification,
    version: str,
    window_start: float,
    seen: Mapping[tuple[str, str], Seen],
    verdict: Verdict,
) -> list[DriftDetected]:
    """One event a test and embedding that reached the threshold by itself, and always the strongest."""
    names = {f"{test}:{of}": (test, of) for test, of in seen}
    parts = dict(zip(names, (max(part, features.LOG_EVIDENCE_LEAST) for part in verdict.parts), strict=True))
    found = []
    for name in features.strongest(parts, verdict.threshold):
        test, of = names[name]
        size = seen[test, of].distance
        size = 0.0 if math.isnan(size) else size
        paging = size >= FLOORS[test] * specification.effect_sd
        effect = (size, UNITS[test])
        found.append(
            features.detected(
                specification, version, window_start, (test, verdict.threshold), of, parts[name], effect, paging
            )
        )
    return found
