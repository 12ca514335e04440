"""What was told live beside what a replay tells: identical to the byte, or the first difference. Pure.

Of a window its last revision counts: how often it was told on the way depends on when labels came. Alarms and
incidents are compared in their order. What the replay tells of later than anything live is still to be told there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from driftloop.console.replay.pipeline import Event, Told
from driftloop.schemas.events import WindowMeasured
from driftloop.schemas.headers import rfc3339

WindowKey = tuple[float, str, str, str]
"""Start, version, role, specification."""


class Verdict(NamedTuple):
    """``difference`` is empty where all is the same. ``sha256`` over what was compared, in order of time;
    ``windows`` and ``alarms``: so many were; ``ahead``: told by the replay, not yet live."""

    difference: str
    sha256: str
    windows: int
    alarms: int
    ahead: int


def last_windows(told: Iterable[Told]) -> dict[WindowKey, Told]:
    """The last revision of each window, in order of time."""
    last: dict[WindowKey, Told] = {}
    for one in told:
        if isinstance(w := one.event, WindowMeasured):
            key = (w.window_start, w.version, w.role, w.spec)
            before = last.get(key)
            if before is None or w.revision >= before.event.revision:  # type: ignore[union-attr]
                last[key] = one
    return dict(sorted(last.items()))


def alarms(told: Iterable[Told]) -> list[Told]:
    """Drift and incidents, in the order in which they were told."""
    return [one for one in told if not isinstance(one.event, WindowMeasured)]


def compare(live: Sequence[Told], replayed: Sequence[Told]) -> Verdict:
    """Everything live must be there. As far as the live judge has come, nothing more may be."""
    until = max((one.event.as_of for one in live), default=float("-inf"))
    theirs, ours = last_windows(live), last_windows(_until(replayed, until))
    their_alarms, our_alarms = alarms(live), alarms(_until(replayed, until))
    compared = [*theirs.values(), *their_alarms]
    digest = hashlib.sha256(b"".join(one.value for one in compared)).hexdigest()
    ahead = sum(one.event.as_of > until for one in replayed)
    difference = _of_windows(theirs, ours) or _of_alarms(their_alarms, our_alarms)
    return Verdict(difference, digest, len(theirs), len(their_alarms), ahead)


def _until(told: Sequence[Told], until: float) -> list[Told]:
    return [one for one in told if one.event.as_of <= until]


def _of_windows(live: Mapping[WindowKey, Told], replayed: Mapping[WindowKey, Told]) -> str:
    for key in sorted(live.keys() | replayed.keys()):
        start, version, role, _ = key
        place = f"window {rfc3339(start)} of {version} ({role})"
        if (difference := _between(place, live.get(key), replayed.get(key))) is not None:
            return difference
    return ""


def _of_alarms(live: Sequence[Told], replayed: Sequence[Told]) -> str:
    for i in range(max(len(live), len(replayed))):
        one, other = (side[i] if i < len(side) else None for side in (live, replayed))
        event = (one or other).event  # type: ignore[union-attr]
        place = f"{type(event).__name__} as of {rfc3339(event.as_of)}"
        if (difference := _between(place, one, other)) is not None:
            return difference
    return ""


def _between(place: str, live: Told | None, replayed: Told | None) -> str | None:
    """None: the same."""
    if live is None or replayed is None:
        return f"{place}: told {'live' if replayed is None else 'by the replay'} only"
    if live.value == replayed.value:
        return None
    if type(live.event) is not type(replayed.event):
        return f"{place}: live, and by the replay a {type(replayed.event).__name__}"
    return f"{place}: {_field(live.event, replayed.event)}"


def _field(live: Event, replayed: Event) -> str:
    for field in fields(live):
        mine, theirs = getattr(live, field.name), getattr(replayed, field.name)
        if mine != theirs:
            return f"{field.name}{_inside(mine, theirs)}"
    return "equal fields in other bytes: written under another release?"


def _inside(mine: Any, theirs: Any) -> str:
    """The first key that differs, where both are maps."""
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        for key in sorted(mine.keys() | theirs.keys()):
            if mine.get(key) != theirs.get(key):
                return f"[{key}]{_inside(mine.get(key), theirs.get(key))}"
    return f" is {mine!r} live, {theirs!r} by the replay"
