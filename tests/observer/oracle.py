"""The five rules of join.py in plain Python, word by word, over two lists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

ACCEPTED, REPEAT, AMENDMENT, TOO_LATE = 0, 1, 2, 3


class P(NamedTuple):
    """A prediction. ``seat``: whoever made it."""

    name: str
    seat: object
    time: float


class T(NamedTuple):
    name: str
    label: object
    time: float


class Timed(Protocol):
    @property
    def time(self) -> float: ...


def watermarks(records: Sequence[Timed], disorder: float) -> tuple[list[float], float]:
    """Watermark before each record, and after the last."""
    found, greatest = [], -math.inf
    for record in records:
        found.append(greatest - disorder)
        greatest = max(greatest, record.time)
    return found, greatest - disorder


class JoinOracle:
    """``before``: watermarks before each prediction and each truth; ``end``: the least watermark after all."""

    def __init__(self, predictions, truths, before_p, before_t, end, horizon, dedup) -> None:
        self.predictions, self.truths = predictions, truths
        self.before_p, self.before_t, self.end = before_p, before_t, end
        self.horizon, self.dedup = horizon, dedup
        self.accepted: list[int] = []
        self.known: list[int] = []
        self.p_verdicts = [self.verdict_on_prediction(i) for i in range(len(predictions))]
        self.t_verdicts = [self.verdict_on_truth(i) for i in range(len(truths))]
        self.pairs: list[tuple[int, int]] = []
        self.missed: set[int] = set()
        for i in self.accepted:
            candidates = [j for j in self.known if self.may_pair(i, j)]
            self.pairs += [(i, j) for j in candidates[:1]]
        self.settle()

    def verdict_on_prediction(self, i: int) -> int:
        p, before = self.predictions[i], self.before_p[i]
        same = [self.predictions[j] for j in self.accepted if self.predictions[j][:2] == p[:2]]
        if before > p.time + self.horizon:
            return TOO_LATE
        if any(before <= q.time + self.horizon + self.dedup for q in same):
            return REPEAT
        self.accepted.append(i)
        return ACCEPTED

    def verdict_on_truth(self, i: int) -> int:
        t, before = self.truths[i], self.before_t[i]
        same = [self.truths[j] for j in self.known if self.truths[j].name == t.name]
        first = [u for u in same if before <= u.time + self.dedup]
        if first:
            return REPEAT if first[0].label == t.label else AMENDMENT
        self.known.append(i)
        return ACCEPTED

    def may_pair(self, i: int, j: int) -> bool:
        p, t, horizon = self.predictions[i], self.truths[j], self.horizon
        if p.name != t.name:
            return False
        if t.time - p.time > horizon or self.before_t[j] > p.time + horizon:
            if self.before_t[j] <= p.time + horizon + self.dedup:
                self.missed.add(j)
            return False
        return p.time - t.time <= horizon and self.before_p[i] <= t.time + horizon

    def settle(self) -> None:
        def over(record, before):
            return max(record.time + self.horizon, before) < self.end

        paired_p, paired_t = {i for i, _ in self.pairs}, {j for _, j in self.pairs}
        self.never = {i for i in self.accepted if over(self.predictions[i], self.before_p[i])} - paired_p
        alone = {j for j in self.known if over(self.truths[j], self.before_t[j])} - paired_t
        self.too_late, self.orphans = alone & self.missed, alone - self.missed
