"""The seam between the pure core and Kafka: what a partition's fold is given, and what it gives back.

    records -> fold.absorb -> ... -> fold.collect -> one transaction (state records, outputs, source offsets)

The transport (streams/transport) owns everything about Kafka; a fold owns everything about meaning. A test drives a
fold from a list with the same calls, and gets the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from driftloop.schemas.catalogue import Catalogue

HEADER_PREFIX = b"header"
"""State keys that begin so belong to the transport (source offsets, topic ids); a fold never sees or writes one."""

BEGIN_ANEW = (
    "to begin anew from what the sources still hold: stop the workers, delete the state topic, `driftloop topics "
    "apply`; if it is the judge's, `driftloop rewind observer --to earliest` (its source keeps three days only); "
    "start again"
)
"""The way out of a state that cannot be gone on from; tests/integration/test_rewind.py goes it."""

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class SourceRecords:
    """Records of one partition of one source topic, in offset order; offsets may have holes.

    ``topic`` is the full name; the lists have one entry a record, ``timestamps_ms`` are Kafka's. ``lag``: records
    of this partition that were readable when these were fetched and are still behind them; 0: caught up.
    ``more``: others of this partition were fetched with them and follow at once; waiting for these costs nothing.
    **It may be empty**: after a restore the transport hands over one empty ``SourceRecords`` a source topic, so that
    a fold knows how far behind it is (and of partitions in which nothing was ever written).
    """

    topic: str
    partition: int
    offsets: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    timestamps_ms: Sequence[int]
    headers: Sequence[Headers]
    lag: int
    more: bool = False

    def __len__(self) -> int:
        return len(self.offsets)

    def first(self, count: int) -> SourceRecords:
        """The first so many of them."""
        return replace(
            self,
            offsets=self.offsets[:count],
            keys=self.keys[:count],
            values=self.values[:count],
            timestamps_ms=self.timestamps_ms[:count],
            headers=self.headers[:count],
        )


class Output(NamedTuple):
    """One record to write. ``topic``: full name. ``partition`` None: murmur2 of the key, as Kafka's Java client."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int | None = None


class Changes(NamedTuple):
    """What one checkpoint writes. ``state``: record by key, None deletes it. ``outputs`` are in order.

    ``absorbed``: by full topic name, the last offset that the state accounts for, where that is not all that was
    handed over. What lies behind it is only in memory: a successor is handed it again. If there is such, the fold is
    asked to collect again soon, be there new records or not.
    """

    state: Mapping[bytes, bytes | None]
    outputs: Sequence[Output]
    absorbed: Mapping[str, int] = MappingProxyType({})


class Moved(NamedTuple):
    """An operator has set a partition's positions (streams/transport/state/moving.py). By full topic name:

    ``positions``: the offset to read next; ``absorbed``: the last one in the state. ``before``: the records in front
    of a position that was set back, some thousands at most; where the topic has lost them (retention), ``behind`` has
    the first that are left. ``since``: event time from which numbers are asked for anew; -inf: as much as can be.
    """

    positions: Mapping[str, int]
    absorbed: Mapping[str, int]
    before: Mapping[str, SourceRecords]
    behind: Mapping[str, SourceRecords]
    since: float = -math.inf

    def is_back(self, topic: str) -> bool:
        """Records of it will be read a second time."""
        return self.positions[topic] <= self.absorbed[topic]


class Rewritten(NamedTuple):
    """``state``: all records of the state from which the fold goes on at the new positions. Numbers of panes (of
    windows, at the judge) that begin at ``since`` or later are told anew; -inf: all; inf: none."""

    state: dict[bytes, bytes]
    since: float


class PartitionFold(Protocol):
    """The state of one partition number over all (co-partitioned) sources of a service. Pure: no clock, no Kafka.

    An exception out of a fold is a bug and ends the worker: what is wrong with a record is the fold's to handle.
    """

    @property
    def due(self) -> bool:
        """Something should be published at once (a watermark has passed an instant). Read after every absorb."""
        ...

    @property
    def pending_bytes(self) -> int:
        """About how much memory the outputs hold that the next collect gives back: the transport bounds it."""
        ...

    def absorb(self, records: SourceRecords) -> None:
        """Take records in. Each offset comes exactly once a topic, ascending, across restarts too.

        RegistryAway, raised before anything has changed, asks for the same records once more, a little later.
        """
        ...

    def collect(self) -> Changes:
        """All state records changed and all outputs since the last collect, which are then forgotten.

        They are written in one transaction. Should that abort, the fold is thrown away and made anew from the state
        as it was at the last transaction that was committed.
        """
        ...


class Stepping(Protocol):
    """What a fold may say besides, that matches its sources: asked for with ``getattr``, so it need not be there."""

    @property
    def ahead(self) -> str | None:
        """Full name of the source of which no more should come for now; None: all may go on. Read after every absorb.

        Only while another source has records left (its ``lag``): one without cannot be what is waited for.
        """
        ...


@dataclass(frozen=True, slots=True)
class FoldContext:
    """What a fold may look up. ``catalogue`` was read to its end before the first fold was made.

    ``refresh`` reads what has been published since (some milliseconds): call it when a record names a model or a
    schema that the catalogue does not know, at most once a batch.
    """

    catalogue: Catalogue
    refresh: Callable[[], None]
    partitions: int
    topic: Callable[[str], str]
    """Full name of a topic by its short one."""
    pending_bytes_most: int = 128 << 20
    """What a partition may remember, bytes of memory."""
    detectors: tuple[str, ...] = ()
    """Modules whose functions a monitor may name as detectors."""


FoldFactory = Callable[[int, dict[bytes, bytes], FoldContext], PartitionFold]
"""(partition, restored state records, context) -> fold. ConfigError: the state was written by a foreign layout.
It is called in the same thread as all absorbs and collects, again when a partition comes (one that stays over a
rebalance keeps its fold) and after every aborted transaction: what takes long here holds up the other partitions."""


Rewind = Callable[[int, Mapping[bytes, bytes], FoldContext, Moved], Rewritten]
"""(partition, state records, context, what was set) -> the state to go on from. Pure. ConfigError as FoldFactory."""


CarriedOver = Callable[[int, Mapping[bytes, bytes]], Mapping[bytes, bytes] | None]
"""(layout it was written in, state records) -> the same state in today's layout, or None: nobody knows how. Pure."""


@dataclass(frozen=True, slots=True)
class Service:
    """A stream processor: names are the short ones of schemas/topics.py.

    ``sources`` are co-partitioned; ``state`` has as many partitions as they; ``writes`` are all topics that outputs
    go to. ``layout`` is the version of the fold's state records: a state of another layout is carried
    over, where ``carried_over`` knows how, or refused. ``hears``: topics of one partition that its catalogue takes
    in, besides the ones that everybody's does.
    """

    name: str
    sources: tuple[str, ...]
    state: str
    writes: tuple[str, ...]
    make_fold: FoldFactory = field(repr=False)
    layout: int = 1
    rewind: Rewind | None = field(default=None, repr=False)
    hears: tuple[str, ...] = ()
    carried_over: CarriedOver | None = field(default=None, repr=False)
    instead_of_rewind: str = ""
    """What an operator does with a service that has no ``rewind``."""
