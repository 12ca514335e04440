"""A partition set back to other offsets, in a list: read and told again, and all numbers as if nothing had been."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from typing import Any

import pytest
from driftloop.schemas.codec import decode
from driftloop.schemas.events import Pane
from driftloop.streams.fold import Moved, Output, SourceRecords
from driftloop.streams.observer.recovery.replay import REVISIONS_A_REWIND
from driftloop.streams.observer.recovery.rewind import rewind

from .world import PARTITION, Bad, Transport, make_world

TOPICS = ("t.predictions.v1", "t.ground-truth.v1")
Key = tuple[Any, ...]


def run_until(transport: Transport, rng: random.Random, counts: tuple[int, int]) -> None:
    """Deliver so many records of each topic, in pieces, and commit."""
    while transport.done != list(counts):
        open_sources = [s for s in (0, 1) if transport.done[s] < counts[s]]
        source = rng.choice(open_sources)
        transport.deliver(source, min(rng.choice((1, 7, 30)), counts[source] - transport.done[source]))
        if rng.random() < 0.3:
            transport.commit()
    transport.commit()


def records(transport: Transport, source: int, start: int, end: int) -> SourceRecords:
    some = transport.records[source][start:end]
    offsets = [transport.offsets[0] + transport.offsets[1] * i for i in range(start, end)]
    stamp = int((transport.times[source] + 60) * 1000)
    keys, values = [key for key, _ in some], [value for _, value in some]
    return SourceRecords(TOPICS[source], PARTITION, offsets, keys, values, [stamp] * len(some), [()] * len(some), 0)


def set_back(transport: Transport, counts: tuple[int, int], since: float = -math.inf) -> float:
    """As the transport does it: to where so many records of each topic have been read; from when on is told anew."""
    first, step = transport.offsets
    moved = Moved(
        positions={t: first + step * n for t, n in zip(TOPICS, counts, strict=True)},
        absorbed={t: first + step * (n - 1) for t, n in zip(TOPICS, transport.saved, strict=True)},
        before={TOPICS[s]: records(transport, s, 0, counts[s]) for s in (0, 1)},
        behind={},
        since=since,
    )
    found = rewind(PARTITION, transport.state, transport.context, moved)
    transport.state = found.state
    transport.saved = list(counts)
    transport.crash()
    return found.since


def last_told(outputs: Iterable[Output]) -> tuple[dict[Key, Any], dict[str, dict[str, int]]]:
    """What a reader that replaces by key ends with: the panes, and each model's counters."""
    panes: dict[Key, Any] = {}
    revisions: dict[Key, int] = {}
    counters: dict[str, tuple[float, dict[str, int]]] = {}
    for output in outputs:
        event = decode(output.value) if output.key in (b"loans", b"clicks") else None
        if isinstance(event, Pane) and event.kind == "counters":
            if event.emitted_at >= counters.get(event.model, (-math.inf, {}))[0]:
                counters[event.model] = (event.emitted_at, dict(event.counts))
        elif isinstance(event, Pane):
            key = (event.model, event.version, event.role, event.spec, event.kind, event.bucket, event.pane_start)
            assert event.revision > revisions.get(key, -1), "a pane told again must replace the earlier one"
            revisions[key] = event.revision
            span = (event.predictions_first_offset, event.predictions_last_offset)
            panes[key] = (dict(event.counts), dict(event.sums), event.histograms, span)
    return panes, {model: counts for model, (_, counts) in counters.items()}


def undisturbed(seed: int) -> Transport:
    transport = Transport(make_world(seed, size=200))
    transport.run(random.Random(seed))
    return transport


