"""`driftloop dlq replay`: records back onto their topics, each once, however often it is said.

plan    read the topic, find the originals, say what would happen        (a dry run ends here)
write   fence whoever else replays, read what is replayed by now, put the rest back in small transactions
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from driftloop.console.dlq_ledger import Ledger, Place
from driftloop.console.dlq_letters import DEAD_LETTER, absorbed, selection, since_ms
from driftloop.console.dlq_originals import Original, Originals
from driftloop.console.dlq_writer import ReplayWriter, Return
from driftloop.console.reading import read_messages
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.letters import Letter, read_letter
from driftloop.schemas.settings import Settings

TRANSACTION_RECORDS_MOST = 1_000
TRANSACTION_BYTES_MOST = 8 << 20


class Wish(NamedTuple):
    """What is to be replayed, in the words of the command line."""

    reason: str = ""
    since: str = ""
    topic: str = ""
    ids: tuple[str, ...] = ()
    again: bool = False


class Plan(NamedTuple):
    """``chosen``: a letter of each record. ``copies``: all letters of a record that has several. ``since``: ms."""

    chosen: set[Place]
    copies: dict[Place, list[Place]]
    replayed: int
    since: int | None


def replay_letters(
    settings: Settings,
    wish: Wish,
    dry_run: bool,
    asked: Callable[[str], bool] | None,
    say: Callable[[str], None],
) -> bool:
    """Say, ask, put back. ``asked`` None: go ahead. True: some are left. Errors: ConfigError, Unavailable."""
    since = since_ms(wish.since)
    plan = make_plan(settings, wish, since)
    if plan.replayed:
        say(f"{plan.replayed:,} were replayed before and are left alone (--again takes them too)")
    if not plan.chosen:
        say("nothing is to be replayed")
        return False
    outcome = Counter[str]()
    would: Counter[str] = Counter()
    for found in originals(settings, plan, outcome):
        would[f"{found[1].topic}: {{}} of the reason {found[2].reason}"] += 1
        outcome["fetched"] += found[1].fetched
    for line, count in sorted(would.items()):
        say(line.format(f"{count:,}"))
    if outcome["fetched"]:
        say(f"{outcome['fetched']:,} of them were too large for a letter and come from their topic")
    lost = _say_lost(outcome, say)
    ready = sum(would.values())
    if dry_run or not ready:
        say(f"a dry run: {ready:,} would be put back" if dry_run else "nothing can be put back")
        return lost
    if asked is not None and not asked(f"put {ready:,} records back onto their topics?"):
        say("nothing was done")
        return False
    return _write(settings, wish, since, say)


def make_plan(settings: Settings, wish: Wish, since: int | None) -> Plan:
    """Read the topic to its end. Errors: ConfigError, for an id at which there is no letter."""
    ledger = Ledger(selection(settings, wish.reason, wish.topic, wish.ids))
    places = {place for place, _, _ in absorbed(settings, ledger, since)} if wish.ids else set()
    if not wish.ids:
        for _ in absorbed(settings, ledger, since):
            pass
    for place in set(ledger.selection.places) - places:
        raise ConfigError(f"there is no dead letter {place} that fits", "`driftloop dlq list` prints their ids")
    chosen = ledger.to_replay(wish.again)
    replayed = 0 if wish.again else sum(group.replayed for group in ledger.groups())
    return Plan(chosen, ledger.same_record(chosen), replayed, since)


def originals(settings: Settings, plan: Plan, lost: Counter[str]) -> Iterator[tuple[Place, Original, Letter]]:
    """The records of a plan, in the order of the topic; ``lost`` counts by reason those that cannot be had."""
    finder = Originals(settings)
    for message in read_messages(settings, settings.topic(DEAD_LETTER), since_ms=plan.since):
        place = Place(message.partition(), message.offset())
        if place not in plan.chosen:
            continue
        letter = read_letter(message.headers())
        found: Any = finder.of(place, letter, message)
        if isinstance(found, str):
            lost[found] += 1
        else:
            yield place, found, letter


def _write(settings: Settings, wish: Wish, since: int | None, say: Callable[[str], None]) -> bool:
    writer = ReplayWriter(settings)
    plan = make_plan(settings, wish, since)  # behind the fence nobody else can replay: what is noted now is all
    outcome = Counter[str]()
    batch: list[Return] = []
    size = 0

    def flush() -> None:
        refused = writer.write(batch) if batch else {}
        outcome["done"] += len(batch) - len(refused)
        outcome.update(refused.values())
        batch.clear()

    for place, original, _ in originals(settings, plan, outcome):
        if batch and (len(batch) == TRANSACTION_RECORDS_MOST or size + original.nbytes > TRANSACTION_BYTES_MOST):
            flush()
            size = 0
        batch.append(Return(original, plan.copies.get(place, [place])))
        size += original.nbytes
    flush()
    say(f"{outcome['done']:,} records are back on their topics")
    return _say_lost(outcome, say)


def _say_lost(outcome: Counter[str], say: Callable[[str], None]) -> bool:
    lost = {why: count for why, count in outcome.items() if why not in ("done", "fetched") and count}
    for why, count in sorted(lost.items()):
        say(f"{count:,} cannot be put back: {why}")
    return bool(lost)
