"""What a person says about dead letters (ids, times, topics), and the dead-letter topic read through a ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from driftloop.console.cat import find_topic
from driftloop.console.dlq_ledger import Ledger, Place, Selection
from driftloop.console.reading import read_messages
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.letters import Letter
from driftloop.schemas.monitor.toml_reader import duration
from driftloop.schemas.settings import Settings

DEAD_LETTER = "dead-letter"


def selection(settings: Settings, reason: str = "", topic: str = "", ids: tuple[str, ...] = ()) -> Selection:
    """What was asked for. Errors: ConfigError, for a topic or an id that is none."""
    full = find_topic(settings, topic)[1] if topic else ""
    return Selection(reason, full, frozenset(place_of(settings, one) for one in ids))


def place_of(settings: Settings, text: str) -> Place:
    """``2:41``, or with the topic's name in front of it. Errors: ConfigError."""
    try:
        *named, partition, offset = text.split(":")
        if (named or [settings.topic(DEAD_LETTER)]) == [settings.topic(DEAD_LETTER)]:
            return Place(int(partition), int(offset))
    except ValueError:
        pass
    hint = f"partition:offset in {settings.topic(DEAD_LETTER)}, as `driftloop dlq list` prints it: 2:41"
    raise ConfigError(f"{text!r} is no dead letter's id", hint)


def since_ms(text: str) -> int | None:
    """Milliseconds since the epoch of "6 h" ago or of a time in UTC; None for nothing. Errors: ConfigError."""
    if not text:
        return None
    ago = duration(text)
    if ago is not None:
        return int((time.time() - ago) * 1000)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        hint = '--since "6 h", --since "2 d", --since 2026-11-21T15:00'
        raise ConfigError(f"{text!r} is neither a time nor a duration", hint) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def absorbed(settings: Settings, ledger: Ledger, since: int | None) -> Iterator[tuple[Place, Letter, Any]]:
    """Read the topic to its end as of now through the ledger; what was selected comes out, with its message."""
    for message in read_messages(settings, settings.topic(DEAD_LETTER), since_ms=since):
        place = Place(message.partition(), message.offset())
        letter = ledger.absorb(place, message.timestamp()[1], message.headers(), message.value())
        if letter is not None:
            yield place, letter, message


def when(timestamp_ms: int) -> str:
    """UTC, to the second; what is no time stays a number."""
    try:
        return datetime.fromtimestamp(timestamp_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return str(timestamp_ms)
