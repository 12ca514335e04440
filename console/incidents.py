"""`driftloop incidents MODEL` and `driftloop incident MODEL ID`: what was opened, and which of it people call false.

The budget of a monitor promises how many false incidents there will be. Only people know which were: their verdicts
lie on the commands topic, and the list counts them beside what the budget allows for the time that was watched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from driftloop.console.models import catalogue_of, find_specification, is_of, read_of_model
from driftloop.console.publishing import Publication, publish
from driftloop.console.reading import read_messages
from driftloop.schemas.codec import decode
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.events import CommandGiven, IncidentChanged, WindowMeasured
from driftloop.schemas.headers import rfc3339
from driftloop.schemas.settings import Settings
from driftloop.schemas.verdicts import COMMAND, EXAMPLE, Verdict, command_of, last_words, verdict_of

DAY_SECONDS = 86_400.0
ID_DIGITS = 12
"""Shown of an id; so many or fewer name an incident, as long as they mean one."""


class Watched(NamedTuple):
    """``incidents``: the last that each has told, in the order of their opening. ``since``, ``until``: event time of
    the windows that are there, both 0 where there are none."""

    incidents: tuple[IncidentChanged, ...]
    verdicts: Mapping[str, Verdict]
    budget_seconds: float
    since: float = 0.0
    until: float = 0.0


def watched(settings: Settings, model: str) -> Watched:
    """As of now, as far back as the topics reach. ConfigError: the model has no monitor. Unavailable."""
    found = read_of_model(settings, model, ("drift", "commands"))
    budget_seconds = find_specification(catalogue_of(settings, found), model).budget_seconds
    told = [event for event in _events(found["drift"]) if isinstance(event, IncidentChanged)]
    last = {event.incident: event for event in told}
    since, until = _span(settings, model)
    incidents = tuple(sorted(last.values(), key=lambda event: event.opened_at))
    return Watched(incidents, last_words(_verdicts(found["commands"])), budget_seconds, since, until)


def judge(settings: Settings, model: str, incident: str, real: bool, author: str, reason: str) -> Verdict:
    """Write a person's verdict. ConfigError: on what, or whose, is not clear."""
    if not author.strip() or not reason.strip():
        raise ConfigError("a verdict needs --author and --reason: somebody will ask", EXAMPLE)
    found = meant(watched(settings, model).incidents, model, incident)
    verdict = Verdict(found.incident, real, author, reason)
    publish(settings, [Publication("commands", model, command_of(model, verdict, found.as_of))])
    return verdict


def meant(incidents: Sequence[IncidentChanged], model: str, identity: str) -> IncidentChanged:
    """The one whose id begins like this. Pure. ConfigError: none does, or several do."""
    found = [incident for incident in incidents if identity and incident.incident.startswith(identity)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(incident.incident[:ID_DIGITS] for incident in (found or incidents)[-5:]) or "none"
    what = "more than one incident" if found else "no incident"
    raise ConfigError(f"{what} of {model} begins with {identity!r}; there is {known}", f"driftloop incidents {model}")


def lines(model: str, found: Watched) -> Iterator[str]:
    """The report. Pure."""
    for incident in found.incidents:
        over = f"to {rfc3339(incident.as_of)}" if incident.change == "resolved" else "still open"
        yield f"{incident.incident[:ID_DIGITS]}  {rfc3339(incident.opened_at)} {over}  {incident.kind}"
        yield f"  {incident.summary}"
        yield f"  {_said(found.verdicts.get(incident.incident))}"
    yield from _beside_budget(model, found)


def _said(verdict: Verdict | None) -> str:
    if verdict is None:
        return "nobody has said whether it was real"
    return f"{'real' if verdict.real else 'a false alarm'}, says {verdict.author}: {verdict.reason}"


def _beside_budget(model: str, found: Watched) -> Iterator[str]:
    said = [found.verdicts[one.incident].real for one in found.incidents if one.incident in found.verdicts]
    opened, false = len(found.incidents), said.count(False)
    yield f"{false} false of {opened} opened; {said.count(True)} real, {opened - len(said)} nobody has judged"
    if found.until > found.since:
        days, allowed = ((found.until - found.since) / seconds for seconds in (DAY_SECONDS, found.budget_seconds))
        yield f"{days:.1f} days were watched, for which the budget allows {allowed:.1f} false ones"
        if false > allowed:
            yield f"that is more than it allows: `driftloop replay {model} --spec new.toml` tries another monitor"


def _verdicts(messages: Iterable[Any]) -> Iterator[Verdict]:
    for event in _events(messages):
        if isinstance(event, CommandGiven) and event.command == COMMAND:
            try:
                yield verdict_of(event)
            except BadRecord:
                continue  # not written by us


def _span(settings: Settings, model: str) -> tuple[float, float]:
    """Event time from the model's first window to the last that was told; the records between are not looked into."""
    first = last = None
    for message in read_messages(settings, settings.topic("windows")):
        if is_of(model, message):
            first, last = first or message.value(), message.value()
    if first is None or last is None:
        return 0.0, 0.0
    begins, ends = decode(first), decode(last)
    if not (isinstance(begins, WindowMeasured) and isinstance(ends, WindowMeasured)):
        return 0.0, 0.0
    return begins.window_start, max(ends.as_of, ends.window_start + ends.window_seconds)


def _events(messages: Iterable[Any]) -> Iterator[object]:
    for message in messages:
        try:
            yield decode(message.value())
        except BadRecord:
            continue  # somebody else's
