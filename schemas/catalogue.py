"""What the compacted topics say, folded: the live specification and baselines of each model, and every schema.

``absorb`` takes the records of monitors, references and schemas in any order; by offset the latest wins. A record
that cannot be read is kept in ``faults`` and changes nothing: one bad record must not hide a model. Who must know of
silences has it take the commands too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from driftloop.schemas.baseline.reference import Baselines
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.codec import decode
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import CommandGiven, MonitorApplied, ReferenceBuilt, SchemaRegistered
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.silences import COMMAND, Order, order_of
from driftloop.schemas.wire import Framing

TOPICS = ("monitors", "references", "schemas")
"""The short names of the topics it is made from, for everybody; commands are beside them."""
FAULTS_KEPT_MOST = 1_000


class Catalogue:
    """Read with one thread. ``schema_of_id``: a registry's schemas, where one is configured."""

    def __init__(self, schema_of_id: Callable[[int], Mapping[str, Any] | None] | None = None) -> None:
        self.faults: list[tuple[str, int, str]] = []
        """(topic, offset, why) of records that could not be read."""
        self._schema_of_id = schema_of_id
        self._framing = Framing(schema_of_id)
        self._live: dict[str, tuple[int, MonitorSpecification]] = {}
        self._references: dict[str, tuple[int, str, Baselines]] = {}
        self._by_hash: dict[tuple[str, str], MonitorSpecification] = {}
        self._baselines_by_hash: dict[tuple[str, str], Baselines] = {}
        self._schemas: dict[bytes, Mapping[str, Any]] = {}
        self._layouts: Layouts | None = None
        self._orders: dict[str, dict[int, Order]] = {}

    def absorb(self, short_topic: str, offset: int, key: bytes | None, value: bytes | None) -> None:
        """Take one record in; ``short_topic`` is one of TOPICS, or commands. One without value is nothing to us."""
        if value is None:
            return
        try:
            event = decode(value, self._framing)
            if isinstance(event, MonitorApplied):
                self._monitor(offset, event)
            elif isinstance(event, ReferenceBuilt):
                self._reference(offset, event)
            elif isinstance(event, SchemaRegistered):
                self._schema(event)
            elif isinstance(event, CommandGiven):
                if event.command == COMMAND:
                    self._orders.setdefault(event.model, {})[offset] = order_of(offset, event)
            else:
                raise BadRecord("unknown-schema", f"a {type(event).__name__} does not belong here")
        except BadRecord as fault:
            self.faults.append((short_topic, offset, f"{key!r}: {fault}"))
            del self.faults[:-FAULTS_KEPT_MOST]

    def models(self) -> list[str]:
        """The models that are monitored, sorted."""
        return sorted(self._live)

    def specification(self, model: str, spec: str | None = None) -> MonitorSpecification | None:
        """The live specification of a model, or the one with this hash."""
        if spec is not None:
            return self._by_hash.get((model, spec))
        return self._live[model][1] if model in self._live else None

    def baselines(self, model: str) -> tuple[str, Baselines] | None:
        """(hash, baselines) of the model's reference, if it belongs to the bins of the live specification."""
        if model not in self._references or model not in self._live:
            return None
        _, reference, found = self._references[model]
        return (reference, found) if found.bins_fit(self._live[model][1]) else None

    def baselines_of(self, model: str, reference: str) -> Baselines | None:
        """The baselines with this hash."""
        return self._baselines_by_hash.get((model, reference))

    def orders(self, model: str) -> list[Order]:
        """What people have said of silences of the model, in their order; nothing, if no commands were taken in."""
        return list(self._orders.get(model, {}).values())

    def retime(self, model: str, as_of: Mapping[int, float]) -> None:
        """Orders (by offset) count from another time: from that at which they are known to have counted."""
        orders = self._orders.get(model, {})
        orders.update({at: orders[at]._replace(as_of=time) for at, time in as_of.items() if at in orders})

    @property
    def layouts(self) -> Layouts:
        """How predictions of the live specifications are read. A new object only when something has changed."""
        if self._layouts is None:
            live = {model: spec for model, (_, spec) in self._live.items()}
            self._layouts = Layouts(live, self._schemas, self._schema_of_id)
        return self._layouts

    def _monitor(self, offset: int, event: MonitorApplied) -> None:
        spec = MonitorSpecification.from_json(event.specification)
        if spec.model != event.model or spec.spec != event.spec:
            hint = "apply the monitor file again"
            raise BadRecord("bad-specification", f"{event.model}/{event.spec} does not fit its content", hint)
        self._by_hash[spec.model, spec.spec] = spec
        if offset >= self._live.get(spec.model, (-1,))[0]:
            self._live[spec.model] = (offset, spec)
            self._layouts = None

    def _reference(self, offset: int, event: ReferenceBuilt) -> None:
        found = Baselines.from_json(event.baselines)
        if found.model != event.model or found.reference != event.reference:
            hint = "build the reference again"
            raise BadRecord("bad-reference", f"{event.model}/{event.reference} does not fit its content", hint)
        self._baselines_by_hash[found.model, found.reference] = found
        if offset >= self._references.get(found.model, (-1,))[0]:
            self._references[found.model] = (offset, found.reference, found)

    def _schema(self, event: SchemaRegistered) -> None:
        try:
            definition = json.loads(event.schema)
            fingerprint = bytes.fromhex(event.fingerprint)
        except ValueError as error:
            raise BadRecord("bad-schema", f"schema {event.fingerprint!r} is no JSON: {error}") from None
        if not isinstance(definition, dict):
            raise BadRecord("bad-schema", f"schema {event.fingerprint} is no record")
        self._schemas[fingerprint] = definition
        self._layouts = None
