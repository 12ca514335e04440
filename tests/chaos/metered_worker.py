"""`driftloop observer` with a meter: ``metered_worker.py METER PARTITIONS``. The meter counts what folds are handed.

The file is memory that outlives a kill -9: for each partition number two doubles, how many records its folds were
handed in this process, and when the last of them (seconds since the epoch).
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path

from driftloop.console.__main__ import main
from driftloop.streams.fold import SourceRecords
from driftloop.streams.observer.fold import ObserverFold

ROW = struct.Struct("<2d")


def install(path: Path, partitions: int) -> None:
    path.write_bytes(bytes(ROW.size * partitions))
    with path.open("r+b") as file:
        meter = mmap.mmap(file.fileno(), 0)
    plain_absorb = ObserverFold.absorb

    def absorb(fold: ObserverFold, records: SourceRecords) -> None:
        plain_absorb(fold, records)
        if len(records):
            at = ROW.size * fold.partition
            ROW.pack_into(meter, at, ROW.unpack_from(meter, at)[0] + len(records), time.time())

    ObserverFold.absorb = absorb  # type: ignore[method-assign]


if __name__ == "__main__":
    install(Path(sys.argv[1]), int(sys.argv[2]))
    sys.argv = ["driftloop", "observer"]
    main()
