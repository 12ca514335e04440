"""`driftloop topics apply` and `show`: what the comparison with the table found, in lines for a person."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from driftloop.console.connection import ANSWER_SECONDS, admin_client
from driftloop.console.topics import apply_topics, compare, read_topics, wanted_topics
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.settings import Settings
from driftloop.schemas.topics import FOREVER_DAYS, TOPICS, Topic


def apply_and_report(settings: Settings, fix: bool, wait_seconds: float, say: Callable[[str], None]) -> None:
    """Create, compare, fix on demand. ConfigError: differences are left; Unavailable: no cluster within the wait."""
    _wait_for_cluster(settings, wait_seconds)
    applied = apply_topics(settings, fix=fix)
    for name in applied.created:
        say(f"created {name}")
    for difference in applied.fixed:
        say(f"fixed {difference.topic}: {difference.setting} was {difference.found}, is {difference.wanted}")
    if applied.left:
        listed = "\n".join(f"  {difference}" for difference in applied.left)
        raise ConfigError(f"the cluster differs from the table of topics:\n{listed}", _way_out(fix))
    say(f"{len(TOPICS)} topics are as the table says")


def show(settings: Settings) -> Iterator[str]:
    """One line a topic: its name, partitions, cleanup, how long it keeps records, and what is wrong with it."""
    wanted = wanted_topics(settings)
    found = read_topics(admin_client(settings), wanted)
    wrong: dict[str, list[str]] = {name: [] for name in wanted}
    for difference in compare(wanted, found):
        wrong[difference.topic].append(f"{difference.setting} is {difference.found}, not {difference.wanted}")
    width = max(map(len, wanted))
    for topic in TOPICS.values():
        name = settings.topic(topic.short)
        count = found[name].partitions if name in found else 0
        state = "; ".join(wrong[name]) or (
            "as it should be" if count else "missing: `driftloop topics apply` creates it"
        )
        yield f"{name:<{width}}  {count:>3} partitions  {_kept(topic):<14}  {state}"


def _kept(topic: Topic) -> str:
    if topic.cleanup == "compact":
        return "last of a key"
    return "for ever" if topic.retention_days == FOREVER_DAYS else f"{topic.retention_days} days"


def _way_out(fixed: bool) -> str:
    if not fixed:
        return "`driftloop topics apply --fix` changes settings, and adds partitions to topics that are empty"
    return (
        "these cannot be changed in place: keys would move to other partitions. Set DRIFTLOOP_PARTITIONS and "
        "DRIFTLOOP_REPLICATION to what the cluster has, or choose another DRIFTLOOP_PREFIX"
    )


def _wait_for_cluster(settings: Settings, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            admin_client(settings, min(ANSWER_SECONDS, max(1.0, seconds)))
            return
        except Unavailable:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.2)
