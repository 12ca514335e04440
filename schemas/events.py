"""What is said on the topics: one frozen record an event, past tense; the .avsc of the same name is its wire form.

Times are seconds since the epoch (UTC) as a float, always event time, never the clock of a machine.
A prediction is not here: its schema is generated from the model's specification (batches/prediction.py).
Records that stand inside others: event_parts.py. Field names here and in the .avsc files are the same (tested).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from driftloop.schemas.event_parts import (
    Bins,
    DatasetVersion,
    Estimate,
    FairnessMeasured,
    FeatureDrift,
    LabelDelay,
    LossShare,
    OffsetRange,
    QualityBroken,
    SegmentMeasured,
    Silenced,
    Suspect,
    TestState,
)

__all__ = [
    "Bins",
    "CommandGiven",
    "DatasetVersion",
    "DecisionRecorded",
    "DeploymentChanged",
    "DriftDetected",
    "Estimate",
    "FairnessMeasured",
    "FeatureDrift",
    "GroundTruth",
    "IncidentChanged",
    "Label",
    "LabelDelay",
    "LossShare",
    "ModelPublished",
    "MonitorApplied",
    "OffsetRange",
    "Pane",
    "Progress",
    "QualityBroken",
    "ReferenceBuilt",
    "SchemaRegistered",
    "SegmentMeasured",
    "SilenceChanged",
    "Silenced",
    "Suspect",
    "TestState",
    "TimeMarker",
    "WindowMeasured",
]

Label = str | float | int | bool | None


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """The outcome of one prediction, once known. The record's key is the prediction id."""

    event_time: float
    model: str
    label: Label
    value: float | None = None


@dataclass(frozen=True, slots=True)
class TimeMarker:
    """A producer's word that it sends nothing earlier than ``event_time`` any more.

    Written to every partition of predictions and ground truth, without a key. It moves the watermark of a quiet
    partition and says nothing else.
    """

    event_time: float
    producer: str


