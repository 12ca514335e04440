"""`driftloop silence MODEL`: nobody is called for a while, by whose word and why; or a maintenance window.

Times are event time. "Now" is the newest event time on the topics of predictions and ground truth, for the clock of
this machine would be wrong wherever events are replayed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from driftloop.console.models import find_specification, read_catalogue
from driftloop.console.publishing import Publication, publish
from driftloop.console.reading import read_messages, read_tails
from driftloop.schemas.batches.columns import read_predictions, read_truths
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import decode
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.events import CommandGiven, SilenceChanged
from driftloop.schemas.headers import rfc3339
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.settings import Settings
from driftloop.schemas.silences import COMMAND, EXAMPLE, KINDS, Order, Silence, order_of

TAIL_RECORDS = 1_000
LENGTH = re.compile(r"(\d+(?:\.\d+)?) ?([mhd])")
SECONDS = {"m": 60.0, "h": 3_600.0, "d": 86_400.0}


class Wish(NamedTuple):
    """What a person asks for. Times None: not said. ``length``: as 90m, 6h or 2d."""

    author: str
    reason: str
    from_time: float | None = None
    until: float | None = None
    length: str = ""
    kind: str = ""
    feature: str = ""
    maintenance: bool = False


def silence(settings: Settings, model: str, wish: Wish) -> Silence:
    """Write the command. ConfigError: it cannot be meant, with an example of one that can."""
    catalogue = read_catalogue(settings)
    specification = find_specification(catalogue, model)
    now = newest_event(settings, model, catalogue.layouts)
    command = command_of(specification, wish, now)
    publish(settings, [Publication("commands", model, command)])
    found = order_of(0, command).silence
    assert found is not None
    return found


def command_of(specification: MonitorSpecification, wish: Wish, now: float | None) -> CommandGiven:
    """The command that is meant, as of ``now`` on the model's clock (None: nothing of it is on the topics). Pure."""
    _check_person(wish.author, wish.reason)
    known = [f.name for f in specification.features]
    if wish.feature and wish.feature not in known:
        raise ConfigError(f"{specification.model} has no feature {wish.feature}", f"one of {', '.join(known)}")
    if wish.kind and wish.kind not in KINDS:
        raise ConfigError(f"{wish.kind} is no kind of alarm", f"one of {', '.join(KINDS)}; without --kind: all")
    if wish.maintenance and (wish.kind or wish.feature):
        raise ConfigError("a maintenance window is about all of a model", "leave --kind and --feature away")
    begins = wish.from_time if wish.from_time is not None else now
    if begins is None:
        raise ConfigError(
            f"nothing of {specification.model} is on the topics, so there is no now", "say since when with --from"
        )
    ends = _end(wish, begins)
    if ends <= begins:
        raise ConfigError(f"the silence would end {rfc3339(ends)}, it begins {rfc3339(begins)}", EXAMPLE)
    if now is not None and ends <= now:
        raise ConfigError(f"it is {rfc3339(now)} for the model, the silence ends {rfc3339(ends)}", EXAMPLE)
    arguments = {"from": rfc3339(begins), "until": rfc3339(ends)}
    more = {"kind": wish.kind, "feature": wish.feature, "maintenance": "yes" if wish.maintenance else ""}
    arguments |= {name: text for name, text in more.items() if text}
    as_of = begins if now is None else now
    return CommandGiven(specification.model, COMMAND, wish.author, wish.reason, as_of, arguments)


def _end(wish: Wish, begins: float) -> float:
    if (wish.until is None) == (not wish.length):
        raise ConfigError("a silence needs an end: --until or --for, one of them", EXAMPLE)
    if wish.until is not None:
        return wish.until
    found = LENGTH.fullmatch(wish.length.strip())
    if found is None:
        raise ConfigError(f"--for {wish.length!r} is no length of time", "90m, 6h or 2d")
    return begins + float(found[1]) * SECONDS[found[2]]


def end(settings: Settings, model: str, identity: str, author: str, reason: str) -> None:
    """End a silence now. ConfigError: there is none with this id."""
    _check_person(author, reason)
    catalogue = read_catalogue(settings)
    find_specification(catalogue, model)
    now = newest_event(settings, model, catalogue.layouts)
    standing = [s for s in given(settings, catalogue, model) if now is None or s.ends_at > now]
    if identity not in [s.identity for s in standing]:
        known = ", ".join(s.identity for s in standing) or "none"
        raise ConfigError(
            f"no silence {identity} of {model} stands; there is {known}", f"driftloop silence {model} --list"
        )
    as_of = now if now is not None else standing[0].begins_at
    command = CommandGiven(model, COMMAND, author, reason, as_of, {"end": identity})
    publish(settings, [Publication("commands", model, command)])


def lines(settings: Settings, model: str) -> Iterator[str]:
    """The silences that stand or are to come, and what the judge has made of them."""
    catalogue = read_catalogue(settings)
    find_specification(catalogue, model)
    now = newest_event(settings, model, catalogue.layouts)
    taken = {change.silence: change for change in changes(settings, model)}
    return listing(given(settings, catalogue, model), taken, now)


def listing(silences: list[Silence], taken: dict[str, SilenceChanged], now: float | None) -> Iterator[str]:
    """One line a silence that is not over. Pure."""
    for s in silences:
        change = taken.get(s.identity)
        if (change and change.change != "counts") or (now is not None and s.ends_at <= now):
            continue
        about = ", ".join(text for text in (s.kind, s.feature) if text) or "everything"
        what = "maintenance" if s.maintenance else f"silence of {about}"
        counts = f"counts since {rfc3339(change.as_of)}" if change else "the judge has not taken it yet"
        span = f"{rfc3339(s.begins_at)} to {rfc3339(s.ends_at)}"
        yield f"{s.identity}  {span}  {what}, by {s.author}: {s.reason} ({counts})"


def given(settings: Settings, catalogue: Catalogue, model: str) -> list[Silence]:
    """All silences of the model that are on the topic; ``catalogue`` takes them in."""
    return [order.silence for order in orders(settings, catalogue, model) if order.silence is not None]


def orders(settings: Settings, catalogue: Catalogue, model: str) -> list[Order]:
    """All that was said of silences of the model, from the commands topic into ``catalogue``."""
    for message in read_messages(settings, settings.topic("commands")):
        catalogue.absorb("commands", message.offset(), message.key(), message.value())
    return catalogue.orders(model)


def changes(settings: Settings, model: str) -> list[SilenceChanged]:
    """What the judge has told of silences of the model."""
    found = []
    for message in read_messages(settings, settings.topic("drift")):
        if message.key() == model.encode() and message.value() is not None:
            try:
                event = decode(message.value())
            except BadRecord:
                continue  # somebody else's
            if isinstance(event, SilenceChanged):
                found.append(event)
    return found


def newest_event(settings: Settings, model: str, layouts: Layouts) -> float | None:
    """Event time of the newest prediction or truth among the last of every partition; None: there is none."""
    times: list[float] = []
    values = [message.value() for message in read_tails(settings, settings.topic("predictions"), TAIL_RECORDS)]
    times += [float(p.event_time.max()) for p in read_predictions(values, layouts).columns if p.model == model]
    values = [message.value() for message in read_tails(settings, settings.topic("ground-truth"), TAIL_RECORDS)]
    for part in read_truths(values, layouts).columns:
        if part.model == model and len(part.event_time):
            times.append(float(part.event_time.max()))
    return max(times, default=None)


def _check_person(author: str, reason: str) -> None:
    if not author.strip() or not reason.strip():
        raise ConfigError("a silence needs --author and --reason: whoever is not called will ask", EXAMPLE)
