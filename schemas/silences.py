"""A silence: a person's word that for some event time nobody shall be called, with who, why and until when.

It is a ``CommandGiven`` of command ``silence``; its arguments: ``from`` and ``until`` (ISO times), or ``end`` with
the id of a silence that ends now; ``kind`` and ``feature`` narrow it, ``maintenance`` "yes" makes it a maintenance
window: what is predicted in it is no evidence. From ``as_of`` on it counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import CommandGiven
from driftloop.schemas.headers import event_id

COMMAND = "silence"
KINDS = ("performance", "data_quality", "drift")
"""What can be silenced: incidents of the loss, incidents of data quality, alarms of features and scores."""
ID_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Silence:
    """In force from ``begins_at`` (included) to ``ends_at`` (not included), event time. ``kind`` and ``feature``:
    empty, all of them."""

    identity: str
    author: str
    reason: str
    begins_at: float
    ends_at: float
    kind: str = ""
    feature: str = ""
    maintenance: bool = False

    def covers(self, time: float, kind: str, features: Iterable[str]) -> bool:
        """Is what was found at ``time`` silenced? Of a feature's silence: only what is about that feature alone."""
        if not self.begins_at <= time < self.ends_at or self.kind not in ("", kind):
            return False
        return not self.feature or set(features) == {self.feature}


class Order(NamedTuple):
    """A command as the judge takes it. ``silence`` None: the silence with the id ``ends`` is to end."""

    offset: int
    as_of: float
    author: str
    reason: str
    silence: Silence | None
    ends: str = ""


def order_of(offset: int, command: CommandGiven) -> Order:
    """Errors: BadRecord ``bad-command``: it says no time, ends before it begins, or nobody gave it."""
    said = command.arguments
    if not math.isfinite(command.as_of):
        raise BadRecord("bad-command", f"a silence of {command.model} given at {command.as_of!r}", EXAMPLE)
    if not command.author.strip() or not command.reason.strip():
        raise BadRecord("bad-command", f"a silence of {command.model} without author or reason", EXAMPLE)
    if ends := said.get("end"):
        return Order(offset, command.as_of, command.author, command.reason, None, ends)
    silence = Silence(
        identity_of(command),
        command.author,
        command.reason,
        _time(said, "from"),
        _time(said, "until"),
        said.get("kind", ""),
        said.get("feature", ""),
        said.get("maintenance") == "yes",
    )
    if silence.kind not in ("", *KINDS):
        raise BadRecord("bad-command", f"{silence.kind!r} is no kind of alarm", f"one of {', '.join(KINDS)}")
    if silence.ends_at <= silence.begins_at:
        raise BadRecord("bad-command", f"the silence ends {said['until']}, it begins {said['from']}", EXAMPLE)
    return Order(offset, command.as_of, command.author, command.reason, silence)


EXAMPLE = 'driftloop silence loans --author ada --reason "the bureau is migrated" --for 6h'


def identity_of(command: CommandGiven) -> str:
    """The id of a silence: the same word is the same silence."""
    said = [f"{name}={text}" for name, text in sorted(command.arguments.items())]
    return event_id(COMMAND, command.model, command.author, command.reason, command.as_of, *said)[:ID_DIGITS]


def _time(said: Mapping[str, str], name: str) -> float:
    try:
        moment = datetime.fromisoformat(said[name])
    except (KeyError, ValueError):
        raise BadRecord("bad-command", f"{name}={said.get(name)!r} of a silence is no time", EXAMPLE) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
