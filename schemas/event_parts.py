"""What events are made of: records that stand inside others, never on a topic of their own (events.py).

Times are seconds since the epoch (UTC) as a float, always event time. Of some parts a pane or a window has dozens:
they are tuples with names, for a frozen dataclass takes three times as long to make. The others stand in state
records too, where ``asdict`` writes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Bins(NamedTuple):
    """A sparse histogram: ``counts[i]`` events in bin ``bins[i]``; bins ascending, counts above zero."""

    name: str
    bins: tuple[int, ...]
    counts: tuple[int, ...]


class Estimate(NamedTuple):
    """A measured value with a 95 % interval; ``count`` rows stand behind it."""

    value: float
    low: float
    high: float
    count: int  # type: ignore[assignment]  # nobody asks a tuple's own


class FeatureDrift(NamedTuple):
    """How far one feature is from its reference in one window. ``effect`` in ``unit`` (sd, or Cohen's w)."""

    feature: str
    kind: str
    count: int  # type: ignore[assignment]
    missing: float
    unseen: float
    psi: float
    js: float
    effect: float
    unit: str
    log_evidence: float


class TestState(NamedTuple):
    """A sequential test after this window: it alarms when ``statistic`` reaches ``threshold``."""

    name: str
    statistic: float
    threshold: float
    steps: int
    alarmed: bool


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Offsets first..last (both included) of one partition of the topic that topics.py calls ``topic``."""

    topic: str
    partition: int
    first: int
    last: int


class LabelDelay(NamedTuple):
    """How far the labels of one class have come: ``labelled`` so far, and the share of this class's labels that is
    usually known by now. Classes differ: a default is known later than a repayment, so early figures lean."""

    label: str
    labelled: int
    share_known: float | None


@dataclass(frozen=True, slots=True)
class SegmentMeasured:
    """One declared segment in one window (monitor/segments.py): its rows and its metrics."""

    segment: str
    predictions: int
    labelled: int
    metrics: dict[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FairnessMeasured:
    """How far the segments of one segmentation are apart by one ``criterion``, over ``segments`` of them.

    demographic_parity compares selection rates, equal_opportunity recalls: highest less lowest, and lowest over
    highest (None: the highest is 0)."""

    segmentation: str
    criterion: str
    segments: int
    lowest: str
    highest: str
    difference: Estimate
    ratio: Estimate | None


@dataclass(frozen=True, slots=True)
class QualityBroken:
    """A rule of data quality that a window breaks: ``value`` is beyond ``limit``, in ``unit``; ``usual``: what the
    reference, or the weeks before, had. ``feature`` is empty where the rule is about all rows."""

    rule: str
    feature: str
    value: float
    limit: float
    usual: float
    unit: str
    rows: int


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """What a model was trained on: source offset ranges, the rows' canonical sha256, and their span in event time."""

    rows: int
    sha256: str
    from_time: float
    to_time: float
    offsets: tuple[OffsetRange, ...] = ()


@dataclass(frozen=True, slots=True)
class Silenced:
    """By whose silence nobody is called, and until when (event time). ``silence``: its id."""

    silence: str
    author: str
    reason: str
    ends_at: float


@dataclass(frozen=True, slots=True)
class Suspect:
    """One reading of an incident. ``kind``: data_quality, covariate, prior, concept, label_outage or own_lag.

    ``weight`` 0..1: how much of what was found it accounts for, by the rule that ``why`` tells with its numbers."""

    kind: str
    weight: float
    why: str


@dataclass(frozen=True, slots=True)
class LossShare:
    """What one segment has to do with a rise of the mean loss (streams/judge/incidents/attribution.py).

    ``mix``: its part of the traffic has changed; ``within``: the loss on its rows has. Both of all segments of a
    segmentation add up to the rise, ``share``, of it, to 1."""

    segmentation: str
    segment: str
    rows: int
    loss: float
    loss_before: float
    traffic: float
    traffic_before: float
    mix: float
    within: float
    share: float
