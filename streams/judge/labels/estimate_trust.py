"""May the estimates without labels be believed? They are held against the labels of every window of the champion.

    withdrawn   estimate_check.py over accuracy, AUC and log loss: one that is off takes them all back, visibly
    back        with another reference, when the reference's version is champion again, or when ten windows and more
                agree. A champion of another version than the reference's begins withdrawn: its scores may mean
                something else, and labels can show that they do not.

Estimated are the labelled rows themselves, so only P(label | score) is tested, not which rows are labelled. Allowed
is an error of the specification's floor (effect_error; .01 nats stand for a point) and of twice the standard error of
what the reference knew. Rows of a day depend on each other: the variance of an error is the binomial one times the
design effect of the reference's loss. A right estimate is withdrawn once in ``families`` alarm budgets at most.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from driftloop.detectors import estimate_check
from driftloop.detectors.binned_cbpe import Calibration
from driftloop.detectors.estimate_check import WINDOWS_LEAST, Compared
from driftloop.schemas.baseline.calibration import CalibrationBaseline
from driftloop.schemas.events import Estimate, WindowMeasured
from driftloop.schemas.headers import rfc3339
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.editions import Edition
from driftloop.streams.judge.inputs.features import families
from driftloop.streams.judge.labels import estimates
from driftloop.streams.judge.labels.estimates import BUILD, NOT_WATCHED, Trust
from driftloop.streams.judge.metrics.intervals import Floats
from driftloop.streams.judge.reference import Reference
from driftloop.streams.judge.sums import LABELS, Counts
from driftloop.streams.judge.windows import LABELS_CLOSING, Window

CHECKED = ("accuracy", "auc", "log_loss")
RECENT = 10
"""Windows that are remembered, to say what was wrong."""
BACK = f"it comes back when the labels of {WINDOWS_LEAST} windows or more agree, or with another reference"


class Seen(NamedTuple):
    """One window by figure of ``CHECKED``; NaN: not told. ``sd`` of the error; ``rows``: labelled."""

    rows: int
    estimated: tuple[float, ...]
    found: tuple[float, ...]
    sd: tuple[float, ...]


@dataclass(slots=True)
class EstimateTrust:
    """``of``: name of the reference, version of the champion; empty: no calibration is known. ``withdrawn``: why, a
    sentence; empty: believed. ``until``: start of the newest window compared. ``home``: the version that the
    reference is of; where it names none (a file does not), the champion that comes first."""

    of: tuple[str, str] = ("", "")
    home: str = ""
    withdrawn: str = ""
    until: float = -1.0
    recent: tuple[Seen, ...] = ()
    check: estimate_check.State | None = None
    _last: tuple[CalibrationBaseline, Calibration] | None = field(default=None, init=False, compare=False, repr=False)
    """Known by identity: to hash its hundreds of numbers costs more than the rest of ``now``."""

    def now(self, specification: MonitorSpecification, reference: Reference | None, version: str) -> Trust:
        """Of the champion ``version``. Another reference or champion than before begins anew."""
        if reference is None:
            return NOT_WATCHED
        if specification.task == "regression":
            return Trust(None, "no estimate: of a regression there is none without labels")
        known = reference.calibration
        if known is None:
            return Trust(None, f"no estimate: the reference has no calibration of the scores; {BUILD}")
        if known.reason:
            return Trust(None, f"no estimate: {known.reason}; {known.hint}")
        if self.of != (reference.name, version):
            if self.of[0] != reference.name:
                self.home = known.version or version
            self.of, self.until = (reference.name, version), -1.0
            self.recent, self.check = (), None
            other = f"estimate withdrawn: it was learned of {self.home}, and {version} is champion; {BACK}"
            self.withdrawn = "" if version == self.home else other
        if self._last is None or self._last[0] is not known:
            self._last = known, estimates.calibration_of(known)
        return Trust(self._last[1], self.withdrawn)

    def mature(
        self,
        edition: Edition,
        reference: Reference | None,
        told: WindowMeasured,
        window: Window,
    ) -> None:
        """A champion's window has been told; where its labels are in it counts, once, in order of time."""
        specification = edition.specification
        if told.closing != LABELS_CLOSING or reference is None or told.window_start <= self.until:
            return
        calibration = self.now(specification, reference, told.version).calibration
        if calibration is None or not (counts := _labelled(edition, window)).any():
            return
        self.until = told.window_start
        seen, margin = _compared(specification, reference, calibration, counts, told.metrics)
        self.recent = (*self.recent, seen)[-RECENT:]
        settings = _settings(specification)
        error = np.subtract(seen.estimated, seen.found)
        self.check, verdict = estimate_check.step(
            settings,
            self.check or estimate_check.start(settings),
            Compared(error, np.array(seen.sd), margin, seen.rows),
        )
        if verdict.alarmed:
            end = told.window_start + told.window_seconds
            self.withdrawn = _disagreement(self.recent, int(np.argmax(verdict.parts)), end)
        elif not (self.withdrawn and estimate_check.agrees(self.check, margin)):
            return
        else:
            self.withdrawn = ""
        self.check, self.recent = None, ()

    def to_json(self) -> dict[str, Any]:
        packed = self.check and base64.b64encode(estimate_check.to_bytes(self.check)).decode()
        return {
            "of": list(self.of),
            "home": self.home,
            "withdrawn": self.withdrawn,
            "until": self.until,
            "recent": [[seen.rows, *(_plain(part) for part in seen[1:])] for seen in self.recent],
            "check": packed,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> EstimateTrust:
        reference, version = found["of"]
        recent = tuple(Seen(rows, *(_figures(part) for part in parts)) for rows, *parts in found["recent"])
        check = found["check"] and estimate_check.from_bytes(base64.b64decode(found["check"]))
        return cls((reference, version), found["home"], found["withdrawn"], found["until"], recent, check)


def _settings(specification: MonitorSpecification) -> estimate_check.Settings:
    windows = families(specification) * specification.budget_seconds / specification.window_seconds
    return estimate_check.Settings(len(CHECKED), max(1.0, windows))


def _labelled(edition: Edition, window: Window) -> Counts:
    """Labelled rows by bin of the score."""
    by = "label" if edition.specification.task == "binary" else "right"
    names, panes = [f"score_by_{by}:{code}" for code in (0, 1)], window.panes.values()
    found = [edition.layout.read(LABELS, pane.labels, name) for pane in panes for name in names]
    return np.asarray(np.sum(found, axis=0), np.int64)


def _compared(
    specification: MonitorSpecification,
    reference: Reference,
    calibration: Calibration,
    counts: Counts,
    metrics: Mapping[str, Estimate],
) -> tuple[Seen, Floats]:
    """(what was estimated of these labelled rows and what was found, margins)."""
    figures = estimates.figures(specification, calibration, counts, CHECKED)
    spread = reference.loss.design_effect if reference.loss else 1.0
    told = [(figures.get(name), metrics.get(name)) for name in CHECKED]
    both = [(f, m) if f is not None and m is not None else None for f, m in told]
    seen = Seen(
        int(counts.sum()),
        tuple(pair[0].value if pair else math.nan for pair in both),
        tuple(pair[1].value if pair else math.nan for pair in both),
        tuple(math.sqrt(pair[0].labels * spread) if pair else math.nan for pair in both),
    )
    known = [2 * math.sqrt(pair[0].calibration) if pair else 0.0 for pair in both]
    return seen, specification.effect_error + np.array(known)


def _disagreement(recent: Sequence[Seen], figure: int, until: float) -> str:
    """In words, over those last windows that say it most clearly."""
    told = [seen for seen in recent if math.isfinite(seen.estimated[figure] - seen.found[figure])]
    sums = [_sums(told[-n:], figure) for n in range(1, len(told) + 1)]
    n, (rows, estimated, found, _) = max(enumerate(sums, 1), key=lambda one: one[1][3])
    return (
        f"estimate withdrawn: {CHECKED[figure].replace('_', ' ')} was estimated at {estimated:.4f}, labels say "
        f"{found:.4f} ({rows:,} labels, {n} window{'s' * (n > 1)} to {rfc3339(until)}); {BACK}"
    )


def _sums(seen: Sequence[Seen], figure: int) -> tuple[int, float, float, float]:
    """(rows, mean estimate, mean found, standard errors between them)."""
    rows = sum(one.rows for one in seen)
    estimated = sum(one.rows * one.estimated[figure] for one in seen) / rows
    found = sum(one.rows * one.found[figure] for one in seen) / rows
    error = math.sqrt(sum((one.rows * one.sd[figure]) ** 2 for one in seen)) / rows
    return rows, estimated, found, abs(estimated - found) / error if error else 0.0


def _plain(part: Sequence[float]) -> list[float | None]:
    """NaN has no place in JSON."""
    return [None if math.isnan(value) else value for value in part]


def _figures(part: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(math.nan if value is None else value for value in part)
