"""Drift against a season within an alarm budget: channels of panes, one evidence over all features, one threshold.

    found = fit(settings, panes)                       Baseline, or Unknown with the reason
    monitor = Monitor(settings, found)
    state = start(monitor)
    state, judgement = step(monitor, state, pane)      pane by pane, in order of time

Read in the order of the flow: plan, calendar (what and when), channels, season, noise (what is expected), evidence,
keeper, incidents, level, weekly (what is decided), core (one period), fitting, history (the reference), monitor (the
face), telling, state. What it finds and what it cannot see, as measured: docs/budget.md.

>>> import numpy as np
>>> def pane(hour, shift=0.0):
...     rows = np.rint(500 * np.exp(-((np.arange(8) - 3.5 - shift) ** 2) / 8) * (1 + np.sin(hour) / 5))
...     return Pane(hour * 3600.0, np.array([*rows, 0], np.int64))
>>> settings = Settings((Histogram("amount", "numeric", 9),))
>>> fit(settings, [pane(hour) for hour in range(100)]).reason
'the reference covers 4 days; a weekly season needs 14'
>>> monitor = Monitor(settings, fit(settings, [pane(hour) for hour in range(336)]))
>>> state, told = step(monitor, start(monitor), pane(336))
>>> told.alarmed
False
>>> state, told = step(monitor, state, pane(337, shift=0.5))
>>> told.change, str(told.shifts[0])
('opened', 'mean of amount +0.22 sd')
"""

from __future__ import annotations

from driftloop.detectors.seasonal.baseline import Baseline, Unknown
from driftloop.detectors.seasonal.calendar import Calendar, Slot, local, tabulate, tabulated, utc
from driftloop.detectors.seasonal.fitting import fit
from driftloop.detectors.seasonal.history import Pane
from driftloop.detectors.seasonal.monitor import Judgement, Monitor, start, step
from driftloop.detectors.seasonal.plan import By, Histogram, Settings
from driftloop.detectors.seasonal.state import (
    State,
    baseline_from_bytes,
    baseline_to_bytes,
    from_bytes,
    from_records,
    to_bytes,
    to_records,
)

BOUND = (
    "self-resolved incidents <= .8 of the budget plus a constant, for any noise, until the threshold is at its most"
)

__all__ = [
    "BOUND",
    "Baseline",
    "By",
    "Calendar",
    "Histogram",
    "Judgement",
    "Monitor",
    "Pane",
    "Settings",
    "Slot",
    "State",
    "Unknown",
    "baseline_from_bytes",
    "baseline_to_bytes",
    "fit",
    "from_bytes",
    "from_records",
    "local",
    "start",
    "step",
    "tabulate",
    "tabulated",
    "to_bytes",
    "to_records",
    "utc",
]
