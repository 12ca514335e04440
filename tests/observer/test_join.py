"""Predictions meet their truths: the same pairs as plain Python finds, however the logs are cut and interleaved."""

from __future__ import annotations

import random
from typing import NamedTuple

import numpy as np
import pytest
from driftloop.streams.observer import join as joining
from driftloop.streams.observer.join import Join, Predictions, Terms, Truths, hash_ids, join_all
from driftloop.streams.observer.time import watermarks_before

DISORDER = 2.0
TERMS = Terms(horizon_seconds=40.0, dedup_seconds=15.0)


class P(NamedTuple):
    name: str
    seat: int
    time: float


class T(NamedTuple):
    name: str
    label: int
    time: float


def watermarks(records):
    """Watermark before each record, and after the last."""
    found, greatest = [], -np.inf
    for record in records:
        found.append(greatest - DISORDER)
        greatest = max(greatest, record.time)
    return found, greatest - DISORDER


class Oracle:
    """The five rules of join.py, word by word, over two lists."""

    def __init__(self, predictions: list[P], truths: list[T]) -> None:
        self.predictions, self.truths = predictions, truths
        self.before_p, end_p = watermarks(predictions)
        self.before_t, end_t = watermarks(truths)
        self.accepted: list[int] = []
        self.known: list[int] = []
        self.p_verdicts = [self.verdict_on_prediction(i) for i in range(len(predictions))]
        self.t_verdicts = [self.verdict_on_truth(i) for i in range(len(truths))]
        self.pairs: list[tuple[int, int]] = []
        self.missed: set[int] = set()
        for i in self.accepted:
            candidates = [j for j in self.known if self.may_pair(i, j)]
            self.pairs += [(i, j) for j in candidates[:1]]
        self.settle(min(end_p, end_t))

    def verdict_on_prediction(self, i: int) -> int:
        p, before = self.predictions[i], self.before_p[i]
        same = [self.predictions[j] for j in self.accepted if self.predictions[j][:2] == p[:2]]
        if before > p.time + TERMS.horizon_seconds:
            return joining.TOO_LATE
        if any(before <= q.time + TERMS.horizon_seconds + TERMS.dedup_seconds for q in same):
            return joining.REPEAT
        self.accepted.append(i)
        return joining.ACCEPTED

    def verdict_on_truth(self, i: int) -> int:
        t, before = self.truths[i], self.before_t[i]
        same = [self.truths[j] for j in self.known if self.truths[j].name == t.name]
        first = [u for u in same if before <= u.time + TERMS.dedup_seconds]
        if first:
            return joining.REPEAT if first[0].label == t.label else joining.AMENDMENT
        self.known.append(i)
        return joining.ACCEPTED

    def may_pair(self, i: int, j: int) -> bool:
        (p, t), (horizon, dedup) = (self.predictions[i], self.truths[j]), TERMS
        if p.name != t.name:
            return False
        if t.time - p.time > horizon or self.before_t[j] > p.time + horizon:
            if self.before_t[j] <= p.time + horizon + dedup:
                self.missed.add(j)
            return False
        return p.time - t.time <= horizon and self.before_p[i] <= t.time + horizon

    def settle(self, end: float) -> None:
        def over(record, before):
            return max(record.time + TERMS.horizon_seconds, before) < end

        paired_p, paired_t = {i for i, _ in self.pairs}, {j for _, j in self.pairs}
        self.never = {i for i in self.accepted if over(self.predictions[i], self.before_p[i])} - paired_p
        alone = {j for j in self.known if over(self.truths[j], self.before_t[j])} - paired_t
        self.too_late, self.orphans = alone & self.missed, alone - self.missed


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
    monkeypatch.setattr("driftloop.streams.observer.rows.SEGMENT_ROWS", 4)  # so that segments come and go
    predictions, truths = world(seed)
    oracle = Oracle(predictions, truths)
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
    assert list(zip(pairs.prediction_rows, pairs.truth_rows, strict=True)) == Oracle(predictions, truths).pairs


def test_the_worlds_hold_every_case() -> None:
    """A property test that never meets a case proves nothing about it."""
    seen = {"amendment": 0, "repeat": 0, "too late": 0, "orphans": 0, "missed": 0, "never": 0, "two seats": 0}
    for seed in range(60):
        oracle = Oracle(*world(seed))
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
