"""When an alarm becomes an incident, and how that ends: a transition table over many monitors at once.

    (calm, quiet)   -> calm   -            (open, quiet)   -> open   -
    (calm, alarm)   -> open   opened       (open, alarm)   -> open   updated
                                           (open, gone)    -> calm   resolved
                                           (open, lasting) -> calm   reanchored

alarm: the evidence reached the threshold. gone: a day without an alarm; nothing lasting was there, it is false.
lasting: open for two and a half days and still alarming in the last twelve hours; that is the new normal, and the
monitor starts again from it. Times count judged periods: an outage is no quiet.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from driftloop.detectors.seasonal.plan import Clock
from numpy.typing import NDArray

CALM, OPEN = 0, 1
QUIET, ALARM, GONE, LASTING = 0, 1, 2, 3
CHANGES = ("", "opened", "updated", "resolved", "reanchored")
NOTHING, OPENED, UPDATED, RESOLVED, REANCHORED = range(len(CHANGES))
TRANSITIONS = {
    (CALM, QUIET): (CALM, NOTHING),
    (CALM, ALARM): (OPEN, OPENED),
    (OPEN, QUIET): (OPEN, NOTHING),
    (OPEN, ALARM): (OPEN, UPDATED),
    (OPEN, GONE): (CALM, RESOLVED),
    (OPEN, LASTING): (CALM, REANCHORED),
}
"""(state, what happened) -> (next state, change). (calm, gone) and (calm, lasting) cannot happen."""
_TABLE = np.full((2, 4, 2), -1)
for _from, _to in TRANSITIONS.items():
    _TABLE[_from] = _to

Ints = NDArray[np.int64]
Facts = NDArray[np.bool_]


class Patience(NamedTuple):
    """In judged periods: quiet until it is ``gone``; open until it is ``lasting``, with an alarm within ``recent``;
    ``measured``: the last of them, over which the new normal is taken."""

    gone: int
    lasting: int
    recent: int
    measured: int


class Incidents(NamedTuple):
    """[M]: ``state``, ``judged`` periods so far, and of them when it ``opened`` and last ``alarmed``."""

    state: Ints
    judged: Ints
    opened: Ints
    alarmed: Ints


def patience_of(clock: Clock) -> Patience:
    """A day, 60, 12 and 48 hours; with long periods at least so many of them that there is something to see."""
    return Patience(clock.periods(24, 3), clock.periods(60, 6), clock.periods(12, 2), clock.periods(48, 4))


def calm(monitors: int) -> Incidents:
    """No incident yet."""
    zero = np.zeros(monitors, np.int64)
    return Incidents(zero, zero, zero, zero)


def happen(incidents: Incidents, patience: Patience, alarm: Facts, judged: Facts) -> tuple[Incidents, Ints]:
    """(after, change of each monitor) of one period."""
    now, is_open = incidents.judged, incidents.state == OPEN
    alarm = alarm & judged
    opened = np.where(alarm & ~is_open, now, incidents.opened)
    alarmed = np.where(alarm, now, incidents.alarmed)
    since = now - alarmed
    what = np.where(alarm, ALARM, QUIET)
    lasting = is_open & judged & (now - opened >= patience.lasting) & (since <= patience.recent)
    gone = is_open & judged & (since >= patience.gone)
    what = np.where(gone, GONE, np.where(lasting, LASTING, what))
    state, change = np.moveaxis(_TABLE[incidents.state, what], -1, 0)
    assert (state >= 0).all(), "a transition that is not in the table"
    return Incidents(state, now + judged, opened, alarmed), np.where(judged, change, NOTHING)


def pass_quietly(incidents: Incidents, judged: Facts) -> Incidents:
    """What ``happen`` comes to where all are calm and nothing alarms."""
    return incidents._replace(judged=incidents.judged + judged)
