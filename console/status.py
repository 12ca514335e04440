"""What `driftloop status` knows of a service, and what of it is wrong. Pure; status_reading.py asks the cluster.

A service is looked at from outside: its state topic (the truth), its sources' ends, its consumer group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

STUCK_SECONDS = 60.0
"""A partition that has an owner and records to read is written every second."""


@dataclass(frozen=True, slots=True)
class Source:
    """One source topic in one partition. ``next_offset``: behind what the state has absorbed; ``lag``: records behind
    that; ``committed``: the group's offset, None: none. ``skipped``: offsets that an operator has set it ahead of."""

    topic: str
    next_offset: int
    end_offset: int
    lag: int
    committed: int | None
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """A process in the consumer group, and the partitions it holds."""

    client_id: str
    host: str
    partitions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StatePartition:
    """``records``, ``bytes``: live ones. ``checkpoint_age_seconds`` None: there was none yet. ``foreign``: why its
    header is not ours to read, "" if it is."""

    partition: int
    records: int
    bytes: int
    checkpoint_age_seconds: float | None
    sources: tuple[Source, ...]
    owner: Member | None = None
    foreign: str = ""

    @property
    def lag(self) -> int:
        """Records of all sources that the state has not absorbed."""
        return sum(source.lag for source in self.sources)

    def problems(self) -> Iterator[str]:
        """What is wrong with it while the service runs, in words."""
        here, age = f"partition {self.partition}", self.checkpoint_age_seconds
        if self.foreign:
            yield self.foreign
        if self.lag and self.owner is None:
            yield f"{here}: {self.lag:,} records wait and nobody holds the partition"
        if self.lag and self.owner is not None and age is not None and age > STUCK_SECONDS:
            yield (
                f"{here}: {self.lag:,} records wait, {self.owner.client_id} holds it, "
                f"and the last checkpoint is {age:.0f} s old: see its log"
            )
        yield from self.lost()

    def lost(self) -> Iterator[str]:
        """Sources that end before what the state has read of them."""
        for source in self.sources:
            if source.next_offset > source.end_offset:
                yield (
                    f"partition {self.partition}: the state has absorbed {source.topic} up to "
                    f"{source.next_offset - 1}, but it ends at {source.end_offset}: it was truncated or created anew"
                )


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service. ``group_state`` is Kafka's word: STABLE, EMPTY, DEAD (never joined) ... ``missing``: topics."""

    service: str
    group: str
    group_state: str
    members: tuple[Member, ...]
    partitions: tuple[StatePartition, ...] = ()
    lag: int = 0
    missing: tuple[str, ...] = ()

    @property
    def oldest_checkpoint_seconds(self) -> float | None:
        """None: no partition has one."""
        ages = [p.checkpoint_age_seconds for p in self.partitions if p.checkpoint_age_seconds is not None]
        return max(ages, default=None)

    def problems(self) -> Iterator[str]:
        """Of the service and of its partitions."""
        if self.missing:
            yield f"no such topic: {', '.join(self.missing)}; `driftloop topics apply` creates our topics"
        if not self.partitions and not self.members and self.lag:
            yield f"{self.lag:,} records wait and nobody is in the group"
        waiting = sum(p.lag > 0 for p in self.partitions)
        if self.partitions and not self.members and waiting:
            yield (
                f"{self.lag:,} records wait in {waiting} partitions and no {self.service} runs: "
                f"`driftloop {self.service}` (or `driftloop up`)"
            )
        for partition in self.partitions:
            if self.members:
                yield from partition.problems()
            else:
                yield from [partition.foreign] if partition.foreign else partition.lost()


def owners(members: tuple[Member, ...]) -> Mapping[int, Member]:
    """Who holds each partition."""
    return {partition: member for member in members for partition in member.partitions}
