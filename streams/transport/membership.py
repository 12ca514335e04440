"""Static membership: a worker with an instance id that comes back within the session finds its partitions waiting.

The group is not rebalanced for that, so nobody else stands still. The price: a worker that stops for good keeps its
partitions from the others until the session has run out, for it does not leave the group.

Two processes with one id: the group lets the younger take the seat. aiokafka would then simply join anew and take it
back, for ever in turn; so the answers of the group's coordinator are read here, and the older one ends.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.errors import UnknownMemberIdError
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, SyncGroupRequest
from driftloop.streams.transport.exits import Exit, leave

FENCED_INSTANCE_ID = 82
"""Of Kafka's error codes; aiokafka has no name for it."""
MEMBER_REQUESTS = (JoinGroupRequest, SyncGroupRequest, HeartbeatRequest)


class Seat:
    """The place of one static member in its group. Times in seconds of any clock."""

    def __init__(self, instance_id: str, session_seconds: float) -> None:
        self.instance_id = instance_id
        self._session_seconds = session_seconds
        self._last_ok = float("-inf")

    def lost(self, error_code: int, now: float) -> bool:
        """Does this answer say that another process has taken the seat?

        A member is also unknown when its session has run out (it was frozen, or cut off): then it may join anew.
        """
        if error_code == 0:
            self._last_ok = now
        unknown = error_code == UnknownMemberIdError.errno and now - self._last_ok < self._session_seconds
        return unknown or error_code == FENCED_INSTANCE_ID


def keep_seat(coordinator: Any, seat: Seat, end: Callable[[Exit, str], Any] = leave) -> None:
    """Read every answer to a member's request from now on; FENCED is the end of a process whose seat is taken."""
    plain: Callable[[Any], Awaitable[Any]] = coordinator._send_req

    async def send(request: Any) -> Any:
        response = await plain(request)
        if isinstance(request, MEMBER_REQUESTS) and seat.lost(response.error_code, time.monotonic()):
            end(
                Exit.FENCED,
                f"another process has joined the group as {seat.instance_id!r}: "
                "each worker needs an instance id of its own (DRIFTLOOP_INSTANCE_ID)",
            )
        return response

    coordinator._send_req = send
