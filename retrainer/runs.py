"""One training run: its id, what it is told, what it tells, and the decisions that follow from its end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from driftloop.schemas.codec import canonical_json
from driftloop.schemas.events import DatasetVersion, DecisionRecorded, OffsetRange
from driftloop.schemas.headers import event_id
from driftloop.schemas.settings import Settings

LOG_CHARACTERS_MOST = 4_000
"""Of the log of a failed run in its decision; all of it lies in the state folder."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All a run depends on, beside the deployment's settings.

    ``started``: its decision. ``specification``: canonical JSON. ``ends``: where the logs ended when it first
    started, so that a repeat reads the same records. Result and log go to ``folder``.
    """

    started: DecisionRecorded
    specification: str
    ends: tuple[OffsetRange, ...]
    folder: str


@dataclass(frozen=True, slots=True)
class Artefact:
    """A stored model, and the libraries it was made with."""

    uri: str
    sha256: str
    size_bytes: int
    libraries: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunEnded:
    """How a run ended.

    ``failure`` is empty unless it broke (``log``: its last words). Without a failure and without a dataset the data
    did not suffice. ``accepted``: the gate's word, ``reason`` why; ``figures`` and ``thresholds`` it was found on.
    ``labelled``: joined rows known as of then, before sampling. ``artefact`` where accepted.
    """

    model: str
    run: str
    failure: str = ""
    log: str = ""
    labelled: int = 0
    dataset: DatasetVersion | None = None
    accepted: bool = False
    reason: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    artefact: Artefact | None = None


def run_id(model: str, as_of: float, trigger: str, runs_before: int) -> str:
    """16 hex digits; the same cause is the same run. The count tells two orders as of one time apart."""
    return event_id("run", model, as_of, trigger, runs_before)[:16]


def ending_decisions(started: DecisionRecorded, ended: RunEnded) -> list[DecisionRecorded]:
    """What is recorded when a run has ended: trained, gated, and published or rejected; or failed alone."""
    if ended.failure:
        return [_decision(started, "failed", False, ended.failure, details={"log": ended.log[-LOG_CHARACTERS_MOST:]})]
    if ended.dataset is None:
        return [_decision(started, "rejected", False, ended.reason, inputs={"labelled": float(ended.labelled)})]
    known = started.inputs.get("labelled", float(ended.labelled))
    trained = _decision(
        started,
        "trained",
        True,
        f"{ended.dataset.rows} of {ended.labelled} labelled rows",
        inputs={"labelled": known, "rows": float(ended.dataset.rows)},
        dataset=ended.dataset,
    )
    gated = _decision(
        started, "gated", ended.accepted, ended.reason, inputs=ended.figures, thresholds=ended.thresholds
    )
    return [trained, gated, _verdict(started, ended)]


def _verdict(started: DecisionRecorded, ended: RunEnded) -> DecisionRecorded:
    if not ended.accepted or ended.artefact is None:
        return _decision(started, "rejected", False, ended.reason)
    artefact = {"uri": ended.artefact.uri, "sha256": ended.artefact.sha256}
    return _decision(started, "published", True, f"{started.version} is in the store", details=artefact)


def _decision(started: DecisionRecorded, kind: str, accepted: bool, reason: str, **more: Any) -> DecisionRecorded:
    return DecisionRecorded(
        model=started.model,
        kind=kind,
        as_of=started.as_of,
        run=started.run,
        trigger=started.trigger,
        accepted=accepted,
        reason=reason,
        version=started.version,
        **more,
    )


def order_to_json(plan: Plan, settings: Settings) -> str:
    """Plan and deployment in one line, for a child's stdin: a password is in it, so it never touches a disk."""
    return json.dumps({"plan": asdict(plan), "settings": asdict(settings)}, default=str)


def order_from_json(text: str) -> tuple[Plan, Settings]:
    found = json.loads(text)
    plan, settings = found["plan"], found["settings"]
    started = plan["started"] | {"dataset": _dataset(plan["started"]["dataset"])}
    for name in ("state_folder", "artefacts_folder", "signing_key"):
        settings[name] = Path(settings[name]) if settings[name] else None
    for name in ("trusted_keys", "detectors"):
        settings[name] = tuple(settings[name])
    return (
        Plan(DecisionRecorded(**started), plan["specification"], _ranges(plan["ends"]), plan["folder"]),
        Settings(**settings),
    )


def ends_to_bytes(ends: Sequence[OffsetRange]) -> bytes:
    """For a header: offset ranges as canonical JSON."""
    return canonical_json([asdict(one) for one in ends]).encode()


def ends_from_bytes(data: bytes) -> tuple[OffsetRange, ...]:
    return _ranges(json.loads(data))


def ended_to_json(ended: RunEnded) -> str:
    return json.dumps(asdict(ended))


def ended_from_json(text: str) -> RunEnded:
    found = json.loads(text)
    artefact = Artefact(**found["artefact"]) if found["artefact"] else None
    return RunEnded(**found | {"dataset": _dataset(found["dataset"]), "artefact": artefact})


def _dataset(found: dict[str, Any] | None) -> DatasetVersion | None:
    return DatasetVersion(**found | {"offsets": _ranges(found["offsets"])}) if found else None


def _ranges(found: list[dict[str, Any]]) -> tuple[OffsetRange, ...]:
    return tuple(OffsetRange(**one) for one in found)
