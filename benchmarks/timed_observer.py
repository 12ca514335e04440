"""The observer as it ships, with a clock on its folds: ``timed_observer.py FILE``; settings from the environment.

At its end it leaves in FILE (npz), a row a record: Kafka timestamp, when it was absorbed (decoded, gathered), when it
was folded (joined, in the sums of its pane), source, partition, offset; and a row a checkpoint: when, and how long
``collect`` held the event loop. Times in seconds of this machine's clock.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import Changes, FoldContext, SourceRecords
from driftloop.streams.observer.fold import ObserverFold
from driftloop.streams.observer.worker import SERVICE
from driftloop.streams.transport.run import run

RECORD_COLUMNS = ("timestamp", "absorbed", "folded", "source", "partition", "offset")
CHECKPOINT_COLUMNS = ("at", "held_seconds", "partition")


class Times:
    """What all folds of the process have seen."""

    def __init__(self) -> None:
        self.records: list[np.ndarray] = []
        self.checkpoints: list[tuple[float, float, int]] = []

    def save(self, file: Path) -> None:
        empty = np.empty((0, len(RECORD_COLUMNS)))
        np.savez(
            file,
            records=np.concatenate([empty, *self.records]),
            checkpoints=np.array(self.checkpoints).reshape(-1, len(CHECKPOINT_COLUMNS)),
        )


class TimedFold:
    """The fold of the service; a record counts as folded once nothing that was gathered waits any more."""

    def __init__(self, fold: ObserverFold, times: Times) -> None:
        self._fold, self._times = fold, times
        self._waiting: list[tuple[float, SourceRecords]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fold, name)

    def absorb(self, records: SourceRecords) -> None:
        self._fold.absorb(records)
        if len(records):
            self._waiting.append((time.time(), records))
        self._note()

    def collect(self) -> Changes:
        start = time.perf_counter()
        changes = self._fold.collect()
        self._times.checkpoints.append((time.time(), time.perf_counter() - start, self._fold.partition))
        self._note()
        return changes

    def _note(self) -> None:
        if self._waiting and not self._fold._gathered and not len(self._fold._unread):
            now, waiting = time.time(), self._waiting
            self._waiting = []
            for absorbed, records in waiting:
                rows = np.empty((len(records), len(RECORD_COLUMNS)))
                rows[:, 0] = np.asarray(records.timestamps_ms) / 1e3
                rows[:, 1:5] = absorbed, now, records.topic.endswith("ground-truth.v1"), records.partition
                rows[:, 5] = records.offsets
                self._times.records.append(rows)


def main() -> int:
    times = Times()

    def make_fold(partition: int, state: dict[bytes, bytes], context: FoldContext) -> TimedFold:
        fold = SERVICE.make_fold(partition, state, context)
        assert isinstance(fold, ObserverFold)
        return TimedFold(fold, times)

    code = run(replace(SERVICE, make_fold=make_fold), Settings.from_environment(os.environ))
    times.save(Path(sys.argv[1]))
    return code


if __name__ == "__main__":
    sys.exit(main())
