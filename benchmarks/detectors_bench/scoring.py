"""From alarms to figures: found, delay, false alarms, cost.

An alarm within the horizon of a change (and before the next change) finds it; the first of them counts, its delay is
the number of rows from the change to it. Alarms outside every horizon are false, and are told per 10,000 rows
outside. Further alarms within a horizon are neither: they say that the change goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detectors_bench.contenders import Contender
from detectors_bench.streams import HORIZON, Stream


@dataclass
class Tally:
    """Of one detector on one kind of stream, replicates added up."""

    drifts: int = 0
    delays: list[int] = field(default_factory=list)
    false_alarms: int = 0
    quiet_rows: int = 0
    rows: int = 0
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        self.drifts += other.drifts
        self.delays += other.delays
        self.false_alarms += other.false_alarms
        self.quiet_rows += other.quiet_rows
        self.rows += other.rows
        self.seconds += other.seconds

    def row(self, stream: str, detector: str) -> dict[str, Any]:
        """As the harness writes it. ``false_alarms_error``: one standard error, of a count."""
        per_10k = 1e4 / max(self.quiet_rows, 1)
        return {
            "stream": stream,
            "detector": detector,
            "drifts": self.drifts,
            "found": len(self.delays),
            "median_delay": float(np.median(self.delays)) if self.delays else None,
            "false_alarms_per_10k": self.false_alarms * per_10k,
            "ns_per_value": 1e9 * self.seconds / max(self.rows, 1),
            "false_alarms_error": max(self.false_alarms, 1) ** 0.5 * per_10k,
            "quiet_rows": self.quiet_rows,
            "false_alarms": self.false_alarms,
            "rows": self.rows,
            "seconds": self.seconds,
            "delays": self.delays,
        }

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Tally:
        """Back from a row that was written."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


def run(contender: Contender, stream: Stream) -> Tally:
    """One stream through a detector that begins anew."""
    alarms, seconds = contender.alarms(stream)
    return scored(stream, alarms, seconds)


def scored(stream: Stream, alarms: list[int], seconds: float = 0.0) -> Tally:
    """``alarms``: rows, rising."""
    rows = len(stream.values)
    quiet = np.ones(rows, np.bool_)
    delays = []
    for change, following in zip(stream.changes, (*stream.changes, rows)[1:], strict=True):
        end = min(change + HORIZON, following)
        quiet[change:end] = False
        within = [alarm - change for alarm in alarms if change <= alarm < end]
        delays += within[:1]
    false = sum(bool(quiet[alarm]) for alarm in alarms)
    return Tally(len(stream.changes), delays, false, int(quiet.sum()), rows, seconds)
