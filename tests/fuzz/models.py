"""What the fuzzed topics may hold when nothing is wrong: three models, both framings, foreign writers' schemas."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from typing import Any

from driftloop.schemas.batches.prediction import ROLES, encode_prediction, layout
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import encode, schema_of
from driftloop.schemas.events import GroundTruth, MonitorApplied, SchemaRegistered, TimeMarker
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.schemas.wire import CONFLUENT, SINGLE_OBJECT, Schema, parse, write_body

HOUR = 3_600.0


def monitor(model: str, numeric: int, categorical: int, horizon_hours: float) -> MonitorSpecification:
    features = [Feature(f"n{i}", f"f_n{i}", "numeric", edges=(-1.0, 0.0, 1.0)) for i in range(numeric)]
    names = ("a", "b", "é")
    features += [Feature(f"c{i}", f"f_c{i}", "categorical", categories=names) for i in range(categorical)]
    return MonitorSpecification(model, "binary", ("no", "yes"), tuple(features), horizon_hours * HOUR)


SPECIFICATIONS = {
    s.model: s for s in (monitor("loans", 10, 2, 60), monitor("clicks", 0, 1, 48), monitor("w-é", 150, 3, 72))
}


def _definition(name: str, namespace: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": namespace, "fields": fields}


def _slow_schema() -> dict[str, Any]:
    """Predictions of loans as a foreign client has them: another order, and all that Avro can do."""
    own = layout(SPECIFICATIONS["loans"]).schema["fields"]
    fields = [f | ({"type": ["null", "double"], "default": None} if f["name"] == "f_n1" else {}) for f in own]
    inner = _definition("Inner", "x", [{"name": f"u{i}", "type": ["null", "long"]} for i in range(4)])
    more: list[dict[str, Any]] = [
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "more", "type": {"type": "map", "values": {"type": "array", "items": "long"}}},
        {"name": "nested", "type": {"type": "array", "items": inner}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
        {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 4}},
        {"name": "raw", "type": "bytes"},
        {"name": "flag", "type": "boolean"},
        {"name": "small", "type": "float"},
    ]
    return _definition("loans", "driftloop.predictions", [*more, *reversed(fields)])


SLOW = parse(_slow_schema())
STRANGER = parse(_definition("strangers", "driftloop.predictions", [{"name": "event_time", "type": "double"}]))
FOREIGN = parse(_definition("Foreign", "x", [{"name": "a", "type": {"type": "array", "items": "long"}}]))
REGISTERED = (SLOW, STRANGER, FOREIGN)
"""On the schemas topic beside those that monitors bring."""
TRUTH, MARKER = schema_of(GroundTruth), schema_of(TimeMarker)
LAYOUTS = {model: layout(spec) for model, spec in SPECIFICATIONS.items()}
IDS: dict[int, Mapping[str, Any]] = dict(
    enumerate([s.definition for s in (*(w.record for w in LAYOUTS.values()), *REGISTERED, TRUTH, MARKER)], 1)
)
"""What a schema registry knows."""


def events_of_catalogue() -> list[tuple[str, str, MonitorApplied | SchemaRegistered]]:
    """(short topic, key, event) that make all this known."""
    found: list[tuple[str, str, MonitorApplied | SchemaRegistered]] = []
    for spec in SPECIFICATIONS.values():
        found.append(("monitors", spec.model, MonitorApplied(spec.model, spec.spec, spec.to_json())))
    for schema in REGISTERED:
        name = schema.fingerprint.hex()
        found.append(("schemas", name, SchemaRegistered(name, json.dumps(schema.definition), schema.name, "")))
    return found


def catalogue(registry: bool) -> Catalogue:
    """The same, absorbed. ``registry``: the ids are known too."""
    made = Catalogue(IDS.get if registry else None)
    for offset, (short, key, event) in enumerate(events_of_catalogue()):
        made.absorb(short, offset, key.encode(), encode(event))
    assert not made.faults
    return made


def headers_known(registry: bool) -> dict[bytes, dict[str, Any]]:
    """Writer's schema by framing, worked out here once more."""
    every = [w.record for w in LAYOUTS.values()] + [*REGISTERED]
    found = {SINGLE_OBJECT + s.fingerprint: s.definition for s in every}
    if registry:
        found |= {CONFLUENT + number.to_bytes(4, "big"): dict(d) for number, d in IDS.items()}
    return found


class Valid:
    """Seeded records that everybody can read. ``now``: the latest event time."""

    def __init__(self, rng: random.Random, now: float, pool: int = 1_500) -> None:
        self._rng, self._now = rng, now
        self.predictions = [self._prediction() for _ in range(pool)]
        self.truths = [self._truth() for _ in range(pool)]

    def _time(self) -> float:
        return self._now - self._rng.random() * 36 * HOUR

    def _framed(self, schema: Schema, data: bytes) -> bytes:
        if self._rng.random() < 0.7:
            return data
        number = next(n for n, d in IDS.items() if d == schema.definition)
        return CONFLUENT + number.to_bytes(4, "big") + data[10:]

    def _prediction(self) -> bytes:
        rng = self._rng
        kind = rng.random()
        if kind < 0.02:
            return self._framed(MARKER, encode(TimeMarker(self._time(), "app")))
        if kind < 0.15:
            return self._framed(SLOW, SINGLE_OBJECT + SLOW.fingerprint + write_body(SLOW, self._slow()))
        spec = rng.choice((*SPECIFICATIONS.values(), SPECIFICATIONS["loans"]))
        features: dict[str, Any] = {f.name: rng.gauss(0, 1) for f in spec.numeric}
        features |= {f.name: rng.choice(("a", "b", "é", "new", "", None)) for f in spec.categorical}
        data = encode_prediction(
            LAYOUTS[spec.model],
            self._time(),
            rng.choice((rng.random(), 0.0, 1.0)),
            features,
            rng.choice(("v1", "v2")),
            rng.choice(ROLES),
            rng.choice((None, "no", "yes")),
        )
        return self._framed(LAYOUTS[spec.model].record, data)

    def _slow(self) -> dict[str, Any]:
        rng = self._rng
        record: dict[str, Any] = {f["name"]: rng.gauss(0, 1) for f in LAYOUTS["loans"].schema["fields"]}
        record |= {"event_time": self._time(), "score": rng.random(), "model": "loans", "model_version": "v1"}
        record |= {"role": "champion", "predicted": None, "f_c0": "a", "f_c1": None, "f_n1": rng.choice((None, 0.5))}
        record |= {"tags": ["x", "yé"], "more": {"k": [1, -1]}, "nested": [{f"u{i}": i or None for i in range(4)}]}
        return record | {"kind": "B", "hash": b"1234", "raw": b"\x00\xff", "flag": True, "small": 0.5}

    def _truth(self) -> bytes:
        rng = self._rng
        if rng.random() < 0.02:
            return self._framed(MARKER, encode(TimeMarker(self._time(), "app")))
        label = rng.choice(("no", "yes", "yes", 1, 0, True, 1.0, None, "?"))
        model = rng.choice(tuple(SPECIFICATIONS))
        value = rng.choice((None, rng.random()))
        return self._framed(TRUTH, encode(GroundTruth(self._time(), model, label, value)))

    def key(self) -> bytes:
        """Of a prediction and its truth."""
        return hashlib.md5(str(self._rng.randrange(200_000)).encode()).hexdigest()[:16].encode()
