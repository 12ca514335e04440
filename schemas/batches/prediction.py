"""A prediction's wire form, generated from the model's specification: fixed-width fields first, then the tail.

    event_time double | score double | one double a numeric feature | float32 of embeddings (vectors.py)
    | model, version, role, predicted, categories

A multiclass model has one score a class in place of ``score`` (outcome.py names them).

Any Avro client can write and read it; columns.py reads the first part of a whole batch with one ``np.frombuffer``.
The schema depends on the features' names and kinds alone, never on bins, so that edges can change without the apps.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from driftloop.schemas.batches.vectors import vector_bytes, vector_field
from driftloop.schemas.codec import PLAIN
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.outcome import check_scores
from driftloop.schemas.wire import Framing, Schema, parse, write_body

NAMESPACE = "driftloop.predictions"
ROLES = ("champion", "challenger", "history")
_TAILS_KEPT_MOST = 4_096


@dataclass(frozen=True)
class PredictionLayout:
    """How predictions of one model are written now.

    ``dtype`` describes the ``prefix_bytes`` bytes behind the framing: event_time, scores, the numeric features in the
    order of the specification. ``tail`` is the schema of what follows.
    """

    spec: MonitorSpecification
    record: Schema
    tail: Schema
    _tails: dict[tuple[Any, ...], bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def model(self) -> str:
        """The model whose predictions these are."""
        return self.spec.model

    @property
    def schema(self) -> dict[str, Any]:
        """The Avro schema as plain JSON."""
        return self.record.definition

    @property
    def fingerprint(self) -> bytes:
        """CRC-64-AVRO, eight bytes as sent."""
        return self.record.fingerprint

    @cached_property
    def dtype(self) -> np.dtype[np.void]:
        """One row of the fixed part."""
        names = ("event_time", *self.spec.score_fields, *(f.field for f in self.spec.numeric))
        doubles = [(name, "<f8") for name in names]
        return np.dtype([*doubles, *((f.field, "<f4", (f.width,)) for f in self.spec.embeddings)])

    @property
    def prefix_bytes(self) -> int:
        """Bytes of the fixed part, framing not counted."""
        return int(self.dtype.itemsize)

    @cached_property
    def pack(self) -> Any:
        """Packs the doubles of the fixed part: event_time, scores, numeric features."""
        return struct.Struct(f"<{1 + len(self.spec.score_fields) + len(self.spec.numeric)}d").pack


def record_name(model: str) -> str:
    """Avro name of a model's predictions. Where the model's id is no Avro name, a hash keeps two of them apart.

    >>> record_name("loans"), record_name("loans-eu")
    ('loans', 'loans_eu_8673d4')
    """
    clean = re.sub(r"[^A-Za-z0-9_]", "_", model)
    clean = clean if not clean[:1].isdigit() else f"_{clean}"
    return clean if clean == model else f"{clean}_{hashlib.sha256(model.encode()).hexdigest()[:6]}"


def layout(spec: MonitorSpecification) -> PredictionLayout:
    """The layout of a model's predictions; same features, same fingerprint."""
    text = ["null", "string"]
    fixed = [
        _field("event_time", "double", "When it was predicted: seconds since 1970-01-01T00:00Z, event time."),
        *_scores(spec),
        # The default only satisfies the compatibility checker (an Avro default cannot be NaN): our reader fills NaN.
        *(
            _field(f.field, "double", f"Feature {f.name!r}, numeric; NaN: missing.", default=0.0)
            for f in spec.numeric
        ),
        *map(vector_field, spec.embeddings),
    ]
    tail = [
        _field("model", "string", "Model id."),
        _field("model_version", "string", "Version of the model that predicted."),
        _field("role", "string", "champion, challenger or history.", default="champion"),
        _field("predicted", text, _decision(spec), default=None),
        *(
            _field(f.field, text, f"Feature {f.name!r}, a category; null: missing.", default=None)
            for f in spec.categorical
        ),
    ]
    name = {"type": "record", "name": record_name(spec.model), "namespace": NAMESPACE}
    doc = f"One prediction of model {spec.model!r}. The record's key is the prediction id."
    return PredictionLayout(spec, parse(name | {"doc": doc, "fields": fixed + tail}), parse(name | {"fields": tail}))


def _scores(spec: MonitorSpecification) -> list[dict[str, Any]]:
    """The score, or one a class: that of a class which the writer does not know yet is 0."""
    if spec.task == "multiclass":
        named = zip(spec.score_fields, spec.classes, strict=True)
        return [_field(f, "double", f"Probability of {name!r}, 0 to 1.", default=0.0) for f, name in named]
    if spec.task == "regression":
        return [_field("score", "double", "The number predicted, in the unit of the label.")]
    return [_field("score", "double", f"Probability of {spec.classes[1]!r}, 0 to 1.")]


