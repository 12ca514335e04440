"""The observer as it ships, with a stopwatch on its process: ``measured_observer.py SETTINGS RECORDS FILE``.

CPU seconds of all threads from the first batch to the end of the process, the last checkpoint included.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from driftloop.schemas.settings import Settings
from driftloop.streams.fold import Changes, FoldContext, PartitionFold, SourceRecords
from driftloop.streams.observer.worker import SERVICE
from driftloop.streams.transport.run import run


class Stopwatch:
    """Starts with the first record; tells the process to stop behind the last."""

    def __init__(self, records: int) -> None:
        self.records = records
        self.seen = 0
        self.wall = self.cpu = 0.0

    def before(self) -> None:
        if self.seen == 0:
            self.wall, self.cpu = time.perf_counter(), time.process_time()

    def behind(self, records: int) -> None:
        self.seen += records
        if self.seen == self.records:
            os.kill(os.getpid(), signal.SIGTERM)

    def told(self) -> dict[str, float]:
        return {
            "events": self.seen,
            "wall_seconds": time.perf_counter() - self.wall,
            "cpu_seconds": time.process_time() - self.cpu,
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }


class MeasuredFold:
    """The fold of the service, its records counted."""

    def __init__(self, fold: PartitionFold, watch: Stopwatch) -> None:
        self.fold = fold
        self.watch = watch

    @property
    def due(self) -> bool:
        return self.fold.due

    def absorb(self, records: SourceRecords) -> None:
        if len(records):
            self.watch.before()
        self.fold.absorb(records)
        if len(records):
            self.watch.behind(len(records))

    def collect(self) -> Changes:
        return self.fold.collect()


def main() -> int:
    settings, watch = Settings(**json.loads(sys.argv[1])), Stopwatch(int(sys.argv[2]))

    def make_fold(partition: int, state: dict[bytes, bytes], context: FoldContext) -> MeasuredFold:
        return MeasuredFold(SERVICE.make_fold(partition, state, context), watch)

    code = run(replace(SERVICE, make_fold=make_fold), settings)
    Path(sys.argv[3]).write_text(json.dumps(watch.told()))
    return code


if __name__ == "__main__":
    sys.exit(main())
