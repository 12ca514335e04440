"""A fold that leaves nothing unseen, and what it must come to, in plain Python over the whole log.

Each source is folded into a chain: the digest of a record includes those of all records before it, so a record that
is lost, doubled or out of order shows in everything behind it. Some records make an output with the digest so far;
keys come and go, so that a deleted state record that survives shows too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from zlib import crc32

from driftloop.streams.fold import Changes, FoldContext, Output, Service, SourceRecords

from .kafka import Record

SOURCES = ("predictions", "ground-truth")
OUT = "panes"
SERVICE_NAME = "simulated"


class LedgerFold:
    """State: ``chain<source>`` [count, digest, last offset]; ``key<n>`` the last offset of a residue, deleted by
    every third one. Values that begin with ``!`` make an output, with ``!!`` at once."""

    def __init__(self, partition: int, state: dict[bytes, bytes], context: FoldContext) -> None:
        self.partition = partition
        self.topics = [context.topic(short) for short in SOURCES]
        self.out = context.topic(OUT)
        self.due = False
        self.state = dict(state)
        self.chains = [json.loads(state.get(b"chain%d" % s, b"[0, 0, -1]")) for s in (0, 1)]
        self.changed: dict[bytes, bytes | None] = {}
        self.outputs: list[Output] = []

    @property
    def pending_bytes(self) -> int:
        """Outputs that wait for the next collect."""
        return sum(len(output.key or b"") + len(output.value or b"") for output in self.outputs)

    def absorb(self, records: SourceRecords) -> None:
        source = self.topics.index(records.topic)
        chain = self.chains[source]
        for offset, value in zip(records.offsets, records.values, strict=True):
            assert offset > chain[2], f"offset {offset} behind {chain[2]}"
            assert value is not None
            chain[:] = [chain[0] + 1, crc32(b"%d:%b" % (offset, value), chain[1]), offset]
            self.changed[b"chain%d" % source] = json.dumps(chain).encode()
            self.changed[b"key%d-%d" % (source, offset % 5)] = b"%d" % offset if offset % 3 else None
            if value.startswith(b"!"):
                name = f"{source}-{self.partition}-{offset}".encode()
                self.outputs.append(Output(self.out, name, b"%d" % chain[1], self.partition))
                self.due = self.due or value.startswith(b"!!")

    def collect(self) -> Changes:
        changes = Changes(self.changed, self.outputs)
        self.changed, self.outputs, self.due = {}, [], False
        return changes


def service() -> Service:
    return Service(SERVICE_NAME, SOURCES, "observer-state", (OUT,), LedgerFold)


def expected_state(logs: tuple[list[Record], list[Record]]) -> dict[bytes, bytes]:
    """The state of a partition in which every record of both sources came once."""
    state: dict[bytes, bytes] = {}
    for source, records in enumerate(logs):
        count = digest = 0
        for record in records:
            count, digest = count + 1, crc32(b"%d:%b" % (record.offset, record.value or b""), digest)
            state[b"chain%d" % source] = json.dumps([count, digest, record.offset]).encode()
            key = b"key%d-%d" % (source, record.offset % 5)
            state[key] = b"%d" % record.offset
            if record.offset % 3 == 0:
                del state[key]
    return state


def expected_outputs(partition: int, logs: Iterable[list[Record]]) -> dict[bytes, bytes]:
    """Each output of a partition, by id."""
    outputs: dict[bytes, bytes] = {}
    for source, records in enumerate(logs):
        digest = 0
        for record in records:
            digest = crc32(b"%d:%b" % (record.offset, record.value or b""), digest)
            if (record.value or b"").startswith(b"!"):
                outputs[f"{source}-{partition}-{record.offset}".encode()] = b"%d" % digest
    return outputs