def _decision(spec: MonitorSpecification) -> str:
    if spec.task == "regression":
        return "Not used: the number predicted is the score."
    return f"The decision taken, one of {list(spec.classes)}; null: not told."


def _field(name: str, kind: Any, doc: str, **default: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **default, "doc": doc}


def encode_prediction(
    layout: PredictionLayout,
    event_time: float,
    score: float | Sequence[float],
    features: Mapping[str, Any],
    version: str,
    role: str = "champion",
    predicted: str | None = None,
    framing: Framing = PLAIN,
) -> bytes:
    """One prediction as bytes, some 2 µs for ten features. ``features`` by name; None, NaN or left out: missing.
    ``score``: of a multiclass model one a class, in their order.

    Errors: BadRecord ``event-time-not-a-number``, ``score-not-a-probability``, ``unknown-role``, ``unknown-feature``,
    ``wrong-type``, ``wrong-width``, ``vector-not-finite``: what the observer would have to refuse is refused here.
    """
    spec = layout.spec
    numbers = [features.get(f.name) for f in spec.numeric]
    categories = [features.get(f.name) for f in spec.categorical]
    if len(features) != len(spec.features) or None in numbers or None in categories:
        numbers = _with_gaps(spec, features, numbers)
    scores = score if spec.task == "multiclass" else (score,)
    try:
        fixed: bytes = layout.pack(event_time, *scores, *numbers)  # type: ignore[misc]
    except (struct.error, TypeError, OverflowError):
        raise _not_a_number(spec, event_time, score, numbers) from None
    if not math.isfinite(event_time):
        raise BadRecord("event-time-not-a-number", f"event_time is {event_time!r}", "seconds since the epoch")
    if spec.task != "binary":
        check_scores(spec.task, spec.classes, score)
    elif not 0.0 <= score <= 1.0:  # type: ignore[operator]
        raise BadRecord("score-not-a-probability", f"score is {score!r}", f"the probability of {spec.classes[1]!r}")
    for f in spec.embeddings:
        fixed += vector_bytes(f, features.get(f.name))
    return framing.header(layout.record) + fixed + _tail(layout, (version, role, predicted, *categories))


def _with_gaps(spec: MonitorSpecification, features: Mapping[str, Any], numbers: list[Any]) -> list[Any]:
    known = {f.name for f in spec.features}
    for name in features:
        if name not in known:
            hint = f"the monitor of {spec.model} has {', '.join(sorted(known))}"
            raise BadRecord("unknown-feature", f"{name!r} is no feature of {spec.model}", hint)
    return [math.nan if value is None else value for value in numbers]


def _not_a_number(spec: MonitorSpecification, event_time: Any, score: Any, numbers: list[Any]) -> BadRecord:
    many = spec.task == "multiclass"
    if many and (not isinstance(score, Sequence) or len(score) != len(spec.classes)):
        return BadRecord("wrong-type", f"score is {score!r}", f"one probability a class: {', '.join(spec.classes)}")
    names = ["event_time", *spec.score_fields, *(f.name for f in spec.numeric)]
    for name, value in zip(names, [event_time, *(score if many else [score]), *numbers], strict=True):
        try:
            struct.pack("<d", value)
        except (struct.error, TypeError, OverflowError):
            return BadRecord("wrong-type", f"{name} is {value!r}, not a number", "a float; None or NaN where missing")
    raise AssertionError("every value can be packed alone")


def _tail(layout: PredictionLayout, tail: tuple[Any, ...]) -> bytes:
    """The variable part; kept, for most predictions share theirs with many others."""
    try:
        found = layout._tails.get(tail)
    except TypeError:  # a list, say, where a category is expected
        found = None
    if found is None:
        found = _encode_tail(layout, tail)
        if len(layout._tails) >= _TAILS_KEPT_MOST:
            layout._tails.clear()
        layout._tails[tail] = found
    return found


def _encode_tail(layout: PredictionLayout, tail: tuple[Any, ...]) -> bytes:
    version, role, predicted, *categories = tail
    spec = layout.spec
    if role not in ROLES:
        raise BadRecord("unknown-role", f"role is {role!r}", f"one of {', '.join(ROLES)}")
    if not isinstance(version, str) or not version:
        hint = 'version="v1" in the call, or once for all calls: Producer(model, version="v1")'
        raise BadRecord("wrong-type", f"version is {version!r}, not the name of a version", hint)
    record = {"model": spec.model, "model_version": version, "role": role, "predicted": predicted}
    record |= {f.field: value for f, value in zip(spec.categorical, categories, strict=True)}
    for name, value in record.items():
        if value is not None and not isinstance(value, str):
            raise BadRecord("wrong-type", f"{name} is {value!r}, not a text", "a category is a text; None if missing")
    return write_body(layout.tail, record)
