"""Predictions meet their truths: the same pairs as plain Python finds, however the logs are cut and interleaved."""

from __future__ import annotations

import random

import numpy as np
import pytest
from driftloop.streams.observer.join import join as joining
from driftloop.streams.observer.join.join import Join, Predictions, Terms, Truths, hash_ids, join_all
from driftloop.streams.observer.time import watermarks_before

from .oracle import JoinOracle, P, T, watermarks

DISORDER = 2.0
TERMS = Terms(horizon_seconds=40.0, dedup_seconds=15.0)


def oracle_of(predictions: list[P], truths: list[T]) -> JoinOracle:
    before_p, end_p = watermarks(predictions, DISORDER)
    before_t, end_t = watermarks(truths, DISORDER)
    return JoinOracle(predictions, truths, before_p, before_t, min(end_p, end_t), *TERMS)


def world(seed: int, size: int = 60):
    """Two logs in rough order of time: repeats near and far, truths early, late and conflicting, gaps and outages."""
    rng = random.Random(seed)
    names = [f"id{i}" for i in range(rng.choice((6, 20, size)))]
    predictions, truths, now = [], [], 0.0
    for _ in range(size):
        now += rng.choice((0.0, 1.0, 1.0, 3.0, 25.0 if rng.random() < 0.1 else 1.0))
        late = rng.choice((0.0, 0.0, 0.0, 1.0, 3.0, 20.0, 41.0, 45.0, 70.0))
        predictions.append(P(rng.choice(names), rng.randrange(2), now - late))
    for p in predictions:
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
            delay = rng.choice((-45.0, -40.0, -5.0, 0.0, 1.0, 2.0, 10.0, 38.0, 40.0, 41.0, 60.0, 100.0))
            truths.append(T(p.name, rng.randrange(2), p.time + delay))
    truths.sort(key=lambda t: t.time + rng.choice((0.0, 0.0, 1.0, 2.0, 10.0, 50.0)))
    return predictions, truths


def columns_of(predictions: list[P], truths: list[T]) -> tuple[Predictions, Truths]:
    p_times, t_times = np.array([p.time for p in predictions]), np.array([t.time for t in truths])
    return (
        Predictions(
            hash_ids([p.name.encode() for p in predictions]),
            p_times,
            watermarks_before(p_times, DISORDER),
            np.arange(len(predictions)),
            np.array([p.seat for p in predictions], np.int16),
        ),
        Truths(
            hash_ids([t.name.encode() for t in truths]),
            t_times,
            watermarks_before(t_times, DISORDER),
            np.arange(len(truths)),
            np.array([t.label for t in truths], np.int8),
        ),
    )


def part(batch, start, end):
    return type(batch)(*(column[start:end] for column in batch))


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_interleaving_the_pairs_are_those_of_plain_python(seed: int, monkeypatch) -> None:
    monkeypatch.setattr("driftloop.streams.observer.join.rows.SEGMENT_ROWS", 4)  # so that segments come and go
    predictions, truths = world(seed)
    oracle = oracle_of(predictions, truths)
    batches = columns_of(predictions, truths)
    sizes = [len(predictions), len(truths)]
    for trial in range(4):
        rng = random.Random(seed * 100 + trial)
        join, done = Join(TERMS), [0, 0]
        pairs, verdicts, ends = [], [[], []], [-np.inf, -np.inf]
        never, orphans, too_late = [], [], []
        while done != sizes:
            side = rng.choice([s for s in (0, 1) if done[s] < sizes[s]])
            step = min(done[side] + rng.choice((1, 2, 5, 30)), sizes[side])
            batch = part(batches[side], done[side], step)
            taken = join.predict(batch) if side == 0 else join.observe(batch)
            p_offsets, t_offsets = join.predictions.columns["offsets"], join.truths.columns["offsets"]
            pairs += zip(
                p_offsets[taken.prediction_slots].tolist(), t_offsets[taken.truth_slots].tolist(), strict=True
            )
            verdicts[side] += taken.verdicts.tolist()
            done[side] = step
            ends[side] = max(ends[side], batch.times.max() - DISORDER)
            settled = join.settle(min(ends))
            never += p_offsets[settled.never_labelled].tolist()
            orphans += t_offsets[settled.orphans].tolist()
            too_late += t_offsets[settled.too_late].tolist()
            join.forget(min(ends))
        assert verdicts == [oracle.p_verdicts, oracle.t_verdicts]
        assert sorted(pairs) == oracle.pairs
        assert sorted(never) == sorted(oracle.never)
        assert sorted(orphans) == sorted(oracle.orphans)
        assert sorted(too_late) == sorted(oracle.too_late)


@pytest.mark.parametrize("seed", range(200, 230))
def test_the_retrainers_join_of_whole_logs_finds_the_same_pairs(seed: int) -> None:
    predictions, truths = world(seed)
    pairs = join_all(*columns_of(predictions, truths), TERMS)
    assert list(zip(pairs.prediction_rows, pairs.truth_rows, strict=True)) == oracle_of(predictions, truths).pairs


def test_the_worlds_hold_every_case() -> None:
    """A property test that never meets a case proves nothing about it."""
    seen = {"amendment": 0, "repeat": 0, "too late": 0, "orphans": 0, "missed": 0, "never": 0, "two seats": 0}
    for seed in range(60):
        oracle = oracle_of(*world(seed))
        seen["amendment"] += oracle.t_verdicts.count(joining.AMENDMENT)
        seen["repeat"] += oracle.p_verdicts.count(joining.REPEAT)
        seen["too late"] += oracle.p_verdicts.count(joining.TOO_LATE)
        seen["orphans"] += len(oracle.orphans)
        seen["missed"] += len(oracle.too_late)
        seen["never"] += len(oracle.never)
        seen["two seats"] += len(oracle.pairs) - len({j for _, j in oracle.pairs})
    assert min(seen.values()) > 20, seen


def test_a_forgotten_row_gives_its_room_back() -> None:
    join = Join(TERMS)
    for step in range(60):
        times = np.full(4_096, step * 10.0)
        ids = hash_ids([f"{step}-{i}".encode() for i in range(4_096)])
        taken = join.predict(Predictions(ids, times, times - 10, np.arange(4_096), np.zeros(4_096, np.int16)))
        assert not taken.verdicts.any()
        join.settle(step * 10.0)
        join.forget(step * 10.0)
    assert len(join.predictions) == 6 * 4_096  # those of the last 55 s and the one at the limit
    assert join.predictions.nbytes < 120 * 9 * 4_096


def test_empty_batches_are_no_trouble() -> None:
    predictions, truths = columns_of([], [])
    assert len(join_all(predictions, truths, TERMS).prediction_rows) == 0
