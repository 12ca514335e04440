"""The champion's windows that are over: labelled rows and loss by segment, and the first source offsets.

An incident is opened when windows of before the change have been forgotten: a label horizon and then some later. What
it needs of them is kept here: of ``RECENT`` windows one by one, of older ones the sums by segment. Windows within an
incident are no "before": they are dropped, not added.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from driftloop.schemas.codec import canonical_json
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.judge.incidents.attribution import NONE, Losses, added
from driftloop.streams.judge.metrics.tasks import loss_of
from driftloop.streams.judge.sums import ranges
from driftloop.streams.judge.windows import Window

RECENT = 32
Offsets = dict[tuple[str, int], int]
"""First offset by (short topic, partition)."""


class PastWindow(NamedTuple):
    """``bad``: an incident was open over it."""

    start: float
    version: str
    bad: bool
    segments: dict[str, Losses]
    first: Offsets


@dataclass(slots=True)
class Past:
    """Of one specification ``spec``; another one starts it anew, for its segments are others."""

    spec: str = ""
    recent: list[PastWindow] = field(default_factory=list)
    older: dict[str, Losses] = field(default_factory=dict)

    def learn(self, specification: MonitorSpecification, window: Window, bad_since: float | None) -> None:
        """A window of a champion is told with all its labels; a correction replaces it. ``bad_since``: of an incident
        that is open."""
        if self.spec != specification.spec:
            self.spec, self.recent, self.older = specification.spec, [], {}
        seconds = specification.window_seconds
        own = PastWindow(window.start, window.group.version, False, losses(specification, window), first_of(window))
        kept = [w for w in self.recent if (w.start, w.version) != (own.start, own.version)]
        self.recent = sorted([*kept, own], key=lambda w: (w.start, w.version))
        if bad_since is not None:
            self.recent = [_seen(w, w.start + seconds > bad_since) for w in self.recent]
        while len(self.recent) > RECENT:
            oldest = self.recent.pop(0)
            if not oldest.bad:
                self.older = added([self.older, oldest.segments])

    def before(self, since: float, window_seconds: float) -> dict[str, Losses]:
        """Sums by segment of the windows that ended before ``since``."""
        ended = [w.segments for w in self.recent if not w.bad and w.start + window_seconds <= since]
        return added([self.older, *ended])

    def to_bytes(self) -> bytes:
        """A state record of its own: it changes once a window."""
        windows = [[*w[:4], [[*place, first] for place, first in sorted(w.first.items())]] for w in self.recent]
        return canonical_json({"spec": self.spec, "recent": windows, "older": self.older}).encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Past:
        found = json.loads(raw)
        recent = [
            PastWindow(start, version, bad, _losses(segments), {(t, p): at for t, p, at in first})
            for start, version, bad, segments, first in found["recent"]
        ]
        return cls(found["spec"], recent, _losses(found["older"]))


def _seen(window: PastWindow, bad: bool) -> PastWindow:
    """Most are bad already, or are not: an incident stands over many windows."""
    return window._replace(bad=True) if bad and not window.bad else window


def losses(specification: MonitorSpecification, window: Window) -> dict[str, Losses]:
    """Labelled rows and their loss so far, by segment."""
    name, found = loss_of(specification).total, {}
    for segment, sums in sorted(window.segments.items()):
        if rows := sum(sums.labelled):
            found[segment] = Losses(rows, sums.sum_of(name))
    return found


def first_of(window: Window) -> Offsets:
    return {(r.topic, r.partition): r.first for r in ranges(window.panes.values())}


def _losses(found: Mapping[str, Any]) -> dict[str, Losses]:
    return {segment: Losses(*told) if told else NONE for segment, told in found.items()}
