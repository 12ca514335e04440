"""The coordinator of one consumer group: members that join, leave and fall silent; eager rebalances; commits.

As Kafka's classic protocol: whoever does not rejoin within the rebalance timeout, or sends no heartbeat for the
session timeout, is out; a commit of an older generation is refused. A static member that comes back under its name
takes its seat again, without a rebalance, and its namesake is out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count

from .kafka import Broker, Place

HEARTBEAT_SECONDS = 1.0
SWEEP_SECONDS = 0.5


class Out(Exception):
    """Not a member any more: join anew."""


class Namesake(Exception):
    """Another process has joined under this instance id."""


@dataclass
class Member:
    name: str
    instance: str
    seen: float
    joined: asyncio.Future[tuple[int, list[Place]]] | None = None


class Group:
    """``committed``: offset and metadata by partition. ``moves``: assignments made."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        broker: Broker,
        topics: tuple[str, ...],
        partitions: int,
        session: float,
    ) -> None:
        self.loop, self.broker = loop, broker
        self.topics, self.partitions = topics, partitions
        self.session = session
        self.rebalance_seconds_most = max(12.0, session)
        self.members: dict[str, Member] = {}
        self.generation = 0
        self.assignment: dict[str, list[Place]] = {}
        self.joining_since: float | None = None
        self.committed: dict[Place, tuple[int, str]] = {}
        self.moves = self.expelled = 0
        self._names = count()

    async def sweep(self) -> None:
        """Who was silent for a session is out; who is late for a rebalance too."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self.loop.time()
            silent = [m for m in self.members.values() if m.joined is None and now - m.seen > self.session]
            late = self.joining_since is not None and now - self.joining_since > self.rebalance_seconds_most
            if late:
                silent += [m for m in self.members.values() if m.joined is None and m not in silent]
            if not self.broker.away:
                for member in silent:
                    self.expelled += 1
                    self._remove(member)
            self._complete()

    async def join(self, name: str, instance: str = "") -> tuple[str, int, list[Place]]:
        """(member name, generation, partitions) of the next generation."""
        self.broker.answer()
        same = next((m for m in self.members.values() if instance and m.instance == instance), None)
        if same is not None and same.name != name:
            return self._take_seat(same, instance)
        if name not in self.members:
            name = f"member-{next(self._names)}"
            self.members[name] = Member(name, instance, self.loop.time())
        member = self.members[name]
        joined = member.joined = asyncio.get_running_loop().create_future()
        if self.joining_since is None:
            self.joining_since = self.loop.time()
        self._complete()
        generation, places = await joined
        return name, generation, places

    def _take_seat(self, same: Member, instance: str) -> tuple[str, int, list[Place]]:
        name = f"member-{next(self._names)}"
        places = self.assignment.pop(same.name, [])
        del self.members[same.name]
        self.members[name] = Member(name, instance, self.loop.time())
        self.assignment[name] = places
        return name, self.generation, places

    def heartbeat(self, name: str, generation: int, instance: str = "") -> bool:
        """False: a rebalance is under way, join again."""
        self.broker.answer()
        if name not in self.members:
            if instance and any(m.instance == instance for m in self.members.values()):
                raise Namesake
            raise Out
        self.members[name].seen = self.loop.time()
        return generation == self.generation and self.joining_since is None

    def leave(self, name: str) -> None:
        if name in self.members:
            self._remove(self.members[name])
            self._complete()

    def commit(self, name: str, generation: int, offsets: dict[Place, tuple[int, str]]) -> bool:
        self.broker.answer()
        if name not in self.members or generation != self.generation:
            return False
        self.committed |= offsets
        return True

    def forget_members(self) -> None:
        """All of them are gone."""
        self.members.clear()
        self.assignment.clear()
        self.joining_since = None

    def rebalance(self) -> None:
        """Somebody asks for one."""
        if self.joining_since is None and self.members:
            self.joining_since = self.loop.time()

    def _remove(self, member: Member) -> None:
        del self.members[member.name]
        self.assignment.pop(member.name, None)
        if self.members and self.joining_since is None:
            self.joining_since = self.loop.time()

    def _complete(self) -> None:
        """Everybody is there: the next generation, partitions in ranges."""
        if self.joining_since is None or not self.members:
            self.joining_since = None if not self.members else self.joining_since
            return
        if any(m.joined is None for m in self.members.values()):
            return
        self.joining_since = None
        self.generation += 1
        self.moves += 1
        names = sorted(self.members)
        self.assignment = {name: [] for name in names}
        for partition in range(self.partitions):
            name = names[partition * len(names) // self.partitions]
            self.assignment[name] += [(topic, partition) for topic in self.topics]
        for member in self.members.values():
            member.seen = self.loop.time()
            joined, member.joined = member.joined, None
            if joined is not None and not joined.done():
                joined.set_result((self.generation, self.assignment[member.name]))
