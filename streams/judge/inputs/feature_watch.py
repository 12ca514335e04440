"""Who watches the features of a model's live predictions: one test over all of them, stepped once a window.

    no season    conformal_watch.py (detectors/window_csr.py): the rank of a window among those so far
    a season     season_watch.py (detectors/seasonal/): a window against the same hours of the reference

All champion versions of a window count together (the inputs do not care who scored them).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from driftloop.schemas.events import DriftDetected, TestState
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.inputs.conformal_watch import ConformalWatch
from driftloop.streams.judge.inputs.season_watch import SeasonWatch
from driftloop.streams.judge.reference import Reference
from driftloop.streams.judge.sums import Counts, Layout


class FeatureWatch(Protocol):
    """``evidence``: log, by feature of the specification; empty: none yet. ``blind_below``: sd of a mean that would
    just be found within a day; None: not known."""

    evidence: tuple[float, ...]
    blind_below: float | None

    def restart(self) -> None:
        """Another specification or reference: nothing seen is comparable."""

    def close(
        self,
        specification: MonitorSpecification,
        reference: Reference,
        layout: Layout,
        version: str,
        window_start: float,
        counts: Counts,
        rows: int,
        alone: bool,
    ) -> list[DriftDetected]:
        """Step over one window that has closed; the alarms, strongest feature first. ``alone``: only ``version``
        served in it."""

    def told(self, specification: MonitorSpecification, as_of: float) -> TestState | None:
        """The test as a window tells it; None: it does not run."""

    def incident(self, window_end: float) -> tuple[bool, str] | None:
        """(paging, what) of the drift that stands open over a window with this end."""

    def unknown(self, specification: MonitorSpecification, reference: Reference) -> str:
        """Why nothing can be judged; empty: it can."""

    def remark(self) -> str:
        """What there is to say although nothing alarms."""

    def to_json(self) -> dict[str, Any]:
        """All but the test, whose bytes are records of their own."""

    def to_records(self) -> dict[str, bytes]:
        """The test by name of the record, "" where one is all (feature_records.py); nothing: it has not begun."""


def watch_of(specification: MonitorSpecification) -> FeatureWatch:
    """A new one, which has seen nothing."""
    return ConformalWatch() if specification.season is None else SeasonWatch()


def restored(found: Mapping[str, Any], test: Mapping[str, bytes]) -> FeatureWatch:
    """Back from ``to_json`` and ``to_records``."""
    if "season" in found:
        return SeasonWatch.from_json(found["season"], test)
    return ConformalWatch.from_json(found, test.get(""))