@dataclass(frozen=True, slots=True)
class Pane:
    """Cumulative partial sums of one (model, version, role, spec, pane, partition, kind, bucket, segment, against).

    A later pane of the same key replaces the earlier one; panes of different keys add up.
    kind ``features``: all predictions of the pane; bucket -1.
    kind ``labels``: the labelled pairs whose label delay fell into delay bucket ``bucket``.
    kind ``paired``: predictions of a challenger beside those of the champion's version ``against``, on the same ids.
    ``segment``: a declared segment (monitor/segments.py); empty: all rows.
    ``emitted_at`` is the instant of event time at which it was due; ``revision`` counts corrections, from 0.
    Offsets are the first and last source offset counted here, -1 where none.
    """

    model: str
    version: str
    role: str
    spec: str
    pane_start: float
    pane_seconds: float
    partition: int
    kind: str
    bucket: int
    emitted_at: float
    revision: int
    predictions_first_offset: int
    predictions_last_offset: int
    truths_first_offset: int
    truths_last_offset: int
    counts: dict[str, int] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    histograms: tuple[Bins, ...] = ()
    segment: str = ""
    against: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the observer has come in one source partition. Written to every partition of the panes topic,
    behind the panes of the same checkpoint. Watermarks are -inf until something was seen, and hold for every model;
    that of one model is the latest event time less its own disorder (``disorders``, or else the usual one)."""

    partition: int
    partitions: int
    predictions_watermark: float
    truths_watermark: float
    predictions_offset: int
    truths_offset: int
    caught_up: bool
    predictions_latest: float = 0.0
    truths_latest: float = 0.0
    usual_disorder: float = 0.0
    disorders: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WindowMeasured:
    """One window of event time, measured. A higher ``revision`` of the same window replaces the lower one.

    ``closing``: features (the predictions are complete), provisional (labels so far), labels (the horizon has
    passed: final). ``as_of`` is the judge's frontier when it was measured: nothing later than it was used.
    ``totals`` (of the model, all versions, as of then): predictions, labelled, never_labelled, orphans, duplicates,
    amendments, too_late. ``open_incidents`` are ids of incidents open as of then.
    ``status``: OK, WARNING, DRIFT or UNKNOWN, with ``status_reason``.
    ``expected_final_coverage`` comes with a 95 % interval once its own errors have been measured. ``label_delays``:
    by class. ``segments``: at most 64, ``segments_omitted`` of those declared are not judged. ``quality``: the rules
    it breaks; ``quality_incidents``: open as of then, never a reason to retrain and so not in ``open_incidents``.
    ``blind_below``: sd of a mean that would just be found within a day, None: not known. ``estimated``: metrics to be
    expected of all its predictions, without labels; where there are none ``estimate_reason`` says why.
    ``silenced_incidents``: of the open ones of either kind, those that a person has silenced.
    """

    model: str
    version: str
    role: str
    spec: str
    reference: str
    window_start: float
    window_seconds: float
    closing: str
    revision: int
    as_of: float
    status: str
    status_reason: str
    predictions: int
    labelled: int
    coverage: float | None
    expected_final_coverage: float | None
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    features: tuple[FeatureDrift, ...] = ()
    tests: tuple[TestState, ...] = ()
    open_incidents: tuple[str, ...] = ()
    totals: dict[str, int] = field(default_factory=dict)
    offsets: tuple[OffsetRange, ...] = ()
    partitions_idle: tuple[int, ...] = ()
    expected_final_coverage_low: float | None = None
    expected_final_coverage_high: float | None = None
    label_delays: tuple[LabelDelay, ...] = ()
    segments: tuple[SegmentMeasured, ...] = ()
    segments_omitted: int = 0
    fairness: tuple[FairnessMeasured, ...] = ()
    quality: tuple[QualityBroken, ...] = ()
    quality_incidents: tuple[str, ...] = ()
    blind_below: float | None = None
    estimated: dict[str, Estimate] = field(default_factory=dict)
    estimate_reason: str = ""
    silenced_incidents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DriftDetected:
    """A sequential test has reached its threshold. Below the effect floor, ``paging`` is false: recorded only."""

    model: str
    version: str
    spec: str
    as_of: float
    window_start: float
    window_seconds: float
    detector: str
    feature: str
    statistic: float
    threshold: float
    effect: float
    unit: str
    paging: bool


@dataclass(frozen=True, slots=True)
class IncidentChanged:
    """An incident was opened, updated or resolved (``change``). ``evidence`` is ranked, strongest first.

    ``silenced``: nobody is to be called. ``suspects``: what it may be, the heaviest first. ``traffic_touched``: share
    of the rows in what has moved, None: not known. ``loss_shares``: by segment, the greatest share first.
    """

    model: str
    version: str
    spec: str
    incident: str
    kind: str
    change: str
    opened_at: float
    as_of: float
    summary: str
    evidence: tuple[DriftDetected, ...] = ()
    offsets: tuple[OffsetRange, ...] = ()
    silenced: Silenced | None = None
    suspects: tuple[Suspect, ...] = ()
    traffic_touched: float | None = None
    loss_shares: tuple[LossShare, ...] = ()


@dataclass(frozen=True, slots=True)
class SilenceChanged:
    """The judge has taken a silence (``change`` counts), found it over when it came (expired), or it is over (ended).

    What the judge tells between ``counts`` and ``ended`` is silenced if it lies in ``begins_at`` to ``ends_at`` and
    is of ``kind`` and ``feature`` (empty: any). ``author`` and ``reason``: whose word it is, of the end too.
    """

    model: str
    spec: str
    silence: str
    change: str
    as_of: float
    author: str
    reason: str
    begins_at: float
    ends_at: float
    kind: str = ""
    feature: str = ""
    maintenance: bool = False


@dataclass(frozen=True, slots=True)
class DecisionRecorded:
    """One entry of the retrainer's log; its state is rebuilt from these alone.

    ``kind``: evaluated, started, trained, gated, published, promoted, rejected, failed.
    ``run`` is empty for an evaluation that said no. ``inputs`` and ``thresholds`` are what it was decided on.
    """

    model: str
    kind: str
    as_of: float
    run: str
    trigger: str
    accepted: bool
    reason: str
    version: str = ""
    inputs: dict[str, float] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    dataset: DatasetVersion | None = None


@dataclass(frozen=True, slots=True)
class ModelPublished:
    """The signed manifest of a published model. ``signature`` covers every other field (artefacts/signature.py)."""

    model: str
    version: str
    uri: str
    sha256: str
    size_bytes: int
    as_of: float
    trainer: str
    run: str
    parent: str
    libraries: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    dataset: DatasetVersion | None = None
    key_id: str = ""
    signature: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentChanged:
    """The full deployment of one model, each time it changes. Versions are empty where there is none."""

    model: str
    champion: str
    champion_since: float
    previous: str
    challenger: str
    as_of: float
    run: str
    reason: str


@dataclass(frozen=True, slots=True)
class MonitorApplied:
    """A compiled monitor specification (canonical JSON) became the live one of its model. ``spec`` is its hash."""

    model: str
    spec: str
    specification: str


@dataclass(frozen=True, slots=True)
class ReferenceBuilt:
    """Baselines of a model (canonical JSON) for the bin edges of ``spec``. ``reference`` is its hash."""

    model: str
    spec: str
    reference: str
    baselines: str


@dataclass(frozen=True, slots=True)
class SchemaRegistered:
    """A writer's schema (canonical JSON), under its CRC-64-AVRO fingerprint (16 hex digits)."""

    fingerprint: str
    schema: str
    model: str
    spec: str


@dataclass(frozen=True, slots=True)
class CommandGiven:
    """A person's word: retrain, approve, reject, silence, rollback; with who and why."""

    model: str
    command: str
    author: str
    reason: str
    as_of: float
    arguments: dict[str, str] = field(default_factory=dict)
