"""`driftloop dlq list`: dead letters counted by reason, topic and service, and the latest of them."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Sequence

from driftloop.console.dlq_ledger import Group, Ledger, Place
from driftloop.console.dlq_letters import absorbed, selection, since_ms, when
from driftloop.schemas.letters import Letter
from driftloop.schemas.settings import Settings

MESSAGE_CHARACTERS_SHOWN = 80
HEAD = ("reason", "topic", "service", "letters", "replayed", "came back", "first refused", "last refused")
Latest = list[tuple[int, Place, Letter]]


def list_lines(settings: Settings, reason: str, since: str, topic: str, limit: int, as_json: bool) -> Iterator[str]:
    """Lines for a person, or one of JSON. Errors: ConfigError, Unavailable."""
    ledger = Ledger(selection(settings, reason, topic))
    letters = absorbed(settings, ledger, since_ms(since))
    latest: Latest = heapq.nlargest(limit, ((m.timestamp()[1], place, letter) for place, letter, m in letters))
    for _ in letters:  # nlargest(0) reads nothing
        pass
    groups = ledger.groups()
    if as_json:
        yield json.dumps(_jsonable(groups, latest, ledger))
    elif not groups:
        yield "no dead letters" + (" that were asked for" if reason or since or topic else "")
    else:
        yield from _table(groups)
        yield from _latest(latest, ledger)


def _table(groups: Sequence[Group]) -> Iterator[str]:
    rows = [HEAD] + [(*map(str, g[:6]), when(g.first_ms), when(g.last_ms)) for g in groups]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    for row in rows:
        cells = [
            cell.rjust(width) if 3 <= i <= 5 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _latest(latest: Latest, ledger: Ledger) -> Iterator[str]:
    if not latest:
        return
    yield ""
    yield f"the latest {len(latest)} (`driftloop dlq show ID`):" if len(latest) > 1 else "the latest:"
    width = max(len(str(place)) for _, place, _ in latest)
    for refused_ms, place, letter in latest:
        note = " (replayed)" if ledger.replayed(place) else ""
        why = letter.message.split("\n")[0][:MESSAGE_CHARACTERS_SHOWN]
        source = f"{letter.topic}[{letter.partition}]@{letter.offset}"
        yield f"  {place!s:<{width}}  {when(refused_ms)}  {source}  {letter.reason}: {why}{note}"


def _jsonable(groups: Sequence[Group], latest: Latest, ledger: Ledger) -> dict[str, object]:
    return {
        "letters": sum(g.letters for g in groups),
        "replayed": sum(g.replayed for g in groups),
        "came_back": sum(g.came_back for g in groups),
        "groups": [g._asdict() for g in groups],
        "latest": [
            {
                "id": str(place),
                "refused_ms": refused_ms,
                "reason": letter.reason,
                "message": letter.message,
                "service": letter.service,
                "topic": letter.topic,
                "partition": letter.partition,
                "offset": letter.offset,
                "replays": letter.replays,
                "replayed": ledger.replayed(place),
            }
            for refused_ms, place, letter in latest
        ],
    }