@pytest.mark.parametrize("seed", range(15))
def test_whatever_is_read_again_counts_once(seed: int) -> None:
    """Anywhere, several times over, also while the last rebuild is still under way."""
    rng = random.Random(seed)
    wanted = undisturbed(seed)
    transport = Transport(make_world(seed, size=200))
    sizes = [len(log) for log in transport.records]
    for _ in range(rng.choice((1, 1, 2, 3))):
        here = [rng.randint(n // 2, n) for n in sizes]
        run_until(transport, rng, (max(here[0], transport.saved[0]), max(here[1], transport.saved[1])))
        back = rng.random()
        set_back(transport, (int(transport.saved[0] * back), int(transport.saved[1] * back)))
    run_until(transport, rng, (sizes[0], sizes[1]))
    assert last_told(transport.outputs) == last_told(wanted.outputs)
    letters = [sum(o.topic == "t.dead-letter.v1" for o in one.outputs) for one in (transport, wanted)]
    bad = sum(isinstance(item, Bad) for log in make_world(seed, size=200).logs for item in log)
    assert letters == [bad, bad]


def panes_after(transport: Transport, told_before: int) -> list[Pane]:
    events = [decode(o.value) for o in transport.outputs[told_before:] if o.key in (b"loans", b"clicks")]
    return [e for e in events if isinstance(e, Pane) and e.kind != "counters"]


@pytest.mark.parametrize("seed", range(3))
def test_from_the_beginning_everything_is_told_again_under_higher_revisions(seed: int) -> None:
    transport = undisturbed(seed)
    before = len(transport.outputs)
    assert set_back(transport, (0, 0)) == -math.inf
    run_until(transport, random.Random(seed), (len(transport.records[0]), len(transport.records[1])))
    again = panes_after(transport, before)
    assert min(pane.revision for pane in again) == REVISIONS_A_REWIND
    assert {(p.model, p.pane_start) for p in again} == {(p.model, p.pane_start) for p in panes_after(transport, 0)}
    assert last_told(transport.outputs[before:]) == last_told(transport.outputs[:before])
    letters = sum(o.topic == "t.dead-letter.v1" for o in transport.outputs[before:])
    assert letters == 0  # these lie on their topic as they were


@pytest.mark.parametrize("seed", range(5))
def test_panes_that_cannot_be_rebuilt_whole_stay_as_they_were_told(seed: int) -> None:
    transport = undisturbed(seed)
    before = len(transport.outputs)
    middle = tuple(len(log) // 2 for log in transport.records)
    world = make_world(seed, size=200)
    greatest = max(item.time for log, n in zip(world.logs, middle, strict=True) for item in log[:n])
    since = set_back(transport, (middle[0], middle[1]))
    assert since == math.nextafter(greatest, math.inf)
    run_until(transport, random.Random(seed), (len(transport.records[0]), len(transport.records[1])))
    again = panes_after(transport, before)
    assert again
    assert min(pane.pane_start for pane in again) >= since
    assert all(pane.revision >= REVISIONS_A_REWIND for pane in again)


def test_panes_before_the_time_that_was_asked_for_stay() -> None:
    transport = undisturbed(1)
    before = len(transport.outputs)
    starts = sorted({pane.pane_start for pane in panes_after(transport, 0)})
    since = starts[len(starts) // 2]
    assert set_back(transport, (0, 0), since) == since
    run_until(transport, random.Random(1), (len(transport.records[0]), len(transport.records[1])))
    again = panes_after(transport, before)
    assert min(pane.pane_start for pane in again) == since
    assert last_told(transport.outputs)[0] == last_told(transport.outputs[:before])[0]
    letters = sum(o.topic == "t.dead-letter.v1" for o in transport.outputs[before:])
    assert letters == 0  # they were told already


def test_skipping_ahead_changes_nothing_of_what_is_known() -> None:
    transport = Transport(make_world(2, size=200))
    run_until(transport, random.Random(2), (50, 50))
    state = dict(transport.state)
    assert set_back(transport, (80, 50)) == math.inf
    assert transport.state == state


def test_one_topic_alone_cannot_be_rebuilt() -> None:
    """Its partners would not come again: nothing is told anew, and nothing is counted twice."""
    transport = undisturbed(3)
    before = last_told(transport.outputs)
    set_back(transport, (0, len(transport.records[1])))
    run_until(transport, random.Random(3), (len(transport.records[0]), len(transport.records[1])))
    assert last_told(transport.outputs) == before


def test_where_retention_has_taken_the_beginning_time_is_taken_from_what_is_left() -> None:
    transport = undisturbed(4)
    first, step = transport.offsets
    lost = 60
    moved = Moved(
        positions=dict.fromkeys(TOPICS, first + step * lost),
        absorbed={t: first + step * (n - 1) for t, n in zip(TOPICS, transport.saved, strict=True)},
        before={},
        behind={TOPICS[s]: records(transport, s, lost, len(transport.records[s])) for s in (0, 1)},
    )
    world = make_world(4, size=200)
    greatest = max(item.time for log in world.logs for item in log[:lost])
    found = rewind(PARTITION, transport.state, transport.context, moved)
    assert greatest < found.since < math.inf
