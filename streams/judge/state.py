"""The judge's state as records of bytes: one kind of key each, written when it changes, deleted when it is over.

    frontier            {"reached", "floors"}                       sight  [partition]   Kafka's clock, progress
    pane     [.. key]   a pane that counts                          pending [.. key]     a pane that is not due yet
    window   [.. key]   {"revision"}                                model  [model]       everything else of a model
    loss     [model]    the loss test                               features [model ..]  the feature test
    quality  [model]    data quality: history and incident      silences [model]    what people have silenced
    named    [model]    detectors of the user's choice      estimates [model]   estimates without labels
    past     [model]    windows that are over, by segment

A key is a canonical JSON list, its first entry the kind. Whatever a record does not say (sums, which closings are
past, what has matured) follows from the others, so that nothing can contradict itself.

Keys and values become bytes at the checkpoint that writes them, once, however often they changed since the last: of a
backlog most never do. A replay writes none (``Store.forget``): nobody goes on from its state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from driftloop.schemas.codec import canonical_json, decode, encode
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import Pane
from driftloop.streams.fold import BEGIN_ANEW

LAYOUT = 1
"""Raised when records change their meaning; the transport refuses a state of another layout."""
PARTITION_KINDS = ("frontier", "sight")
KINDS = (
    *PARTITION_KINDS,
    "estimates",
    "features",
    "loss",
    "model",
    "named",
    "pane",
    "past",
    "pending",
    "quality",
    "silences",
    "window",
)


class Group(NamedTuple):
    """Whose sums: panes of different groups never add up."""

    version: str
    role: str
    spec: str


Key = tuple[str | int | float, ...]
"""Of a state record: its kind, and the parts that tell it from others of the kind."""
Kept = bytes | Pane
"""A pane that the judge remembers: as its bytes, a tenth of the memory and its state record too; in a replay, which
makes no bytes of it, itself."""


def bytes_of(kept: Kept) -> bytes:
    return kept if isinstance(kept, bytes) else encode(kept)


def pane_of(kept: Kept) -> Pane:
    pane = decode(kept) if isinstance(kept, bytes) else kept
    assert isinstance(pane, Pane)
    return pane


def key(kind: str, *parts: str | int | float) -> Key:
    """The key of a state record."""
    return kind, *parts


def pane_key(kind: str, pane: Pane) -> Key:
    """Under which a pane replaces an earlier one; a pending one stands beside others of its key."""
    parts: tuple[str | int | float, ...] = (
        *(pane.model, pane.version, pane.role, pane.spec, pane.kind),
        *(pane.bucket, pane.pane_start, pane.partition),
    )
    if pane.segment or pane.against:
        parts += (pane.segment, pane.against)
    if kind == "pending":
        return key(kind, *parts, pane.emitted_at, pane.revision)
    return key(kind, *parts)


def counted_key(pending: Key) -> Key:
    """``pane_key("pane", ...)`` of one that has waited under its ``pane_key("pending", ...)``."""
    return key("pane", *pending[1:-2])


class Store:
    """What has changed since the last checkpoint. ``_forgets``: nobody will ask for it."""

    def __init__(self) -> None:
        self._changes: dict[Key, bytes | Callable[[], bytes] | None] = {}
        self._forgets = False

    def put(self, key: Key, value: bytes | Callable[[], bytes]) -> None:
        """A value that is to be made is asked for at the checkpoint: it tells what is so by then."""
        if not self._forgets:
            self._changes[key] = value

    def put_json(self, key: Key, value: Callable[[], Any]) -> None:
        self.put(key, lambda: canonical_json(value()).encode())

    def drop(self, key: Key) -> None:
        if not self._forgets:
            self._changes[key] = None

    def take(self) -> Mapping[bytes, bytes | None]:
        """All of it, which is then forgotten."""
        changes, self._changes = self._changes, {}
        return {canonical_json(key).encode(): v() if callable(v) else v for key, v in changes.items()}

    def forget(self) -> None:
        """Nobody will go on from here: what changes from now on is not even noted."""
        self._changes.clear()
        self._forgets = True


class Record(NamedTuple):
    """A state record of a model: its key, the parts of the key behind the model, its value."""

    key: Key
    parts: tuple[Any, ...]
    value: bytes


Records = dict[str, list[Record]]
"""By kind, in the order of the keys."""


def by_model(records: Mapping[bytes, bytes]) -> dict[str, Records]:
    """The records of each model; those of the partition itself under "". Errors: ConfigError, as ``check``."""
    check(records)
    found: dict[str, Records] = {}
    for name in sorted(records):
        kind, *parts = whole = json.loads(name)
        model = "" if kind in PARTITION_KINDS else parts.pop(0)
        found.setdefault(model, {}).setdefault(kind, []).append(Record(tuple(whole), tuple(parts), records[name]))
    return found


def check(records: Mapping[bytes, bytes]) -> None:
    """Errors: ConfigError for a record that no judge has written."""
    for name in records:
        try:
            kind = json.loads(name)[0]
        except (ValueError, LookupError, TypeError):
            kind = None
        if kind not in KINDS:
            raise ConfigError(
                f"the judge's state has a record {name[:60]!r}, which no judge has written",
                f"does another service use this state topic? {BEGIN_ANEW}",
            )
