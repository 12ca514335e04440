"""Business value: the mean value of an outcome (money, minutes, ...), over the rows whose truth told one.

Values are clipped to the bound that the specification states, so the mean lies within it, and its interval follows
from that alone (intervals.bounded_mean): panes hold no squares. A bound close to the largest value makes it narrow.
The total is ``value * count``.
"""

from __future__ import annotations

from collections.abc import Mapping

from driftloop.schemas.events import Estimate
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.metrics.intervals import bounded_mean

VALUE = "value"
VALUED = "valued"
"""The count of rows with a value, in label panes."""


def mean_value(specification: MonitorSpecification, sums: Mapping[str, float], rows: int) -> Estimate | None:
    """None where no outcome told its value. ``sums["value"]``: over all cells of the confusion matrix."""
    if specification.value_most is None or not rows:
        return None
    return bounded_mean(sums[VALUE], rows, specification.value_most, -specification.value_most)
