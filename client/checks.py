"""What the SDK refuses in the call, because the observer would have to refuse it later: same slugs, said at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from driftloop.schemas.batches.batch import EARLIEST_EVENT_TIME, FUTURE_SECONDS_MOST
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import Label
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.outcome import truth_code

KEY_BYTES_MOST = 512


def wrong_time(event_time: Any, now_seconds: float) -> BadRecord:
    """What is wrong with an event time outside EARLIEST_EVENT_TIME .. now + FUTURE_SECONDS_MOST."""
    hint = "event_time is in seconds since 1970-01-01 UTC, as time.time() gives it"
    try:
        moment = float(event_time)
    except (TypeError, ValueError):
        moment = float("nan")
    if moment < EARLIEST_EVENT_TIME:
        return BadRecord("event-time-before-2000", f"event_time {event_time!r} is before the year 2000", hint)
    if moment > now_seconds + FUTURE_SECONDS_MOST:
        ahead = f"{moment - now_seconds:,.0f} s ahead of this machine's clock"
        return BadRecord("event-time-in-the-future", f"event_time {event_time!r} is {ahead}", hint)
    return BadRecord("event-time-not-a-number", f"event_time is {event_time!r}", hint)


def wrong_names(spec: MonitorSpecification, features: Mapping[str, Any]) -> BadRecord | None:
    """Which feature is missing from the call or unknown to the monitor; None where the names are right."""
    known = [f.name for f in spec.features]
    for name in features:
        if name not in known:
            return BadRecord(
                "unknown-feature",
                f"{name!r} is no feature of {spec.model}",
                f"its monitor has {', '.join(known)}; `driftloop monitor apply` publishes a new one",
            )
    absent = [name for name in known if name not in features]
    if not absent:
        return None
    return BadRecord(
        "missing-feature",
        f"the prediction of {spec.model} lacks {', '.join(map(repr, absent))}",
        "pass None where a value is missing: a feature left out by mistake must not look like missing data",
    )


def check_label(spec: MonitorSpecification, label: Label) -> None:
    """BadRecord ``unknown-label`` unless the label names a class, or is a number where the model predicts one."""
    if truth_code(label, spec.task, spec.classes) >= 0:
        return
    if spec.task == "regression":
        raise BadRecord(
            "unknown-label", f"{label!r} is no label of {spec.model}", "a finite number, as the model predicts one"
        )
    raise BadRecord(
        "unknown-label",
        f"{label!r} is no class of {spec.model}",
        f"one of {', '.join(map(repr, spec.classes))}, as its monitor lists them",
    )


def scores_of(
    spec: MonitorSpecification, score: float | None, scores: Mapping[str, float] | None
) -> float | list[float]:
    """What the model said, as it goes onto the wire: its score, or one a class in the order of the monitor.

    BadRecord ``wrong-type``: the other way of saying it, ``unknown-label``, ``missing-score``: names of classes.
    """
    if spec.task != "multiclass":
        if score is None or scores is not None:
            raise BadRecord("wrong-type", f"{spec.model} is a {spec.task} model: it has one score", _SAY[spec.task])
        return score
    if scores is None or score is not None:
        raise BadRecord("wrong-type", f"{spec.model} is a multiclass model: it has a score a class", _example(spec))
    if not isinstance(scores, Mapping):
        raise BadRecord("wrong-type", f"scores are {scores!r}, not probabilities by class", _example(spec))
    found = [scores.get(name) for name in spec.classes]
    if len(scores) != len(found) or None in found:
        raise _wrong_classes(spec, scores)
    return found  # type: ignore[return-value]  # no None is among them


_SAY = {
    "binary": "score=0.31, the probability of the second class",
    "regression": "score=12.5, the number it predicts",
}


def _example(spec: MonitorSpecification) -> str:
    return f"scores={{{spec.classes[0]!r}: 0.7, {spec.classes[1]!r}: ...}}, every class, together 1"


def _wrong_classes(spec: MonitorSpecification, scores: Mapping[str, Any]) -> BadRecord:
    for name in scores:
        if name not in spec.classes:
            known = ", ".join(map(repr, spec.classes))
            return BadRecord("unknown-label", f"{name!r} is no class of {spec.model}", f"its monitor lists {known}")
    absent = [name for name in spec.classes if scores.get(name) is None]
    told = ", ".join(map(repr, absent))
    return BadRecord("missing-score", f"the prediction of {spec.model} lacks the score of {told}", _example(spec))


def check_predicted(spec: MonitorSpecification, predicted: Any) -> None:
    """BadRecord ``unknown-label`` unless the decision taken is the text of a class."""
    if spec.task == "regression":
        hint = "leave predicted out: the score is what it predicts"
        raise BadRecord("unknown-label", f"predicted={predicted!r}, but {spec.model} decides on no class", hint)
    if predicted not in spec.classes:
        raise BadRecord(
            "unknown-label",
            f"predicted={predicted!r} is no class of {spec.model}",
            f"one of {', '.join(map(repr, spec.classes))}, or None where no decision was taken",
        )


def key_of(prediction_id: str) -> bytes:
    """The record's key. BadRecord ``bad-key`` unless it is a text of 1 to 512 bytes."""
    if isinstance(prediction_id, str) and 0 < len(key := prediction_id.encode()) <= KEY_BYTES_MOST:
        return key
    raise BadRecord(
        "bad-key",
        f"prediction id {str(prediction_id)[:80]!r} is not a text of 1 to {KEY_BYTES_MOST} bytes",
        "leave it out to have one made, or pass your own request id",
    )
