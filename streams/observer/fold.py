"""The observer's fold of one partition: batches of two topics in, panes and progress out. Pure.

absorb    let the batch wait (unread.py); read it (reading.py), gather it by model (model.py), fold what is enough
collect   fold what was gathered, tell what is due, tell the progress; state records of what has changed
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from itertools import chain
from typing import Any

from driftloop.schemas.batches.batch import PredictionColumns, TruthColumns
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import Pane, Progress
from driftloop.streams.fold import BEGIN_ANEW, Changes, FoldContext, Output, SourceRecords
from driftloop.streams.observer.join.rows import Rows
from driftloop.streams.observer.model import ModelFold, Where
from driftloop.streams.observer.panes.table import read_ahead
from driftloop.streams.observer.placement import Placement
from driftloop.streams.observer.reading import Batch, predictions_batch, truths_batch
from driftloop.streams.observer.recovery.replay import NOTHING, Layer, Replay
from driftloop.streams.observer.recovery.state import (
    forget_changes,
    key_of,
    model_records,
    pool_records,
    restore_models,
)
from driftloop.streams.observer.step import BACKLOG_RECORDS, source_ahead
from driftloop.streams.observer.telling import (
    EVENT,
    RECORD,
    Form,
    PaneT,
    counters_of,
    pane_of,
    pane_output,
    progress_outputs,
)
from driftloop.streams.observer.time import Clock
from driftloop.streams.observer.unread import Unread

LAYOUT = 2
"""Version of the state records."""
PREDICTIONS, TRUTHS = 0, 1
SOURCES = ("predictions", "ground-truth")
ROWS_MOST = 1_000_000
"""Rows of predictions and truths that one partition remembers, at 70 to 100 bytes each; more with segments, many
classes or paired models, so that ``pending_bytes_most`` of the context bounds them too. Beyond either the segment
with the oldest rows is dropped; those of its rows that were still waiting are counted as ``overflow``, and what was
to meet them later is an orphan. Within the bounds numbers are exact."""
ROWS_GATHERED_MOST = 8_192
"""Rows are folded when so many are there, at the latest at the checkpoint: many small batches of many models cost few
folds."""
MODELS_FEW, ROWS_A_MODEL = 4, 400
"""If the last batch held more models than that, with fewer rows of each, records wait for more (unread.py)."""
OUTPUT_BYTES = 2_000
"""Of a dead letter, beside the record: its headers as Python objects."""
WAIT_MS_MOST = 50
"""Live, records are read and folded together when they span so much of Kafka's time: a fold costs a millisecond, be
it of five rows or of five hundred. Dense traffic is fetched further apart (transport/pace.py) and never waits here;
behind a backlog records are read as they come."""
_CLOCK = key_of("clock")


class ObserverFold:
    """Implements PartitionFold (streams/fold.py)."""

    def __init__(
        self, partition: int, state: Mapping[bytes, bytes], context: FoldContext, rows_most: int = ROWS_MOST
    ) -> None:
        self.partition, self.context, self.rows_most = partition, context, rows_most
        self._topics = tuple(context.topic(source) for source in SOURCES)
        self._greatest = [-math.inf, -math.inf]
        self._offsets = [-1, -1]
        self._lags = [0, 0]
        self._told_until: dict[Clock, float] = {}
        self._outputs: list[Output] = []
        self._pending_bytes = 0
        self._touched = False
        self._gathered = self._gathered_ms = 0
        self._unread = Unread()
        self._placement = Placement(partition, context.partitions)
        self._many_models = False
        self._replay = NOTHING
        records = dict(state)
        if _CLOCK in records:
            self._restore_clock(records.pop(_CLOCK))
        elif records:
            raise ConfigError(
                f"the observer's state of partition {partition} has no clock",
                f"was it written by another program? {BEGIN_ANEW}",
            )
        self.models, self.pools = restore_models(records, self._replay)
        for model in self.models.values():
            model.placement = self._placement
            model.told_until = max(min(self._greatest), self._replay.counted_until) - model.clock.disorder_seconds
        self._clocks = {model.clock for model in self.models.values()}

    @property
    def due(self) -> bool:
        """The frontier of this partition has passed an instant of one of its models since the last collect."""
        return self._touched and self._passes_an_instant(self._greatest)

    @property
    def ahead(self) -> str | None:
        """The source that should wait for the other one (step.py)."""
        greatest = list(map(max, self._greatest, self._unread.greatest))
        source = source_ahead(greatest, self._lags, self._clocks)
        return None if source is None else self._topics[source]

    @property
    def pending_bytes(self) -> int:
        """Of the dead letters that wait: a flood of them is the one output that nothing else bounds."""
        return self._pending_bytes

    def absorb(self, records: SourceRecords) -> None:
        source = self._topics.index(records.topic)
        self._lags[source] = records.lag
        if not len(records):
            self._touched = True
            return
        if not self._may_wait(records.lag):
            self._read_all()
            self._read(source, records)
            self._drain_if_long_enough(records)
            return
        self._unread.add(source, records)
        if records.more and not self._unread.full:
            return
        if self._unread.full or self._long_enough() or self._passes_an_instant(self._unread.greatest):
            self._read_all()
            if not self._many_models:
                self._drain()

    @property
    def read_offsets(self) -> dict[str, int]:
        """By topic of which records wait unread: all up to this offset has been read."""
        return self._unread.read_offsets()

    def _may_wait(self, lag: int) -> bool:
        """With a registry a record may have to be handed over again (RegistryAway): then nothing waits."""
        live = lag < BACKLOG_RECORDS
        return (live or self._many_models) and not self.context.catalogue.layouts.framing.has_registry

    def _drain_if_long_enough(self, records: SourceRecords) -> None:
        live = records.lag < BACKLOG_RECORDS and not self._many_models
        if live and self._gathered and records.timestamps_ms[-1] - self._gathered_ms >= WAIT_MS_MOST:
            self._drain()

    def _long_enough(self) -> bool:
        return not self._many_models and self._unread.span_ms >= WAIT_MS_MOST

    def _passes_an_instant(self, greatest: Sequence[float]) -> bool:
        least = min(map(max, self._greatest, greatest))
        return any(
            clock.last_instant(least - clock.disorder_seconds) > self._told_until.get(clock, -math.inf)
            for clock in self._clocks
        )

    def _read_all(self) -> None:
        for source, records in self._unread.take():
            self._read(source, records)

    def _read(self, source: int, records: SourceRecords) -> None:
        self._touched = True
        if source == PREDICTIONS:
            predictions = predictions_batch(records, self.context, self._greatest[source])
            for columns, where in predictions.models:
                self._model(columns, where, records.topic).predicted(columns, where)
            self._passed(source, records, predictions)
        else:
            truths = truths_batch(records, self.context, self._greatest[source])
            for known, where in truths.models:
                self._model(known, where, records.topic).observed(known, where)
            self._passed(source, records, truths)
        if not self._gathered:
            self._gathered_ms = records.timestamps_ms[0]
        self._gathered += len(records)
        if self._gathered >= ROWS_GATHERED_MOST:
            self._drain()

    def collect(self) -> Changes:
        if not self._many_models or self._unread.patience_is_over():
            self._read_all()
        unread = self.read_offsets
        if not self._touched:
            return Changes({}, [], unread)
        topic = self.context.topic("panes")
        panes, progress = self._tell(self.models, RECORD)
        outputs = [*self._take_letters(), *[pane_output(topic, pane) for pane in panes]]
        outputs += progress_outputs(topic, progress)
        state: dict[bytes, bytes | None] = {}
        for name in sorted(self.models):
            state.update(model_records(self.models[name]))
        state.update(pool_records(self.pools))
        state.update([self.clock_record()])
        return Changes(state, outputs, unread)

    def replay(self, model: str) -> tuple[list[Pane | Progress], int]:
        """``collect`` of a replay: what its records of this model would hold, in their order; how many dead letters
        there were. No bytes are made of it, nor of a state that nobody goes on from."""
        self._read_all()
        if not self._touched:
            return [], 0
        panes, progress = self._tell([model], EVENT)
        forget_changes(self.models.values(), self.pools)
        return [*panes, progress], len(self._take_letters())

    def _tell(self, names: Container[str], form: Form[PaneT]) -> tuple[list[PaneT], Progress]:
        """What is due of these models, and how far the partition has come by it."""
        self._touched = False
        self._drain()
        least = min(self._greatest)
        for pool in self.pools:
            pool.settle(*self._greatest)
        read_ahead(chain.from_iterable([model.rows_to_read(*self._greatest) for model in self.models.values()]))
        found: list[PaneT] = []
        for name, model in sorted(self.models.items()):
            told = model.collect(*self._greatest)
            changed = model.counters.take_due(least - model.clock.disorder_seconds)
            model.changed |= bool(changed)
            if name in names:
                found += [pane_of(model, one, self.partition, form) for one in told]
                found += [counters_of(model, due, totals, self.partition, form) for due, totals in changed]
        progress = self._progress()
        self._told_until = {c: c.last_instant(least - c.disorder_seconds) for c in self._clocks}
        self._replay_passed()
        return found, progress

    def _take_letters(self) -> list[Output]:
        letters, self._outputs = self._outputs, []
        self._pending_bytes = 0
        return letters

    def clock_record(self) -> tuple[bytes, bytes]:
        """How far the partition has come."""
        found: dict[str, Any] = {"greatest": self._greatest, "offsets": self._offsets}
        if self._replay != NOTHING:
            found["replay"] = self._replay.to_json()
        return _CLOCK, json.dumps(found).encode()

    @property
    def greatest(self) -> tuple[float, float]:
        """Event times of predictions and truths."""
        return self._greatest[PREDICTIONS], self._greatest[TRUTHS]

    def set_back(self, layer: Layer, greatest: tuple[float, float], at: tuple[int, int]) -> None:
        """The clock of a partition that goes on at the offsets ``at`` (recovery/rewind.py)."""
        self._replay = self._replay.rewound(layer)
        self._greatest, self._offsets = list(greatest), [offset - 1 for offset in at]

    def begin_anew(self, held: tuple[int, int]) -> None:
        """The clock of a partition that has read nothing; letters up to ``held`` lie on their topic."""
        self._replay = self._replay.begun_anew(held)
        self._greatest, self._offsets = [-math.inf, -math.inf], [-1, -1]

    def _replay_passed(self) -> None:
        """Everything that a rewind made us read again may have come."""
        replay = self._replay.passed(self._offsets, self._greatest)
        if replay is not self._replay:
            self._replay = replay
            for model in self.models.values():
                model.replay = replay

    def _model(self, columns: PredictionColumns | TruthColumns, where: Where, topic: str) -> ModelFold:
        """The fold of a model, under the specification that is live."""
        spec = self.context.catalogue.specification(columns.model)
        assert spec is not None, "the reader refuses models that the catalogue does not know"
        model = self.models.get(columns.model)
        if model is None:
            model = self.models[columns.model] = ModelFold(spec, self.pools.tables, replay=self._replay)
            self.pools.place(model, model.shape)
            model.placement = self._placement
            model.activations = [(spec.spec, topic, int(where.offsets[0]))]
            self._clocks.add(model.clock)
        elif model.edition.spec is not spec:
            if model.edition.spec.spec != spec.spec:
                model.activate(spec, topic, int(where.offsets[0]))
                self.pools.replace(model)
                self._clocks = {m.clock for m in self.models.values()}
            else:
                model.edition.spec = spec  # equal, read anew: compared by identity from now on
        return model

    def _passed(self, source: int, records: SourceRecords, batch: Batch[Any]) -> None:
        self._greatest[source] = batch.greatest
        self._offsets[source] = records.offsets[-1]
        letters = self._replay.unread_letters(source, batch.dead_letters)
        self._outputs += letters
        self._pending_bytes += sum([OUTPUT_BYTES + len(o.value or b"") + len(o.key or b"") for o in letters])
        self._many_models = len(batch.models) > MODELS_FEW and len(records) < ROWS_A_MODEL * len(batch.models)

    def _drain(self) -> None:
        """Fold what the models have gathered; drop the oldest segments while too many rows are remembered."""
        self._gathered = 0
        for pool in self.pools:
            pool.drain()
        stores = [(pool, i, rows) for pool in self.pools for i, rows in enumerate(pool.stores())]
        while self._too_many([rows for _, _, rows in stores]):
            pool, i, _ = min(stores, key=lambda store: store[2].oldest)
            pool.overflow(i)

    def _too_many(self, stores: Sequence[Rows]) -> bool:
        bytes_most = self.context.pending_bytes_most
        return sum(map(len, stores)) > self.rows_most or sum(rows.live_bytes for rows in stores) > bytes_most

    def _progress(self) -> Progress:
        """Watermarks of each model that is monitored: none may see its own go back when it sends its first record
        here, or the first under another specification."""
        disorders = {name: s.disorder_seconds for name, s in self.context.catalogue.layouts.specifications.items()}
        for name, model in self.models.items():
            disorders[name] = max(model.clock.disorder_seconds, disorders.get(name, 0.0))
        most = max(disorders.values(), default=0.0)
        usual, *_ = Counter(sorted(disorders.values())).most_common(1)[0] if disorders else (0.0,)
        return Progress(
            self.partition,
            self.context.partitions,
            self._greatest[PREDICTIONS] - most,
            self._greatest[TRUTHS] - most,
            self._offsets[PREDICTIONS],
            self._offsets[TRUTHS],
            self._lags == [0, 0] and not len(self._unread),
            self._greatest[PREDICTIONS],
            self._greatest[TRUTHS],
            usual,
            {name: disorder for name, disorder in sorted(disorders.items()) if disorder != usual},
        )

    def _restore_clock(self, value: bytes) -> None:
        try:
            found: dict[str, Any] = json.loads(value)
            self._greatest, self._offsets = found["greatest"], found["offsets"]
            self._replay = Replay.from_json(found["replay"]) if "replay" in found else NOTHING
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"the observer's state cannot be read: {error!r}",
                f"was it written by another version? that one can go on; or, {BEGIN_ANEW}",
            ) from error


def make_fold(partition: int, state: Mapping[bytes, bytes], context: FoldContext) -> ObserverFold:
    """The fold of a partition from its state records. Errors: ConfigError where they are none of ours."""
    return ObserverFold(partition, state, context)
