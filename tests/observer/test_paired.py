"""Champion and challenger on the same prediction: what plain Python says, in any order of arrival."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftloop.schemas import bins

from .task_worlds import ANIMALS, HOUSES, STREETS, VALUED, TaskOracle, label_of, made, single
from .test_fold import _small_segments, counted, order, panes_of  # noqa: F401 (a fixture for all tests here)
from .world import HOUR, START, Marked, Observed, Transport, World, context

SPECS = (replace(VALUED, value_most=None), ANIMALS, HOUSES, STREETS)
SEATS = (("v1", "champion"), ("v1", "champion"), ("v2", "champion"), ("v2", "challenger"), ("v3", "challenger"))


def contest_world(seed: int, size: int = 150) -> World:
    """Few ids, many seats: pairs apart by seconds and by hours, in either order, with truths before and behind."""
    rng = random.Random(seed)
    world, now = World(), START
    names = [f"id{i}" for i in range(size // 4)]
    for _ in range(size):
        now += rng.choice((0.0, 60.0, 300.0, 4 * HOUR if rng.random() < 0.03 else 60.0))
        late = rng.choice((0.0, 0.0, 300.0, 2 * HOUR, 8 * HOUR))
        name = rng.choice(names)
        p = made(rng, name, SPECS[int(name[2:]) % len(SPECS)], now - late)
        version, role = rng.choice((*SEATS, ("v1", "history")))
        world.predictions.append(replace(p, version=version, role=role))
    for p in list(world.predictions):
        if rng.random() < 0.8:
            delay = HOUR * rng.choice((-2, 0, 0.5, 2, 7, 9.5, 12))
            world.truths.append(Observed(p.name, p.spec, p.time + delay, label_of(rng, p.spec)))
    world.truths.sort(key=lambda t: t.time + rng.choice((0.0, 0.0, 60.0, 8 * HOUR)))
    world.predictions.append(Marked(now + 100 * HOUR))
    world.truths.append(Marked(now + 100 * HOUR))
    return world


class ContestOracle(TaskOracle):
    """``contests``: emissions by (challenger's version, champion's version, pane start, bucket)."""

    def contests(self) -> dict[tuple[Any, ...], list[tuple[float, int, Counter[str], dict[str, float]]]]:
        parts: dict[Any, Any] = defaultdict(lambda: defaultdict(list))
        for i, j in self.join.pairs:
            for q in self.join.accepted:
                roles = {self.p[i].role, self.p[q].role}
                if q < i and self.p[q].name == self.p[i].name and roles == {"champion", "challenger"}:
                    horizon = self.spec.horizon_seconds
                    if self.fits(q, j) and self.before_p[i] <= self.p[q].time + horizon:
                        new, old = (i, q) if self.p[i].role == "challenger" else (q, i)
                        key, due, row = self.row(new, old, j)
                        parts[key][due].append(row)
        found: dict[Any, Any] = {}
        for key, by_due in parts.items():
            counts: Counter[str] = Counter()
            sums = {"loss_difference": 0.0, "loss_difference_squared": 0.0}
            found[key] = []
            for revision, due in enumerate(sorted(by_due)):
                for more, difference in by_due[due]:
                    counts = counts + more
                    sums["loss_difference"] += difference
                    sums["loss_difference_squared"] += difference**2
                found[key].append((due, revision, counts, dict(sums)))
        return found

    def fits(self, q: int, j: int) -> bool:
        p, t, horizon = self.p[q], self.t[j], self.spec.horizon_seconds
        near = abs(t.time - p.time) <= horizon
        return near and self.before_t[j] <= p.time + horizon and self.before_p[q] <= t.time + horizon

    def row(self, new: int, old: int, j: int) -> tuple[Any, float, tuple[Counter[str], float]]:
        champion, t = self.p[old], self.t[j]
        edges, start = self.spec.delay_edges_seconds, self.start_of(champion)
        bucket = bisect_left(edges, t.time - champion.time)
        instant = start + self.spec.pane_seconds + edges[bucket]
        befores = (self.before_p[new], self.before_p[old], self.before_t[j])
        due = max(self.due(instant, before) for before in befores)
        known = self.code(t.label) >= 0 and (self.spec.scales is None or self.spec.scales.is_known)
        counts = Counter({"pairs": 1, f"delay/{bucket}": 1, "labelled" if known else "unlabelled": 1})
        difference = self.loss(self.p[new], t) - self.loss(champion, t) if known else 0.0
        if known:
            counts[f"loss_difference/{bisect_right(bins.DIFFERENCE_EDGES.tolist(), difference)}"] += 1
            if self.spec.task != "regression":
                counts[f"correctness/{self.verdict(self.p[new], champion, self.code(t.label))}"] += 1
        return (self.p[new].version, champion.version, start, bucket), due, (counts, difference)

    def loss(self, p: Any, t: Observed) -> float:
        if self.spec.task == "regression":
            return self.house(p, t)[1]["loss"]
        label = self.code(t.label)
        chance = single(p.score[label]) if self.spec.task == "multiclass" else p.score if label else 1 - p.score
        return -math.log(min(max(chance, 1e-15), 1 - 1e-15))

    def verdict(self, challenger: Any, champion: Any, label: int) -> int:
        new, old = self.decision(challenger), self.decision(champion)
        if len(self.spec.classes) in (new, old):
            return 4
        return {(True, True): 0, (False, True): 1, (True, False): 2, (False, False): 3}[new == label, old == label]


@pytest.mark.parametrize("seed", range(6))
def test_every_contest_is_what_plain_python_says_in_any_order_of_arrival(seed: int) -> None:
    world = contest_world(seed)
    outputs = []
    for trial in range(2):
        rng = random.Random(seed * 10 + trial)
        transport = Transport(world, context(None, *SPECS))
        transport.run(rng, batch=rng.choice((3, 40, 500)), crashes=(0.0, 0.3)[trial])
        outputs.append([value for _, value in sorted(panes_of(transport), key=lambda o: (order(o), o[0].against))])
    assert outputs[0] == outputs[1]
    told = [pane for pane, _ in panes_of(transport) if pane.kind == "paired"]
    for spec in SPECS:
        expected = ContestOracle(world, spec).contests()
        mine = [p for p in told if p.model == spec.model]
        for key, emissions in expected.items():
            found = [p for p in mine if (p.version, p.against, p.pane_start, p.bucket) == key]
            assert {p.role for p in found} == {"challenger"}
            assert [(p.emitted_at, p.revision) for p in found] == [e[:2] for e in emissions]
            for pane, (_, _, counts, sums) in zip(found, emissions, strict=True):
                assert counted(pane) == +counts
                assert pane.sums == pytest.approx(sums, abs=1e-6)
        assert len(mine) == sum(map(len, expected.values()))


def test_the_worlds_hold_every_case() -> None:
    seen: Counter[str] = Counter()
    for seed in range(6):
        world = contest_world(seed)
        for spec in SPECS:
            for emissions in ContestOracle(world, spec).contests().values():
                seen[f"{spec.task} corrected"] += len(emissions) > 1
                seen.update(emissions[-1][2])
    assert min(seen[f"correctness/{k}"] for k in range(5)) >= 3, seen
    assert seen["labelled"] >= 100 and seen["unlabelled"] >= 10 and seen["binary corrected"] >= 1, seen


def test_the_bins_of_a_difference_hold_it_between_their_edges() -> None:
    rng = np.random.default_rng(1)
    wide = rng.uniform(-1, 1, 2_000) * bins.LOSS_MOST
    difference = np.concatenate([wide, wide * 1e-4, [0.0, bins.LOSS_MOST, -bins.LOSS_MOST]])
    code = bins.difference_codes(difference)
    floor, ceiling = bins.difference_floor()[code], bins.difference_ceiling()[code]
    assert (floor <= difference).all() and (difference <= ceiling).all()
    assert bins.difference_floor()[bins.difference_codes(np.zeros(1))] == 0.0
    assert bins.difference_ceiling()[bins.difference_codes(np.zeros(1))] < 1e-300
    assert len(bins.DIFFERENCE_EDGES) + 1 == bins.DIFFERENCE_BINS
