"""A dead letter read back: which record it is, why it was refused, and how it goes onto its topic again.

The opposite of deadletter.py. Of headers that came twice the last counts: ours stand behind the original's, so no
record can claim a place or a reason that is not its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from driftloop.schemas.deadletter import CONNECT, Header
from driftloop.schemas.errors import BadRecord

REPLAYED_FROM = "driftloop.replayed-from"
"""On a replayed record: the dead letter it was taken from, ``topic:partition:offset``."""
REPLAYS = "driftloop.replays"
"""On a replayed record: for the how many-th time. A letter that carries it has come back dead."""
MARKER = "driftloop.replayed"
"""On a record of the dead-letter topic that is no letter: its value names letters of its partition that were
replayed, written in the same transaction as what they became."""
_FIRST_OWN = f"{CONNECT}topic"


class Letter(NamedTuple):
    """What the headers of a dead letter say. ``headers``: the original's own, without those of an earlier replay.

    ``value_sha256`` and ``key_sha256``: set where the letter holds only the first bytes. ``headers_dropped``: so many
    of the original's headers it lacks. ``timestamp_ms``: the original's, from Kafka.
    """

    topic: str
    partition: int
    offset: int
    service: str
    reason: str
    message: str
    timestamp_ms: int
    replays: int
    headers: tuple[Header, ...]
    value_sha256: str = ""
    value_size: int = -1
    key_sha256: str = ""
    headers_dropped: int = 0

    @property
    def complete(self) -> bool:
        """The whole record is in the letter."""
        return not (self.value_sha256 or self.key_sha256 or self.headers_dropped)


def is_marker(headers: Sequence[Header] | None) -> bool:
    """This record of the dead-letter topic is a note of ours; a letter has more headers, whatever an app has sent."""
    return headers is not None and len(headers) == 1 and headers[0][0] == MARKER


def read_letter(headers: Sequence[Header] | None) -> Letter:
    """What the headers say. Errors: BadRecord ``no-dead-letter``, for what no service of ours has written."""
    headers = headers or ()
    found = {name: value or b"" for name, value in headers}
    try:
        own = max(i for i, (name, _) in enumerate(headers) if name == _FIRST_OWN)
        return Letter(
            found[_FIRST_OWN].decode(),
            int(found[f"{CONNECT}partition"]),
            int(found[f"{CONNECT}offset"]),
            found[f"{CONNECT}connector.name"].decode(),
            found["driftloop.reason"].decode(),
            found[f"{CONNECT}exception.message"].decode("utf-8", "replace"),
            int(found["driftloop.timestamp_ms"]),
            _count(found.get(REPLAYS)),
            tuple([header for header in headers[:own] if header[0] not in (REPLAYED_FROM, REPLAYS)]),
            **_cut(dict(headers[own:])),
        )
    except (ValueError, KeyError) as error:
        raise BadRecord("no-dead-letter", f"its headers are not a dead letter's: {error!r}") from None


def replay_headers(letter: Letter, place: str) -> list[Header]:
    """The original's headers, and that it was replayed. ``place``: ``topic:partition:offset`` of the letter."""
    return [*letter.headers, (REPLAYED_FROM, place.encode()), (REPLAYS, str(letter.replays + 1).encode())]


def marker(offsets: Sequence[int]) -> tuple[bytes, list[Header]]:
    """(value, headers) of the note that the letters at these offsets of its partition were replayed.

    >>> value, headers = marker([3, 9])
    >>> is_marker(headers), marked(value)
    (True, [3, 9])
    """
    return json.dumps({"offsets": list(offsets)}).encode(), [(MARKER, str(len(offsets)).encode())]


def marked(value: bytes | None) -> list[int]:
    """The offsets that a marker names; none if it cannot be read."""
    try:
        return [int(offset) for offset in json.loads(value or b"")["offsets"]]
    except (ValueError, KeyError, TypeError):
        return []


def _cut(own: dict[str, bytes | None]) -> dict[str, Any]:
    """Which parts the letter does not hold as a whole; only our own headers are asked."""
    found: dict[str, Any] = {}
    if sha256 := own.get("driftloop.value.sha256"):
        found |= {"value_sha256": sha256.decode(), "value_size": int(own.get("driftloop.value.size") or b"-1")}
    if sha256 := own.get("driftloop.key.sha256"):
        found["key_sha256"] = sha256.decode()
    if dropped := own.get("driftloop.headers.dropped"):
        found["headers_dropped"] = int(dropped)
    return found


def _count(value: bytes | None) -> int:
    """How often it was replayed; an app may have written anything there."""
    return int(value) if value and value.isdigit() and len(value) < 10 else 0
