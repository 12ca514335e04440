"""Part (a): fuzzed records through the readers and the observer's fold, in this process, against the oracle."""

from __future__ import annotations

import math
import time
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from driftloop.schemas.batches.batch import RECORD_BYTES_MOST, PredictionColumns, TruthColumns
from driftloop.schemas.batches.columns import read_predictions, read_truths
from driftloop.schemas.batches.tails import KEPT_BYTES_MOST
from driftloop.streams.fold import FoldContext, SourceRecords
from driftloop.streams.observer.fold import SOURCES, ObserverFold

from .models import catalogue
from .mutations import Fuzzed, Fuzzer
from .oracle import Judged, Oracle, same

BATCH_RECORDS = 1_000
COLLECTED_EVERY = 20
"""Batches to a checkpoint."""
WARM_BATCHES = 10
"""By then everything has been in use once: from there on growth is measured."""
READERS = 3
"""Two of our own, and the fold's: each with its memos (schemas/batches/tails.py)."""
WASTE_BYTES_MOST = 64 << 20
"""What the allocator keeps of what was given back, and tracemalloc of what it has traced."""
TRACED_EVERY = 50
FACTOR_MOST = 150
"""Python objects for a byte of Avro, at most: a list of empty lists is 64 bytes and a pointer a byte."""
NOW = 1_790_000_000.0
Columns = PredictionColumns | TruthColumns


def run_pure(records: int, seed: int) -> dict[str, Any]:
    """Read them all. AssertionError, with the record in hex: something is wrong."""
    found = _Run(seed)
    stream = found.fuzzer.records(records)
    while batch := list(islice(stream, BATCH_RECORDS)):
        found.take(batch)
    return found.report(records)


class _Run:
    def __init__(self, seed: int) -> None:
        self.fuzzer = Fuzzer(seed, NOW)
        self.oracle = Oracle(registry=True)
        self.reasons: dict[str, Counter[str]] = defaultdict(Counter)
        self.hows: Counter[str] = Counter()
        self.accepted, self.markers, self.letters = 0, 0, 0
        self.seconds = {"fast": 0.0, "slow": 0.0, "fold": 0.0}
        self.fast, self.slow = catalogue(registry=True).layouts, catalogue(registry=True).layouts
        context = FoldContext(catalogue(registry=True), lambda: None, 1, lambda short: short)
        self.fold = ObserverFold(0, {}, context)
        self.offsets = dict.fromkeys(SOURCES, 0)
        self.batches, self.traced_most, self.base = 0, 0.0, 0
        self.faults: list[str] = []

    def take(self, batch: Sequence[Fuzzed]) -> None:
        stamps = [int(NOW * 1000)] * len(batch)
        for short, read in (("predictions", read_predictions), ("ground-truth", read_truths)):
            some = [record for record in batch if record.short == short]
            keys, values = [r.key for r in some], [r.value for r in some]
            self._check(short, some, read, (keys, stamps[: len(some)]), values)
            self._absorb(short, some, keys, values, stamps[: len(some)])
        self.batches += 1
        if self.batches % COLLECTED_EVERY == 0:
            self.collect()
        if self.batches == WARM_BATCHES:
            self.base = reset_peak_bytes()

    def _check(self, short: str, some: Sequence[Fuzzed], read: Callable[..., Any], known: Any, values: Any) -> None:
        fast = self._timed("fast", lambda: read(values, self.fast, *known))
        slow = self._timed("slow", lambda: read(values, self.slow, *known, fast=False))
        differing = {r[:2] for r in fast.rejected} ^ {r[:2] for r in slow.rejected}
        assert not differing, [(reason, _told(some[row])) for row, reason in sorted(differing)]
        assert fast.markers == slow.markers
        rows = rows_of(fast.columns)
        for row, values_ in rows_of(slow.columns).items():
            assert row in rows and same(rows[row][1], values_[1]), _told(some[row])
        assert len(rows) + len(fast.markers) + len(fast.rejected) == len(some)
        marked, refused = dict(fast.markers), {row: reason for row, reason, _ in fast.rejected}
        for row, record in enumerate(some):
            judged = self.oracle.judge(short, record.key, record.value, known[1][row])
            self._agree(record, judged, rows.get(row), marked.get(row), refused.get(row))
        if self.batches % TRACED_EVERY == 0 or any(r.how.startswith("large") for r in some):
            self._trace(read, some)

    def _agree(self, record: Fuzzed, judged: Judged, row: Any, marked: float | None, refused: str | None) -> None:
        self.hows[record.how] += 1
        if refused is not None:
            assert refused in judged.faults, f"{_told(record)}: {refused}, not one of {judged.faults}"
            self.reasons[record.short][refused] += 1
            return
        assert not judged.faults, f"{_told(record)}: taken, in spite of {judged.faults}"
        if marked is not None:
            assert judged.marker == marked, _told(record)
            self.markers += 1
            return
        assert judged.row is not None and row[0] == judged.model and same(row[1], judged.row), _told(record)
        self.accepted += 1

    def _trace(self, read: Callable[..., Any], some: Iterable[Fuzzed]) -> None:
        """Records that claim much may not take much: each alone, by what Python allocates for it."""
        for record in some:
            if record.value is None or not record.how.startswith(("large", "blocks", "length")):
                continue
            tracemalloc.start()
            read([record.value], self.fast, [record.key], [int(NOW * 1000)])
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            most = FACTOR_MOST * len(record.value) + 1_000_000
            assert peak < most, f"{_told(record)}: {peak:,} bytes for {len(record.value):,}"
            self.traced_most = max(self.traced_most, peak / most)

    def _absorb(self, short: str, some: Sequence[Fuzzed], keys: Any, values: Any, stamps: Any) -> None:
        start = self.offsets[short]
        self.offsets[short] += len(some)
        headers = [record.headers for record in some]
        records = SourceRecords(short, 0, range(start, start + len(some)), keys, values, stamps, headers, 0)
        self._timed("fold", lambda: self.fold.absorb(records))

    def collect(self) -> None:
        changes = self._timed("fold", self.fold.collect)
        self.letters += sum(output.topic == "dead-letter" for output in changes.outputs)

    def _timed(self, name: str, call: Callable[[], Any]) -> Any:
        start = time.thread_time()
        try:
            return call()
        finally:
            self.seconds[name] += time.thread_time() - start

    def report(self, records: int) -> dict[str, Any]:
        """The figures; ``faults``: counts that do not add up, memory that has grown."""
        self.collect()
        refused = sum(sum(counts.values()) for counts in self.reasons.values())
        if self.accepted + self.markers + refused != records:
            self.faults.append(f"{self.accepted} accepted, {self.markers} markers and {refused} refused of {records}")
        if self.letters != refused:
            self.faults.append(f"{self.letters} dead letters for {refused} refused")
        return {
            "records": records,
            "accepted": self.accepted,
            "markers": self.markers,
            "refused": refused,
            "dead_letters": self.letters,
            "reasons": {short: dict(sorted(counts.items())) for short, counts in self.reasons.items()},
            "mutations": dict(sorted(self.hows.items())),
            "nanoseconds_per_record": {k: round(s * 1e9 / records) for k, s in self.seconds.items()},
            "traced_share_of_bound_most": round(self.traced_most, 3),
            "memory": self._memory(),
            "faults": self.faults,
        }

    def _memory(self) -> dict[str, int]:
        """How the process has grown, and how far it may: by what stays, and in between by what one record takes."""
        if not self.base:
            return {}
        stays_most = READERS * KEPT_BYTES_MOST + fold_bytes(self.fold) + WASTE_BYTES_MOST
        found = {
            "stays_bytes": max(0, resident_bytes() - self.base),
            "stays_bytes_most": stays_most,
            "peak_bytes": max(0, peak_bytes() - self.base),
            "peak_bytes_most": stays_most + FACTOR_MOST * RECORD_BYTES_MOST,
        }
        for name in ("stays_bytes", "peak_bytes"):
            if found[name] > found[f"{name}_most"]:
                self.faults.append(f"the process has grown: {name} {found[name]:,} > {found[f'{name}_most']:,}")
        return found


