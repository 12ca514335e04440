"""From a dead letter back to its record: out of the letter, or, where that was cut, out of its topic once more."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from driftloop.console.dlq_ledger import Place
from driftloop.console.dlq_letters import DEAD_LETTER
from driftloop.console.reading import partitions_of, read_one
from driftloop.schemas.deadletter import Header
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.letters import Letter, replay_headers
from driftloop.schemas.settings import Settings
from driftloop.schemas.topics import TOPICS

NOT_OURS = "their topic is none of driftloop's, or is gone"
NO_PARTITION = "their topic has no such partition any more"
EXPIRED = "the letter was cut, and the original has left its topic"
REPLACED = "the letter was cut, and another record is in the original's place"


class Original(NamedTuple):
    """A record as it goes onto its topic again. ``fetched``: from the topic, not from the letter."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]
    timestamp_ms: int
    fetched: bool

    @property
    def nbytes(self) -> int:
        """Key and value."""
        return len(self.key or b"") + len(self.value or b"")


class Originals:
    """Finds the record behind a letter, once more with the cluster's word on the topics as of now."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ours = {settings.topic(short) for short in TOPICS} - {settings.topic(DEAD_LETTER)}
        self._partitions: dict[str, int] = {}

    def of(self, place: Place, letter: Letter, message: Any) -> Original | str:
        """The record, or why there is none. Errors: Unavailable."""
        partitions = self._partitions_of(letter.topic)
        if not 0 <= letter.partition < partitions:
            return NO_PARTITION if partitions else NOT_OURS
        headers = replay_headers(letter, f"{message.topic()}:{place}")
        stamp = letter.timestamp_ms
        if letter.complete:
            return Original(letter.topic, letter.partition, message.key(), message.value(), headers, stamp, False)
        found = read_one(self._settings, letter.topic, letter.partition, letter.offset)
        if found is None:
            return EXPIRED
        if not (_fits(found.value(), letter.value_sha256) and _fits(found.key(), letter.key_sha256)):
            return REPLACED
        whole = letter._replace(headers=tuple(found.headers() or ())) if letter.headers_dropped else letter
        headers = replay_headers(whole, f"{message.topic()}:{place}")
        return Original(letter.topic, letter.partition, found.key(), found.value(), headers, stamp, True)

    def _partitions_of(self, topic: str) -> int:
        if topic not in self._partitions:
            try:
                self._partitions[topic] = partitions_of(self._settings, topic) if topic in self._ours else 0
            except ConfigError:
                self._partitions[topic] = 0
        return self._partitions[topic]


def _fits(found: bytes | None, sha256: str) -> bool:
    return not sha256 or hashlib.sha256(found or b"").hexdigest() == sha256
