"""Have labels stopped? Once a window: labels that came, against those that the delay curve expected meanwhile.

    due       sum over panes and delay buckets whose edge has passed since the last look of  predictions * share_k
              (delays.py): what should have become known by now. Models whose labels come days later expect them then
    short   = min(CAP, max(0, short + due / 2 - labels that came))        a gap begins where it reaches 1, and is over
              when it is below: labels came at half their rate or more, whenever they were due. A quiet night, in
              which next to none is due, is none
    stopped : the gap expected LEAST labels or more, and has lasted longer than any usual one:
              than a window (so exactly is a gap known) and twice the longest gap before

So the limit is learned from the stream itself: of labels that come in one batch a night gaps of a day are usual,
and one a week makes gaps of six days. In a gap fewer than half of the labels came, by construction. Gaps are watched
for a horizon, and a fortnight at least, before any is told: a batch comes once within the horizon, for else its
labels are lost. ``longest`` fades (half-life 180 days) while there is no gap: with 30 a stream of which a quarter of
the days is late was told four times a year. A gap that was told counts half in it, and at most doubles it: a source
that has become slower is told two or three times, and an outage of months does not blind for years.

False alarms, and how soon an outage is found: benchmarks/label_gaps.py, docs/quality.md.

``CAP`` bounds what has to come back before a gap is over, however long it was: 30 labels at the usual rate.

Whose gap is it? Where the observer of a source partition is not heard of, its labels are missing by our own fault:
only the share of the partitions that are heard is expected (LeftOut.heard in merge.py). What a gap is does not
depend on that, so a replay, in which nobody is left out, keeps the same books.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from driftloop.streams.judge.labels.delays import kept

LEAST = 30.0
"""Labels that must have been expected before their absence says anything: by chance 14 of 30 come once in 1,000."""
CAP = LEAST / 2
HALF = 0.5
TIMES = 2.0
FADES = 6
"""So many times slower than the delay curve does ``longest`` forget."""
WATCHED_LEAST_SECONDS = 14 * 86_400.0
"""Two weekends."""
NEVER = -1.0
"""An instant before all others. (Infinities have no place in JSON.)"""


class Look(NamedTuple):
    """At the end of a window. ``due``: labels expected since the last look; ``came``: all that ever came, as of now.
    ``horizon_seconds``: of the labels. ``limit_seconds``: the monitor's own limit of a gap, None: learned. ``heard``:
    share of the source partitions whose observer is heard of."""

    now: float
    window_seconds: float
    due: float
    came: int
    horizon_seconds: float
    limit_seconds: float | None = None
    heard: float = 1.0


class Stopped(NamedTuple):
    """A gap that is no usual one: since when, the labels that came in it and those expected, the longest usual gap
    (seconds)."""

    since: float
    came: int
    expected: float
    usual_seconds: float


@dataclass(frozen=True, slots=True)
class LabelGaps:
    """``looked_at``: the last look; ``counted``: labels as of then. ``watched_since``: the first look at which labels
    were expected. ``since``: when the gap began, NEVER: there is none; ``expected`` and ``came`` in it; ``told``: it
    was no usual one. ``longest``: seconds."""

    looked_at: float = NEVER
    counted: int = 0
    watched_since: float = NEVER
    short: float = 0.0
    since: float = NEVER
    expected: float = 0.0
    came: int = 0
    told: bool = False
    longest: float = 0.0

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> LabelGaps:
        return cls(**found)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def step(gaps: LabelGaps, look: Look) -> tuple[LabelGaps, Stopped | None]:
    """The books behind a look, and the gap if it is no usual one."""
    if gaps.looked_at == NEVER:  # what came before the first look was never due in one
        return passed_over(gaps, look.now, look.came), None
    if look.now <= gaps.looked_at:
        return gaps, None
    came = look.came - gaps.counted
    begun = gaps.watched_since
    if begun == NEVER and look.due > 0:
        begun = gaps.looked_at
    short = min(CAP, max(0.0, gaps.short + HALF * look.due - came))
    before = replace(gaps, looked_at=look.now, counted=look.came, watched_since=begun, short=short)
    if short < 1.0:
        return _over(before, gaps, look), None
    since = gaps.looked_at if gaps.since == NEVER else gaps.since
    after = replace(before, since=since, expected=gaps.expected + look.due, came=gaps.came + came)
    lasted = look.now - since
    if look.limit_seconds is None and look.now - begun < max(WATCHED_LEAST_SECONDS, look.horizon_seconds):
        return replace(after, longest=max(after.longest, lasted)), None
    limit = look.limit_seconds
    if limit is None:
        limit = look.window_seconds + TIMES * gaps.longest
    expected = after.expected * look.heard
    if lasted <= limit or expected < LEAST or after.came >= HALF * expected:
        return after, None
    return replace(after, told=True), Stopped(since, after.came, expected, gaps.longest)


def _over(after: LabelGaps, before: LabelGaps, look: Look) -> LabelGaps:
    """Labels came: the gap, if there was one, is known from its beginning to the last look."""
    if before.since == NEVER:
        return replace(after, longest=before.longest * kept((look.now - before.looked_at) / FADES))
    lasted = before.looked_at - before.since
    if before.told:
        lasted = min(HALF * lasted, TIMES * before.longest + look.window_seconds)
    longest = max(before.longest, lasted)
    return LabelGaps(after.looked_at, after.counted, after.watched_since, longest=longest)


def passed_over(gaps: LabelGaps, now: float, came: int) -> LabelGaps:
    """A window that is no evidence (maintenance): its time and its labels do not count."""
    if gaps.since != NEVER:
        gaps = replace(gaps, since=gaps.since + now - gaps.looked_at)
    return replace(gaps, looked_at=now, counted=came)