def fold_bytes(fold: ObserverFold) -> int:
    """Of the rows that a fold remembers and of its open panes' tables."""
    rows = sum(store.nbytes for pool in fold.pools for store in pool.stores())
    panes = [p for model in fold.models.values() for e in model.editions.values() for p in e.panes.values()]
    tables = {id(p.table): p.table for p in panes}.values()
    return rows + sum(table._counts.nbytes + table._sums.nbytes for table in tables)


def rows_of(columns: Iterable[Columns]) -> dict[int, tuple[str, tuple[Any, ...]]]:
    """By row of the batch: the model, and the record in the oracle's order."""
    found: dict[int, tuple[str, tuple[Any, ...]]] = {}
    for part in columns:
        for i, row in enumerate(part.rows.tolist()):
            tail: Any = part.tails[int(part.tail[i])]
            time_ = float(part.event_time[i])
            if isinstance(part, PredictionColumns):
                numbers = [float(number) for number in part.numeric[i]]
                texts = (tail.version, tail.role, tail.predicted, *tail.categories)
                found[row] = part.model, (time_, float(part.score[i]), *numbers, *texts)
            else:
                value = float(part.value[i])
                found[row] = part.model, (time_, repr(tail.label), math.nan if math.isnan(value) else value)
    return found


def _told(record: Fuzzed) -> str:
    value = record.value
    shown = "none" if value is None else f"{len(value)} bytes {value[:400].hex()}"
    return f"{record.short} {record.how}: {shown}"


def peak_bytes(pid: int | str = "self") -> int:
    """Greatest resident memory of a process so far."""
    return _status_bytes(pid, "VmHWM")


def resident_bytes() -> int:
    """Of this process, now."""
    return _status_bytes("self", "VmRSS")


def _status_bytes(pid: int | str, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) * 1024


def reset_peak_bytes() -> int:
    """Begin to measure anew; what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_bytes()
