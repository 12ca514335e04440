"""A fold whose right answer can be counted on one's fingers: counts and sums of offsets, by offset modulo 100.

The furthest that one source was ahead of the other while that had records left is ``apart_most``, in offsets.
State record ``d<i>`` holds the counts and sums of keys 10i..10i+9 of both sources; one output for every thousandth
offset, named after it. Whatever happens to the workers, each must be as if every offset came once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from driftloop.streams.fold import Changes, FoldContext, Output, Service, SourceRecords

SOURCES = ("predictions", "ground-truth")
WRITES = "panes"
EACH = 1000


class ToyFold:
    def __init__(
        self, partition: int, state: dict[bytes, bytes], context: FoldContext, always_due: bool, step: int = 0
    ) -> None:
        self.partition = partition
        self.topics = [context.topic(short) for short in SOURCES]
        self.out = context.topic(WRITES)
        self.always_due = always_due
        self.due = False
        self.step = step
        self.last, self.lags, self.apart_most = [-1, -1], [0, 0], 0
        self.pending_bytes = 0
        self.sums = np.zeros((2, 2, 100), dtype=np.int64)
        for key, value in state.items():
            i = int(key[1:])
            self.sums[:, :, 10 * i : 10 * i + 10] = np.frombuffer(value, np.int64).reshape(2, 2, 10)
        self.dirty: set[int] = set()
        self.outputs: list[Output] = []

    def absorb(self, records: SourceRecords) -> None:
        offsets = np.asarray(records.offsets, dtype=np.int64)
        topic = self.topics.index(records.topic)
        self._note(topic, records)
        np.add.at(self.sums[topic, 0], offsets % 100, 1)
        np.add.at(self.sums[topic, 1], offsets % 100, offsets)
        self.dirty.update((offsets % 100 // 10).tolist())
        wanted = offsets if self.always_due else offsets[offsets % EACH == EACH - 1]
        for offset in wanted.tolist():
            name = f"{topic}-{self.partition}-{offset}".encode()
            self.outputs.append(Output(self.out, name, b"%d" % (offset + 1), self.partition))
        self.due = self.due or (self.always_due and len(offsets) > 0)

    @property
    def ahead(self) -> str | None:
        """With ``step``: the source that is more than so many offsets ahead of one that has records left."""
        for source, other in ((0, 1), (1, 0)):
            if self.step and self.lags[other] and self.last[source] - self.last[other] > self.step:
                return self.topics[source]
        return None

    def _note(self, topic: int, records: SourceRecords) -> None:
        self.lags[topic] = records.lag
        if len(records):
            self.last[topic] = records.offsets[-1]
        if self.lags[1 - topic]:
            self.apart_most = max(self.apart_most, self.last[topic] - self.last[1 - topic])

    def collect(self) -> Changes:
        state = {b"d%d" % i: self.sums[:, :, 10 * i : 10 * i + 10].tobytes() for i in sorted(self.dirty)}
        changes = Changes(state, self.outputs)
        self.dirty, self.outputs, self.due = set(), [], False
        return changes


def service(always_due: bool = False, step: int = 0) -> Service:
    def make(partition: int, state: dict[bytes, bytes], context: FoldContext) -> Any:
        return ToyFold(partition, state, context, always_due, step)

    return Service("toy", SOURCES, "observer-state", (WRITES,), make)
