"""Observer and judge in one process: records of both topics in, what is told of one model out. Pure.

The folds are the ones the services run. What counts is a function of the logs, not of arrival, so whatever the
services said of these records is said here again, to the byte. All models' records are folded, for a watermark
belongs to a partition and everything in it; judged is the one model. No partition is ever left out as idle: that
depends on Kafka's clock, and a window that was told without one differs (it names the partition).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import encode
from driftloop.schemas.events import DriftDetected, IncidentChanged, SilenceChanged, WindowMeasured
from driftloop.streams.fold import FoldContext, SourceRecords
from driftloop.streams.judge.fold import JudgeFold
from driftloop.streams.observer.fold import ObserverFold

COLLECT_RECORDS = 50_000
"""Of one partition, between two looks at what is due: what is told does not depend on it, memory does."""
Event = WindowMeasured | DriftDetected | IncidentChanged | SilenceChanged


@dataclass(frozen=True)
class Told:
    """An event of the judge. ``written``: its bytes, where it was told live."""

    event: Event
    written: bytes | None = None

    @cached_property
    def value(self) -> bytes:
        """Its bytes as they stand on a topic. Of a replay they are made where somebody compares them: of each window
        that was told live, the last revision."""
        return encode(self.event) if self.written is None else self.written


class Pipeline:
    """``told`` grows. ``detectors``: as Settings.detectors. Errors: those of the folds; RegistryAway where a schema
    cannot be asked for."""

    def __init__(
        self,
        model: str,
        partitions: int,
        catalogue: Catalogue,
        topic: Callable[[str], str],
        detectors: tuple[str, ...] = (),
    ) -> None:
        self.model = model
        context = FoldContext(catalogue, lambda: None, partitions, topic, detectors=detectors)
        self.observers = [ObserverFold(partition, {}, context) for partition in range(partitions)]
        self.judge = JudgeFold(0, {}, context)
        self.told: list[Told] = []
        self.dead_letters = 0
        self._uncollected = [0] * partitions

    def ahead(self, partition: int) -> str | None:
        """Full name of the source of which no more should come for now (streams/fold.py, Stepping)."""
        return self.observers[partition].ahead

    def absorb(self, records: SourceRecords) -> None:
        """Take records of one partition, in the order of their offsets."""
        self.observers[records.partition].absorb(records)
        self._uncollected[records.partition] += len(records)
        if self._uncollected[records.partition] >= COLLECT_RECORDS:
            self._collect(records.partition)

    def end(self) -> None:
        """Everything has been absorbed."""
        for partition in range(len(self.observers)):
            self._collect(partition)

    def _collect(self, partition: int) -> None:
        self._uncollected[partition] = 0
        panes, dead_letters = self.observers[partition].replay(self.model)
        self.dead_letters += dead_letters
        self.told += map(Told, self.judge.replay(panes))
