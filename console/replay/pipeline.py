"""Observer and judge in one process: records of both topics in, what is told of one model out. Pure.

The folds are the ones the services run. What counts is a function of the logs, not of arrival, so whatever the
services said of these records is said here again, to the byte. All models' records are folded, for a watermark
belongs to a partition and everything in it; judged is the one model. No partition is ever left out as idle: that
depends on Kafka's clock, and a window that was told without one differs (it names the partition).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import decode
from driftloop.schemas.events import DriftDetected, IncidentChanged, SilenceChanged, WindowMeasured
from driftloop.streams.fold import FoldContext, Output, SourceRecords
from driftloop.streams.judge.fold import JudgeFold
from driftloop.streams.observer.fold import ObserverFold

COLLECT_RECORDS = 50_000
"""Of one partition, between two looks at what is due: what is told does not depend on it, memory does."""
Event = WindowMeasured | DriftDetected | IncidentChanged | SilenceChanged


class Told(NamedTuple):
    """An event of the judge, and its bytes as they stand on a topic."""

    event: Event
    value: bytes


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
        self._panes = topic("panes")
        self._told_on = {topic("windows"), topic("drift")}
        self._uncollected = [0] * partitions
        self._judged = 0

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
        outputs = self.observers[partition].collect().outputs
        self.dead_letters += sum(output.topic != self._panes for output in outputs)
        panes = [output.value for output in outputs if self._concerns(output)]
        n, first = len(panes), self._judged
        self._judged += n
        # Kafka's time stands still: silence is never proved (streams/judge/merge.py).
        offsets, stamps = range(first, first + n), [0] * n
        self.judge.absorb(SourceRecords(self._panes, 0, offsets, [None] * n, panes, stamps, [()] * n, 0))
        for output in self.judge.collect().outputs:
            if output.topic in self._told_on and output.value is not None:
                self.told.append(Told(decode(output.value), output.value))  # type: ignore[arg-type]

    def _concerns(self, output: Output) -> bool:
        """A pane of the model, or one copy of the progress that goes to every partition."""
        if output.topic != self._panes:
            return False
        return output.partition == 0 if output.key is None else output.key == self.model.encode()
