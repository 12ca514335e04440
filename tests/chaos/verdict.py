"""Is what stands on the topics what the oracle says? Lost, doubled, wrong, each with examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from driftloop.schemas.codec import decode
from driftloop.schemas.events import Pane, Progress
from driftloop.schemas.settings import Settings

from .oracle import Content, EmissionId, content_of, emission_id, expected_emissions, expected_letters, same
from .reading import absorbed, committed, read_all
from .world import SOURCES, Produced, encoded

EXAMPLES_MOST = 5
"""Of each kind."""


@dataclass
class Verdict:
    """``lost``: outputs that are not there. ``doubled``: outputs that are there again. ``wrong``: outputs that say
    something else than the oracle or that nobody asked for, records of a source that are not those produced, a
    Progress that goes back, a commit ahead of the state."""

    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    outputs: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)

    def note(self, kind: str, count: int, example: Any) -> None:
        if count:
            setattr(self, kind, getattr(self, kind) + count)
            if sum(told.startswith(kind) for told in self.examples) < EXAMPLES_MOST:
                self.examples.append(f"{kind}: {example}")


def judge(settings: Settings, world: Produced) -> Verdict:
    """Read everything and compare. Call it when all is drained and all workers have ended."""
    verdict = Verdict()
    _judge_sources(settings, world, verdict)
    _judge_panes(settings, world, verdict)
    _judge_letters(settings, world, verdict)
    _judge_offsets(settings, world, verdict)
    return verdict


def _judge_sources(settings: Settings, world: Produced, verdict: Verdict) -> None:
    """What an oracle over the produced list says of the topics holds only if the topics hold that list."""
    for source, short in enumerate(SOURCES):
        found: dict[int, list[Any]] = {p: [] for p in range(settings.partitions)}
        for message in read_all(settings, short):
            found[message.partition()].append((message.offset(), message.key(), message.value()))
        for partition, records in found.items():
            wanted = [(i, *encoded(item)) for i, item in enumerate(world.log(source, partition))]
            if records != wanted:
                told = f"{short}[{partition}] holds {len(records)} records, {len(wanted)} were produced"
                verdict.note("wrong", 1, told)


def _judge_panes(settings: Settings, world: Produced, verdict: Verdict) -> None:
    found: list[tuple[EmissionId, Content]] = []
    names: Counter[bytes] = Counter()
    last: dict[tuple[int, int], tuple[int, int]] = {}
    for message in read_all(settings, "panes"):
        event = decode(message.value())
        if isinstance(event, Progress):
            place, offsets = (message.partition(), event.partition), (event.predictions_offset, event.truths_offset)
            before = last.get(place, (-1, -1))
            back = offsets[0] < before[0] or offsets[1] < before[1]
            verdict.note("wrong", int(back), f"panes[{place[0]}]@{message.offset()}: {offsets} behind {before}")
            last[place] = offsets
        elif isinstance(event, Pane) and event.kind != "paired":  # their oracle: tests/observer/test_paired.py
            found.append((emission_id(event), content_of(event)))
            names[dict(message.headers())["ce_id"]] += 1
    compare_emissions(expected_emissions(world.worlds), found, verdict)
    verdict.note("wrong", len({name for name, _ in found}) - len(names), "two emissions with one CloudEvents id")
    ends = {p: tuple(len(log) - 1 for log in world.worlds[p].logs) for p in range(settings.partitions)}
    for place, offsets in last.items():
        verdict.note("lost", int(offsets != ends[place[1]]), f"panes[{place[0]}]: the last progress is {offsets}")
    verdict.note(
        "lost", settings.partitions**2 - len(last), f"progress of {settings.partitions**2 - len(last)} places"
    )


def compare_emissions(
    wanted: Mapping[EmissionId, Content], found: Sequence[tuple[EmissionId, Content]], verdict: Verdict
) -> None:
    """``found``: as a read_committed reader saw them."""
    last = dict(found)
    verdict.outputs += len(last)
    for name, times in Counter(name for name, _ in found).items():
        verdict.note("doubled", times - 1, name)
    for name, content in wanted.items():
        if name not in last:
            verdict.note("lost", 1, name)
        elif not same(last[name], content):
            verdict.note("wrong", 1, f"{name}: {last[name]} and not {content}")
    for name in last.keys() - wanted.keys():
        verdict.note("wrong", 1, f"unasked: {name}: {last[name]}")


def _judge_letters(settings: Settings, world: Produced, verdict: Verdict) -> None:
    wanted = expected_letters(world.worlds)
    shorts = {settings.topic(short): short for short in SOURCES}
    found: Counter[tuple[str, int, int, str]] = Counter()
    for message in read_all(settings, "dead-letter"):
        h = {name: value.decode() for name, value in message.headers() if name.startswith(("__connect", "driftloop"))}
        place = (int(h["__connect.errors.partition"]), int(h["__connect.errors.offset"]))
        found[(shorts[h["__connect.errors.topic"]], *place, h["driftloop.reason"])] += 1
    verdict.outputs += len(found)
    for name in wanted.keys() - found.keys():
        verdict.note("lost", 1, f"dead letter {name}")
    for name, times in found.items():
        verdict.note("doubled", times - 1, f"dead letter {name}")
        verdict.note("wrong", int(name not in wanted), f"dead letter {name}")


def _judge_offsets(settings: Settings, world: Produced, verdict: Verdict) -> None:
    commits, state = committed(settings), absorbed(settings)  # commits first: the state only grows
    for (short, partition), behind in state.items():
        place = f"{short}[{partition}]"
        wanted = len(world.log(SOURCES.index(short), partition))
        verdict.note("lost", max(0, wanted - behind), f"{place}: the state stands at {behind} of {wanted}")
        verdict.note("wrong", int(behind > wanted), f"{place}: the state stands at {behind} of {wanted}")
        at = commits[short, partition]
        verdict.note("wrong", int(at > behind), f"{place}: committed {at}, the state stands at {behind}")
