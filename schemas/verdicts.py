"""A verdict: a person's word on an incident, that something was wrong or that it was a false alarm.

It is a ``CommandGiven`` of command ``incident``; its arguments: ``incident``, the id, and ``verdict``, real or false.
The last word on an incident counts. It changes nothing that is told or trained: the budget is held against it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import CommandGiven

COMMAND = "incident"
REAL, FALSE = "real", "false"
EXAMPLE = 'driftloop incident loans 3f9c02d1 --false --author ada --reason "a holiday"'


class Verdict(NamedTuple):
    """``real``: something was wrong; otherwise nothing was."""

    incident: str
    real: bool
    author: str
    reason: str


def command_of(model: str, verdict: Verdict, as_of: float) -> CommandGiven:
    """``as_of``: the last that the incident has told, event time."""
    arguments = {"incident": verdict.incident, "verdict": REAL if verdict.real else FALSE}
    return CommandGiven(model, COMMAND, verdict.author, verdict.reason, as_of, arguments)


def verdict_of(command: CommandGiven) -> Verdict:
    """Errors: BadRecord ``bad-command``: it is about no incident, says neither, or nobody gave it."""
    incident, said = command.arguments.get("incident", ""), command.arguments.get("verdict", "")
    if not incident or said not in (REAL, FALSE):
        raise BadRecord("bad-command", f"a verdict {said!r} on incident {incident!r} of {command.model}", EXAMPLE)
    if not command.author.strip() or not command.reason.strip():
        raise BadRecord("bad-command", f"a verdict on {incident} without author or reason", EXAMPLE)
    return Verdict(incident, said == REAL, command.author, command.reason)


def last_words(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """By incident; ``verdicts`` in the order in which they were given."""
    return {verdict.incident: verdict for verdict in verdicts}
