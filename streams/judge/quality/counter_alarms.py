"""Alarms from the observer's own counters: keys in wrong partitions (placement.py), a full join store (overflow.py).

They are looked at when a counters pane comes that has something to say; what was told is remembered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from driftloop.schemas.events import DriftDetected, Pane
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.quality import overflow, placement

OF_INTEREST = ("misplaced_predictions", "misplaced_truths", "overflow")


@dataclass(slots=True)
class CounterAlarms:
    """``spec``: of the counters of this step, where they have something to say. Misplaced keys are told once."""

    misplaced_told: bool = False
    overflow_told: overflow.Told = overflow.Told()  # noqa: RUF009 (a tuple)
    spec: str = ""

    def saw(self, pane: Pane) -> None:
        """A counters pane counts now."""
        if any(pane.counts.get(name) for name in OF_INTEREST):
            self.spec = pane.spec

    def alarms(
        self, specification: MonitorSpecification, totals: Mapping[str, int], now: float
    ) -> Iterator[DriftDetected]:
        """What is new in the totals of all partitions; ``specification``: that of ``spec``."""
        self.spec = ""
        if not self.misplaced_told:
            model, seconds = specification.model, specification.pane_seconds
            if (found := placement.alarm(totals, model, specification.spec, now, seconds)) is not None:
                self.misplaced_told = True
                yield found
        rows = totals.get("overflow", 0)
        self.overflow_told, full = overflow.alarm(self.overflow_told, rows, specification, now)
        if full is not None:
            yield full

    def to_json(self) -> dict[str, Any]:
        """Among what is known of the model."""
        return {"misplaced_told": self.misplaced_told, "overflow_told": list(self.overflow_told)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> CounterAlarms:
        """An older state has told nothing."""
        return cls(found.get("misplaced_told", False), overflow.Told(*found.get("overflow_told", ())))
