"""The judge of one partition of panes: records in; windows, drift and incidents out; pure.

    pane      waits, in the books of its model, for its instant
    progress  moves the frontier; every instant at or before it is worked off, in the order (instant, model)

A record that cannot be used goes to the dead-letter topic with its reason.
"""

from __future__ import annotations

import heapq
import json
import math
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress

from driftloop.schemas import codec
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.deadletter import dead_letter
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.events import Pane, Progress
from driftloop.streams.fold import Changes, FoldContext, Output, SourceRecords
from driftloop.streams.judge.inspection import inspect_pane, inspect_progress
from driftloop.streams.judge.merge import Frontier, Sight
from driftloop.streams.judge.model import ModelJudge
from driftloop.streams.judge.reference import CatalogueLookup
from driftloop.streams.judge.state import Records, Store, by_model, key
from driftloop.streams.judge.telling import SERVICE, Event, output

_CLOCK = struct.Struct("<qqqq")
"""In front of a sight's Progress, Kafka's milliseconds: when its predictions and truths last moved; as of then, the
latest Progress of any partition, and the first behind the last pause of all."""


class JudgeFold:
    """Implements PartitionFold (streams/fold.py)."""

    def __init__(self, partition: int, state: Mapping[bytes, bytes], context: FoldContext) -> None:
        self.partition = partition
        self.context = context
        self.lookup = CatalogueLookup(context.catalogue, context.refresh)
        self.store = Store()
        self.frontier = Frontier()
        self.models: dict[str, ModelJudge] = {}
        self._told: list[Event | Output] = []
        """Events become records when they are collected; dead letters are records."""
        self._stepped: set[str] = set()
        self._restore(by_model(state))

    @property
    def pending_bytes(self) -> int:
        """Not counted: what the judge writes is small beside what it reads."""
        return 0

    @property
    def due(self) -> bool:
        """Somebody may be waiting for what was told."""
        return bool(self._told)

    def absorb(self, records: SourceRecords) -> None:
        self.lookup.new_batch()
        for i, value in enumerate(records.values):
            try:
                self._take(decode(value), value, records.timestamps_ms[i])
            except BadRecord as error:
                self._told.append(self._dead(records, i, error))
        self._advance()

    def collect(self) -> Changes:
        for name in sorted(self._stepped):
            self.models[name].save()
        self._stepped.clear()
        told, self._told = self._told, []
        outputs = [one if isinstance(one, Output) else output(self.context.topic, one) for one in told]
        return Changes(self.store.take(), outputs)

    def replay(self, events: Iterable[Pane | Progress]) -> list[Event]:
        """``absorb`` and ``collect`` of a replay, in whose process the observer is: what its records would hold, in
        their order; what is told of them. No bytes are made of either, nor of a state that nobody goes on from.

        Kafka's time stands still: silence is never proved (merge.py).
        """
        self.lookup.new_batch()
        self.store.forget()
        for event in events:
            with suppress(BadRecord):  # a dead letter of ours is no word on the model
                self._take(event, None, 0)
        self._advance()
        self._stepped.clear()
        told, self._told = self._told, []
        return [one for one in told if not isinstance(one, Output)]

    def _take(self, event: codec.Event, value: bytes | None, timestamp_ms: int) -> None:
        """``value``: the event's bytes, None in a replay."""
        if value is not None:
            self._inspect(event)
        if isinstance(event, Progress):
            frontier, floors = self.frontier, dict(self.frontier.floors)
            frontier.absorb(event, timestamp_ms, self.models)
            if frontier.floors != floors:
                self._put_frontier()
            clock = (*frontier.sights[event.partition].moved_ms, frontier.latest_ms, frontier.resumed_ms)
            self.store.put(key("sight", event.partition), lambda: _CLOCK.pack(*clock) + encode(event))
        elif isinstance(event, Pane):
            model = self._model(event.model)
            if event.model in self.frontier.newcomers:
                self._comes(model, event.spec)
            model.wait(event, event if value is None else value, self.frontier.due(event))
        else:
            raise BadRecord("unknown-schema", f"a {type(event).__name__} does not belong on the panes topic")

    def _inspect(self, event: codec.Event) -> None:
        if isinstance(event, Progress):
            inspect_progress(event, self.context.partitions)
        elif isinstance(event, Pane):
            inspect_pane(event, self.context.partitions)

    def _model(self, model: str) -> ModelJudge:
        found = self.models.get(model)
        if found is None:
            found = self.models[model] = ModelJudge(model, self.lookup, self.store, self.context.detectors)
            self.frontier.comes(model, 0.0)
        return found

    def _comes(self, model: ModelJudge, spec: str) -> None:
        """A pane of a newcomer has come; one whose specification nobody knows is refused elsewhere."""
        with suppress(BadRecord):
            self.frontier.comes(model.model, model.editions[spec].specification.disorder_seconds)

    def _advance(self) -> None:
        """Work off every instant up to the frontier of its model."""
        reached, idle = self.frontier.reached(self._patience())
        if reached <= self.frontier.done:
            return
        left_out = self.frontier.left_out(idle)
        until = {name: reached - self.frontier.disorder_of(name) for name in self.models}
        instants = [(model.next_instant(), name) for name, model in self.models.items()]
        instants = [(at, name) for at, name in instants if at <= until[name]]
        heapq.heapify(instants)
        while instants:
            now, name = instants[0]
            model = self.models[name]
            self._told.extend(model.step(now, left_out))
            self._stepped.add(name)
            self.frontier.has_begun(name)
            if (following := model.next_instant()) <= until[name]:
                heapq.heapreplace(instants, (following, name))
            else:
                heapq.heappop(instants)
        self.frontier.advance(reached)
        self._put_frontier()

    def _put_frontier(self) -> None:
        self.store.put_json(key("frontier"), self.frontier.to_json)

    def _patience(self) -> float:
        """Of the models here, the one that waits longest for a silent partition decides for all of them."""
        waits = [self.context.catalogue.specification(name) for name in self.models]
        return max((s.idle_after_seconds for s in waits if s is not None), default=math.inf)

    def _dead(self, records: SourceRecords, i: int, error: BadRecord) -> Output:
        key_, value, headers = dead_letter(
            records.topic,
            records.partition,
            records.offsets[i],
            records.keys[i],
            records.values[i],
            records.headers[i],
            records.timestamps_ms[i],
            error.reason,
            error.message,
            SERVICE,
        )
        return Output(self.context.topic("dead-letter"), key_, value, None, headers)

    def _restore(self, records: Mapping[str, Records]) -> None:
        own = records.get("", {})
        for record in own.get("frontier", []):
            told = json.loads(record.value)
            if "done" in told:  # of the time before models had frontiers: the one of all of them
                self.frontier.floors = dict.fromkeys(set(records) - {""}, told["done"])
                continue
            self.frontier.done = -math.inf if told["reached"] is None else told["reached"]
            self.frontier.floors = told["floors"]
        for record in own.get("sight", []):
            progress = decode(record.value[_CLOCK.size :])
            assert isinstance(progress, Progress)
            predictions_moved, truths_moved, latest, resumed = _CLOCK.unpack_from(record.value)
            self.frontier.sights[progress.partition] = Sight(progress, (predictions_moved, truths_moved))
            self.frontier.latest_ms = max(self.frontier.latest_ms, latest)
            self.frontier.resumed_ms = max(self.frontier.resumed_ms, resumed)
        for name in sorted(set(records) - {""}):
            model = self._model(name)
            try:
                model.restore(records[name])
            except BadRecord as error:
                raise ConfigError(
                    f"the judge's state of {name} cannot be used: {error.message}", error.hint
                ) from error
            if "model" in records[name]:
                self.frontier.has_begun(name)
            for spec in model.waiting.specs() if name in self.frontier.newcomers else ():
                self._comes(model, spec)


def make_fold(partition: int, state: Mapping[bytes, bytes], context: FoldContext) -> JudgeFold:
    """The fold of a partition from its state records. Errors: ConfigError where they are none of a judge's."""
    return JudgeFold(partition, state, context)
