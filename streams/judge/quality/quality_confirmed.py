"""N of M: a broken rule calls somebody when N of the last M windows break it ([quality] confirm = "2 of 3").

    windows of the last M that break the rule    told as
    1 to N - 1                                   recorded: the window is WARNING, no incident
    N or more                                    calling: DRIFT, an incident

Each rule of each feature counts for itself; a window of a maintenance is not judged, and counts for nothing. Rules
look at one window at a time, so this is their only memory. The sequential tests (of the loss, of features) need none:
the evidence of several windows is what they add up. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Rule = tuple[str, str]
"""Its name and the feature, "" of a rule about all rows."""


class Lately(NamedTuple):
    """A judged window by its start, and what it broke."""

    start: float
    broken: tuple[Rule, ...]


class Calls(NamedTuple):
    """``rules`` that call somebody as of this window, ``known``: that did as of the one before. ``since``: start of
    the first window that counts for one of them."""

    rules: frozenset[Rule]
    known: frozenset[Rule]
    since: float


def step(windows: Sequence[Lately], now: Lately, confirmed_by: tuple[int, int]) -> tuple[tuple[Lately, ...], Calls]:
    """Take in a window that was judged; the last M of them, and who calls. Where one window is enough nothing has to
    be remembered.

    >>> missing = ("missing", "amount")
    >>> lately, calls = step((), Lately(0.0, (missing,)), (2, 3))
    >>> calls.rules
    frozenset()
    >>> lately, calls = step(lately, Lately(1.0, ()), (2, 3))
    >>> lately, calls = step(lately, Lately(2.0, (missing, ("volume", ""))), (2, 3))
    >>> calls.rules, calls.since
    (frozenset({('missing', 'amount')}), 0.0)
    """
    needed, most = confirmed_by
    if needed <= 1:
        return (), Calls(frozenset(now.broken), frozenset(now.broken), now.start)
    after = (*windows, now)[-most:]
    rules, known = _confirmed(after, needed), _confirmed(windows, needed)
    since = min((w.start for w in after if rules.intersection(w.broken)), default=now.start)
    return after, Calls(rules, known, since)


def _confirmed(windows: Sequence[Lately], needed: int) -> frozenset[Rule]:
    """What the last of the windows breaks, and enough of the others."""
    last = windows[-1].broken if windows else ()
    return frozenset(rule for rule in last if sum(rule in window.broken for window in windows) >= needed)
