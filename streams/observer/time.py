"""Event time in a source partition: watermarks, the instants at which panes are due, label delays.

    watermark of a partition = greatest event time seen in it - disorder
    pane k                   = [offset + k pane, offset + (k+1) pane)
    instants                 = every pane end, and every pane end + a delay edge: a set known beforehand

What belongs to a pane is *due* at the pane's instant if the watermark just before its record was below it; a record
behind its instant (late) is due at the first instant above that watermark. Both are facts of the log: they depend on
the records before it in its own partition, never on batches, on the other topic's progress or on a clock.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from driftloop.schemas.monitor.specification import MonitorSpecification
from numpy.typing import NDArray

Times = NDArray[np.float64]


def greatest_before(times: Times, greatest: float = -math.inf) -> Times:
    """For each row, the greatest event time before it; ``greatest``: of all rows before the first."""
    if not len(times):
        return np.empty(0)
    before = np.empty(len(times))
    before[0] = greatest
    np.maximum.accumulate(times[:-1], out=before[1:])
    return np.maximum(before, greatest, out=before)


def watermarks_before(times: Times, disorder_seconds: float, greatest: float = -math.inf) -> Times:
    """The partition's watermark just before each row. ``times`` are all records of the partition in offset order,
    whatever their model, time markers too."""
    return greatest_before(times, greatest) - disorder_seconds


class Clock(NamedTuple):
    """Panes and instants of one specification, seconds. ``phases``: instants are offset + phase + k pane."""

    offset_seconds: float
    pane_seconds: float
    disorder_seconds: float
    delay_edges: tuple[float, ...]
    phases: tuple[float, ...]

    @classmethod
    def of(cls, specification: MonitorSpecification) -> Clock:
        s = specification
        phases = sorted({0.0, *(math.fmod(edge, s.pane_seconds) for edge in s.delay_edges_seconds)})
        return cls(s.offset_seconds, s.pane_seconds, s.disorder_seconds, s.delay_edges_seconds, tuple(phases))

    def pane_of(self, times: Times) -> NDArray[np.int64]:
        """Number of the pane in which each event time lies."""
        return np.floor((times - self.offset_seconds) / self.pane_seconds).astype(np.int64)

    def start_of(self, pane: Any) -> Any:
        """Of one pane (float) or of many (f8[n])."""
        return self.offset_seconds + pane * self.pane_seconds

    def ends_of(self, panes: NDArray[np.int64]) -> Times:
        return np.asarray(self.offset_seconds + (panes + 1) * self.pane_seconds)

    def buckets(self, delays: Times) -> NDArray[np.int64]:
        """Delay bucket of each label delay: (edge[k-1], edge[k]]; 0 for what came before its prediction too."""
        return np.minimum(np.searchsorted(self.delay_edges, delays, side="left"), len(self.delay_edges) - 1)

    def next_instants(self, moments: Times) -> Times:
        """The first instant above each moment."""
        found = self._above(moments, self.phases[0])
        for phase in self.phases[1:]:
            np.minimum(found, self._above(moments, phase), out=found)
        return found

    def due(self, instants: Times, before: Times) -> Times:
        """When each row is due that belongs to ``instants`` and came when the watermark stood at ``before``."""
        late = before >= instants
        if not late.any():
            return instants
        due = instants.copy()
        due[late] = self.next_instants(before[late])
        return due

    def last_instant(self, moment: float) -> float:
        """The last instant at or below a moment; -inf for -inf."""
        if moment == -math.inf:
            return moment
        start = self.offset_seconds
        return max(
            start + phase + math.floor((moment - start - phase) / self.pane_seconds) * self.pane_seconds
            for phase in self.phases
        )

    def _above(self, moments: Times, phase: float) -> Times:
        first = self.offset_seconds + phase
        found = first + (np.floor((moments - first) / self.pane_seconds) + 1) * self.pane_seconds
        return np.where(found > moments, found, found + self.pane_seconds)  # a quotient may be rounded down
