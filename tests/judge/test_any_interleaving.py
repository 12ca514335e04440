"""The same panes and progress, interleaved, cut and crashed as you like: the same bytes in the same order."""

from __future__ import annotations

import random
from dataclasses import replace

from driftloop.schemas.codec import encode
from driftloop.schemas.events import Pane, Progress
from driftloop.schemas.monitor.specification import MonitorSpecification
from hypothesis import given, settings
from hypothesis import strategies as st

from .scenes import (
    DAY,
    HOUR,
    REFERENCE_ROWS,
    SPEC,
    START,
    Judge,
    Shelf,
    baselines_of,
    make_rows,
    panes_of,
    streams_of,
)

PARTITIONS, DAYS = 3, 9


def world(seed: int) -> list[list[bytes]]:
    """A small slice: late rows, tardy panes, a second champion, a challenger, history, a model that goes bad."""
    rows = [
        *make_rows(seed, 2, per_day=30, role="history"),
        *make_rows(seed + 1, 3, per_day=30, first_day=2, late=0.2),
        *make_rows(seed + 2, 2, per_day=40, first_day=5, version="v2", flip=0.6, late=0.1),
        *make_rows(seed + 3, 1, per_day=10, first_day=5, version="v3", role="challenger"),
    ]
    return streams_of(panes_of(rows), PARTITIONS, START + DAYS * DAY, tardy_every=7)


def interleaved(rng: random.Random, streams: list[list[bytes]]) -> list[bytes]:
    """One log: each partition's records in their order, partitions anyhow (in runs, as transactions come)."""
    left = [list(reversed(s)) for s in streams]
    log = []
    while any(left):
        stream = rng.choice([s for s in left if s])
        for _ in range(min(len(stream), rng.choice((1, 1, 5, 60)))):
            log.append(stream.pop())
    return log


def told(judge: Judge) -> list[tuple[str, bytes | None, bytes | None, object]]:
    return [(o.topic, o.key, o.value, o.headers) for o in judge.outputs]


def in_one_go(streams: list[list[bytes]], judge: Judge | None = None) -> Judge:
    judge = judge or Judge()
    judge.run([record for stream in streams for record in stream])
    return judge


def with_crashes(rng: random.Random, log: list[bytes], judge: Judge | None = None) -> Judge:
    """Random batches; now and then a checkpoint, or a crash: then what came since the last checkpoint comes again."""
    judge, at, committed = judge or Judge(), 0, 0
    while at < len(log):
        size = rng.choice((1, 3, 40, 400))
        judge.absorb(log[at : at + size])
        at = min(len(log), at + size)
        fate = rng.random()
        if fate < 0.15:
            judge.crash()
            at = committed
        elif fate < 0.7:
            judge.checkpoint()
            committed = at
    judge.checkpoint()
    return judge


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_any_interleaving_batch_cut_and_crash_tells_the_same(seed: int) -> None:
    rng = random.Random(seed)
    streams = world(seed)
    first = in_one_go(streams)
    assert len(first.outputs) > 20
    second = with_crashes(rng, interleaved(rng, streams))
    assert told(second) == told(first)
    assert second.state == first.state


def test_a_fold_that_is_restored_after_every_record_goes_on_as_if_nothing_had_happened() -> None:
    streams = world(7)
    log = interleaved(random.Random(7), streams)
    judge = Judge()
    for record in log:
        judge.absorb([record])
        judge.checkpoint()
        judge.crash()
    whole = in_one_go(streams)
    assert told(judge) == told(whole)
    assert judge.state == whole.state


def test_due_is_raised_as_soon_as_something_is_told_and_falls_with_the_checkpoint() -> None:
    judge = Judge()
    assert not judge.fold.due
    for stream in world(3):
        judge.absorb(stream)
    assert judge.fold.due
    judge.checkpoint()
    assert not judge.fold.due
    changes = judge.fold.collect()
    assert (changes.state, changes.outputs) == ({}, [])


DISORDERS = {"loans": HOUR, "slow": 2.5 * DAY}


class EachItsOwn(Shelf):
    """Every model has the same monitor, under its own name."""

    def specification(self, model: str, _spec: str | None = None) -> MonitorSpecification:
        return replace(SPEC, model=model)


def judge_of_all() -> Judge:
    return Judge(EachItsOwn(baselines_of(REFERENCE_ROWS)))


def two_models(panes: list[Pane], models: tuple[str, ...]) -> list[list[bytes]]:
    """What an observer writes of the same panes for each of ``models``, of which one has a long disorder."""
    found = []
    for partition in range(PARTITIONS):
        latest, records = START, []
        left = {m: [p for p in panes if p.partition == partition] for m in models}
        while latest < START + (DAYS + 3) * DAY:
            latest += DAY / 2 * (1 + partition / 7)
            for model, own in left.items():
                while own and own[0].emitted_at <= latest - DISORDERS[model]:
                    records.append(encode(replace(own.pop(0), model=model)))
            watermark = latest - max(DISORDERS[m] for m in models)
            others = {m: d for m, d in DISORDERS.items() if m in models and d != DISORDERS[models[0]]}
            place = (partition, PARTITIONS, watermark, watermark, 0, 0, True)
            records.append(encode(Progress(*place, latest, latest, DISORDERS[models[0]], others)))
        found.append(records)
    return found


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_each_of_two_models_is_told_what_it_would_be_told_alone(seed: int) -> None:
    rng = random.Random(seed)
    panes = panes_of([*make_rows(seed, 4, per_day=30), *make_rows(seed + 2, 2, per_day=40, first_day=4, flip=0.6)])
    both = with_crashes(rng, interleaved(rng, two_models(panes, ("loans", "slow"))), judge_of_all())
    for model in DISORDERS:
        alone = told(in_one_go(two_models(panes, (model,)), judge_of_all()))
        assert len(alone) > 10
        assert [one for one in told(both) if one[1] == model.encode()] == alone
