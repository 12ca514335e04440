"""What people have silenced, as the judge of one model takes it: which alarms and incidents call nobody.

Nothing is lost: windows, tests and incidents go on as before, only what is **told** differs. An alarm as of a time
that a silence covers is told as not paging, an incident with the silence in it. When the silence is over and the
incident still stands, it is told once more, unsilenced. Its end is told aloud to whom its beginning was.

A maintenance window silences everything and says besides that its own traffic is no evidence: panes that begin in it
do not step the loss test, windows that it touches neither the tests of the features nor the rules of quality (a part
of a day is not comparable with days), and these windows are UNKNOWN.

**When a word counts**: at the first instant of the judge at or after its ``as_of`` and after it was heard of, and
that instant is told (``SilenceChanged``). So a replay, which knows the word from the beginning, counts it from there
(console/replay/orders.py), and tells the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from driftloop.schemas.codec import canonical_json, decode, encode
from driftloop.schemas.events import (
    DriftDetected,
    IncidentChanged,
    SilenceChanged,
    Silenced,
    WindowMeasured,
)
from driftloop.schemas.headers import rfc3339
from driftloop.schemas.monitor.named_detector import OF_A_FEATURE
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.silences import Order, Silence
from driftloop.streams.judge.telling import Event

COUNTS, EXPIRED, ENDED = "counts", "expired", "ended"
KIND_OF_DETECTOR = {"e_detector": "performance", "cbpe": "performance"}
"""Of the loss, and of what is expected of it without labels. The rest are of data quality (their names begin so, or
they count records), or alarms of features: drift."""
OF_RECORDS = ("data_quality", "misplaced_keys", "join_overflow")
MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Hushed:
    """An open incident that was last told as silenced. ``aloud``: before that, it was not."""

    last: IncidentChanged
    aloud: bool


@dataclass(slots=True)
class Silencing:
    """``heard``: offset of the last command taken over. ``waiting``: those that do not count yet. ``known``: silences
    that count or did a while ago, by id; ``over``: those of which the end was told."""

    heard: int = -1
    waiting: list[Order] = field(default_factory=list)
    known: dict[str, Silence] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)
    hushed: dict[str, Hushed] = field(default_factory=dict)

    def hear(
        self, orders: Sequence[Order], specification: MonitorSpecification, now: float
    ) -> Iterator[SilenceChanged]:
        """Take over what is new, and count what is due."""
        self.waiting += [order for order in orders if order.offset > self.heard]
        self.heard = max([self.heard, *(order.offset for order in orders)])
        for order in sorted(self.waiting, key=lambda order: (order.as_of, order.offset)):
            if order.as_of <= now and not any(w.silence and w.silence.identity == order.ends for w in self.waiting):
                self.waiting.remove(order)
                yield from self._count(order, specification, now)
        for silence in sorted(self.known.values(), key=lambda s: (s.ends_at, s.identity)):
            if silence.ends_at <= now and silence.identity not in self.over:
                yield self._end(silence, specification, now, silence.author, silence.reason)
            elif now > _forgotten_at(silence, specification):
                del self.known[silence.identity]
                self.over.discard(silence.identity)

    def _count(self, order: Order, specification: MonitorSpecification, now: float) -> Iterator[SilenceChanged]:
        if (silence := order.silence) is not None:
            expired = silence.ends_at <= now
            self.known[silence.identity] = silence
            if expired:
                self.over.add(silence.identity)
            change = EXPIRED if expired else COUNTS
            yield _changed(silence, specification, change, now, silence.author, silence.reason)
        elif (found := self.known.get(order.ends)) is not None and found.ends_at > now:
            ended = replace(found, ends_at=max(now, found.begins_at))
            self.known[found.identity] = ended
            yield self._end(ended, specification, now, order.author, order.reason)

    def _end(
        self, silence: Silence, specification: MonitorSpecification, now: float, author: str, reason: str
    ) -> SilenceChanged:
        self.over.add(silence.identity)
        return _changed(silence, specification, ENDED, now, author, reason)

    def maintenance(self, start: float, end: float) -> Silence | None:
        """The maintenance window that touches this time; None: there is none."""
        touching = [s for s in self.known.values() if s.maintenance and s.begins_at < end and start < s.ends_at]
        return _last(touching)

    def marked(self, told: Event) -> Event:
        """The event as it is told to people."""
        if not self.known and not self.hushed:  # as nearly always
            return told
        if isinstance(told, DriftDetected):
            if self._covering(told.as_of, kind_of(told), (told.feature,)) is None:
                return told
            return replace(told, paging=False)
        if isinstance(told, IncidentChanged):
            return self._incident(told)
        if isinstance(told, WindowMeasured):
            return self._window(told)
        return told

    def again(self, now: float) -> Iterator[IncidentChanged]:
        """Incidents that still stand, although the silence that covered them does not."""
        for identity, hushed in sorted(self.hushed.items()):
            if self._of(hushed.last, now) is None:
                del self.hushed[identity]
                words = f"{hushed.last.summary}; silenced until now"
                yield replace(hushed.last, change="updated", as_of=now, summary=words, silenced=None)

    def _incident(self, told: IncidentChanged) -> IncidentChanged:
        before = self.hushed.pop(told.incident, None)
        silence = self._of(told, told.as_of)
        if told.change == "resolved":
            return told if before is None or before.aloud else replace(told, silenced=before.last.silenced)
        if silence is None:
            return told
        who = Silenced(silence.identity, silence.author, silence.reason, silence.ends_at)
        told = replace(told, silenced=who)
        self.hushed[told.incident] = Hushed(told, told.change != "opened" if before is None else before.aloud)
        return told

    def _window(self, told: WindowMeasured) -> WindowMeasured:
        if silenced := self._silenced(told):
            told = replace(told, silenced_incidents=silenced)
        silence = self.maintenance(told.window_start, told.window_start + told.window_seconds)
        if silence is None:
            return told
        reason = f"{MAINTENANCE} until {rfc3339(silence.ends_at)} ({silence.author}: {silence.reason})"
        return replace(told, status="UNKNOWN", status_reason=reason)

    def _silenced(self, told: WindowMeasured) -> tuple[str, ...]:
        """Open incidents for which nobody is called now."""
        open_ones = [(i, "performance") for i in told.open_incidents]
        open_ones += [(i, "data_quality") for i in told.quality_incidents]
        return tuple(i for i, kind in open_ones if i in self.hushed or self._covering(told.as_of, kind, ()))

    def _of(self, told: IncidentChanged, time: float) -> Silence | None:
        return self._covering(time, told.kind, [alarm.feature for alarm in told.evidence])

    def _covering(self, time: float, kind: str, features: Iterable[str]) -> Silence | None:
        named = list(features)
        about = [feature_of(watch) for watch in named]
        covering = [s for s in self.known.values() if s.covers(time, kind, named) or s.covers(time, kind, about)]
        return _last(covering)

    def to_bytes(self) -> bytes:
        """A state record of its own."""
        return canonical_json(
            {
                "heard": self.heard,
                "waiting": [_to_json(order) for order in self.waiting],
                "known": [asdict(silence) for silence in self.known.values()],
                "over": sorted(self.over),
                "hushed": [[encode(one.last).hex(), one.aloud] for one in self.hushed.values()],
            }
        ).encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Silencing:
        found = json.loads(raw)
        known = [Silence(**silence) for silence in found["known"]]
        hushed = {}
        for last, aloud in found["hushed"]:
            event = decode(bytes.fromhex(last))
            assert isinstance(event, IncidentChanged)
            hushed[event.incident] = Hushed(event, aloud)
        return cls(
            found["heard"],
            [_from_json(order) for order in found["waiting"]],
            {silence.identity: silence for silence in known},
            set(found["over"]),
            hushed,
        )


def kind_of(alarm: DriftDetected) -> str:
    """What an operator calls it (schemas/silences.py)."""
    if alarm.detector.startswith(OF_RECORDS):
        return "data_quality"
    return KIND_OF_DETECTOR.get(alarm.detector, "drift")


def feature_of(watch: str) -> str:
    """What an alarm is about: of a detector of the user's choice, the feature whose series it watches.

    >>> feature_of("missing:amount"), feature_of("amount"), feature_of("metric:auc")
    ('amount', 'amount', 'metric:auc')
    """
    what, _, of = watch.partition(":")
    return of if of and what in OF_A_FEATURE else watch


def _last(silences: list[Silence]) -> Silence | None:
    """The one that ends last: as long as any of them stands, nobody is called."""
    return max(silences, key=lambda s: (s.ends_at, s.identity), default=None)


def _forgotten_at(silence: Silence, specification: MonitorSpecification) -> float:
    """Panes and windows of its time may be told until then."""
    s = specification
    return silence.ends_at + s.horizon_seconds + 2 * s.window_seconds + s.disorder_seconds


def _changed(
    silence: Silence, specification: MonitorSpecification, change: str, now: float, author: str, reason: str
) -> SilenceChanged:
    return SilenceChanged(
        model=specification.model,
        spec=specification.spec,
        silence=silence.identity,
        change=change,
        as_of=now,
        author=author,
        reason=reason,
        begins_at=silence.begins_at,
        ends_at=silence.ends_at,
        kind=silence.kind,
        feature=silence.feature,
        maintenance=silence.maintenance,
    )


def _to_json(order: Order) -> dict[str, Any]:
    return order._asdict() | {"silence": order.silence and asdict(order.silence)}


def _from_json(found: Mapping[str, Any]) -> Order:
    return Order(**{**found, "silence": found["silence"] and Silence(**found["silence"])})
