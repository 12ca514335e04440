"""What is ranked among its like: windows, or, where hours differ by right (a season), whole days of them."""

from __future__ import annotations

from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.inputs.season import DAY_SECONDS


def step_seconds(specification: MonitorSpecification) -> float:
    """Length of what is ranked."""
    return max(specification.window_seconds, DAY_SECONDS if specification.season else 0.0)


def ends_a_step(specification: MonitorSpecification, window_start: float) -> bool:
    """The window that starts there is the last of what is ranked together."""
    end = window_start + specification.window_seconds - specification.offset_seconds
    return end % step_seconds(specification) == 0
