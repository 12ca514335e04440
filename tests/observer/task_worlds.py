"""Models of many classes and of numbers, with values of outcomes: their worlds, and what plain Python says."""

from __future__ import annotations

import math
import random
import struct
from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from typing import Any

from driftloop.schemas.bins import LOSS_EDGES, SCORE_EDGES
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.schemas.outcome import Scales

from .pane_oracle import PaneOracle
from .world import HOUR, LOANS, START, Marked, Observed, Predicted, World

ANIMALS = replace(
    LOANS,
    model="animals",
    task="multiclass",
    classes=("cat", "big dog", "bird", "2"),
    features=(Feature("weight", "f_weight", "numeric", edges=(0.0, 1.0)),),
    value_most=10.0,
)
HOUSES = replace(
    LOANS,
    model="houses",
    task="regression",
    classes=(),
    features=(Feature("rooms", "f_rooms", "numeric", edges=(0.0,)), Feature("town", "f_town", "categorical")),
    scales=Scales(100.0, 8.0, (90.0, 100.0, 110.0), (80.0, 95.0, 105.0, 120.0)),
    value_most=1_000.0,
)
"""Not all features have bins yet; the numbers do."""
STREETS = replace(HOUSES, model="streets", scales=Scales(), value_most=None)
"""No scale yet: pairs are counted and nothing is summed."""
VALUED = replace(LOANS, model="valued", value_most=2.5)
SPECS = (ANIMALS, HOUSES, STREETS, VALUED)


def make_task_world(seed: int, size: int = 140) -> World:
    """All four in one partition: repeats, late ones, conflicting truths, challengers, absurd labels and values."""
    rng = random.Random(seed)
    world, now = World(), START
    names = [f"id{i}" for i in range(rng.choice((size // 3, 4 * size)))]
    for _ in range(size):
        now += rng.choice((0.0, 60.0, 300.0, 900.0, 4 * HOUR if rng.random() < 0.05 else 60.0))
        late = rng.choice((0.0, 0.0, 0.0, 300.0, 2 * HOUR, 12 * HOUR))
        world.predictions.append(made(rng, rng.choice(names), rng.choice(SPECS), now - late))
    for p in list(world.predictions):
        for _ in range(rng.choice((0, 1, 1, 1, 2))):
            delay = HOUR * rng.choice((-2, 0, 0.5, 1, 2, 7, 9.5, 12))
            value = rng.choice((None, 0.0, 1.25, -2.0, 7.5, -1e9, math.inf, math.nan))
            world.truths.append(Observed(p.name, p.spec, p.time + delay, label_of(rng, p.spec), value))
    world.truths.sort(key=lambda t: t.time + rng.choice((0.0, 0.0, 60.0, 8 * HOUR)))
    world.predictions.append(Marked(now + 100 * HOUR))
    world.truths.append(Marked(now + 100 * HOUR))
    return world


def made(rng: random.Random, name: str, spec: MonitorSpecification, time: float) -> Predicted:
    seat = rng.choice((("v1", "champion"), ("v1", "champion"), ("v2", "challenger"), ("v1", "history")))
    if spec.task == "regression":
        score: Any = rng.choice((rng.gauss(100, 10), rng.gauss(100, 10), 100.0, 1e7, -1e300))
    elif spec.task == "multiclass":
        weights = [rng.choice((0.0, rng.random(), rng.random() ** 8)) for _ in spec.classes]
        weights[rng.randrange(len(weights))] += 1e-3
        score = tuple(w / sum(weights) for w in weights)
    else:
        score = rng.random()
    decided = rng.choice((None, None, *spec.classes, "nonsense"))
    return Predicted(name, spec, time, score, {}, *seat, decided)


def label_of(rng: random.Random, spec: MonitorSpecification) -> Any:
    if spec.task == "regression":
        return rng.choice((rng.gauss(100, 12), rng.gauss(100, 12), 100, -1e8, 1e308, "100", None, True))
    return rng.choice((*spec.classes, *spec.classes, None, "nonsense"))


class TaskOracle(PaneOracle):
    """PaneOracle for all tasks, and for values."""

    def said(self, t: Observed) -> Any:
        value = None if t.value is None or math.isnan(t.value) else t.value
        number = t.label if self.spec.task == "regression" and self.code(t.label) == 0 else None
        return self.code(t.label), number, value if self.spec.value_most else None

    def code(self, label: Any) -> int:
        if self.spec.task == "regression":
            return 0 if type(label) in (int, float) else -1
        return self.spec.classes.index(label) if label in self.spec.classes else -1

    def decision(self, p: Predicted) -> int:
        if self.spec.task != "multiclass":
            return super().decision(p)
        if p.predicted is None:
            return max(range(len(p.score)), key=lambda k: (single(p.score[k]), -k))
        return self.spec.classes.index(p.predicted) if p.predicted in self.spec.classes else len(self.spec.classes)

    def head(self, p: Predicted) -> list[str]:
        if self.spec.task == "binary":
            return super().head(p)
        if self.spec.task == "multiclass":
            top = max(map(single, p.score))
            return [f"predicted/{self.decision(p)}", f"score/{bisect_right(SCORE_EDGES.tolist(), top)}"]
        edges = self.spec.scales.prediction_edges
        return [] if edges is None else [f"score/{bisect_right(edges, p.score)}"]

    def pair(self, p: Predicted, t: Observed) -> tuple[Counter[str], dict[str, float]]:
        found = {"binary": super().pair, "multiclass": self.animal, "regression": self.house}[self.spec.task](p, t)
        counts, sums = found
        most = self.spec.value_most
        if most is None:
            return found
        told = t.value is not None and not math.isnan(t.value)
        counts["valued"] += told
        counts["value_clipped"] += told and abs(t.value) > most
        amount = min(max(t.value, -most), most) if told else 0.0
        if self.spec.task == "regression":
            sums["value"] = amount
        elif amount:
            unknown, label = len(self.spec.classes), self.code(t.label)
            row = unknown if label < 0 else label
            sums[f"value:{row * (unknown + 1) + self.decision(p)}"] = amount
        return counts, sums

    def animal(self, p: Predicted, t: Observed) -> tuple[Counter[str], dict[str, float]]:
        label, decided, unknown = self.code(t.label), self.decision(p), len(self.spec.classes)
        counts = Counter({f"confusion/{(unknown if label < 0 else label) * (unknown + 1) + decided}": 1})
        if label < 0:
            return counts, {"log_loss": 0.0, "log_loss_squared": 0.0, "brier": 0.0}
        scores = [single(x) for x in p.score]
        top = scores.index(max(scores))
        counts["errors"] += decided not in (unknown, label)
        loss = -math.log(min(max(scores[label], 1e-15), 1 - 1e-15))
        counts[f"score_by_right:{int(top == label)}/{bisect_right(SCORE_EDGES.tolist(), max(scores))}"] += 1
        counts[f"loss/{bisect_right(LOSS_EDGES.tolist(), loss)}"] += 1
        brier = sum((x - (k == label)) ** 2 for k, x in enumerate(scores))
        return counts, {"log_loss": loss, "log_loss_squared": loss**2, "brier": brier}

    def house(self, p: Predicted, t: Observed) -> tuple[Counter[str], dict[str, float]]:
        counts: Counter[str] = Counter()
        scales, known = self.spec.scales, self.code(t.label) == 0
        if scales.scale is None:
            return counts, {}
        names = ("loss", "loss_squared", "error", "absolute_error", "label", "predicted")
        names += ("squared_error", "label_squared", "predicted_squared", "label_predicted")
        if not known:
            return counts, dict.fromkeys(names, 0.0)
        bound = 512 * scales.scale
        y, x = (min(max(n - scales.centre, -bound), bound) for n in (float(t.label), p.score))
        counts["clipped"] += any(abs(n - scales.centre) > bound for n in (float(t.label), p.score))
        loss = min(abs(x - y) / scales.scale, 34.538776394910684)
        counts[f"loss/{bisect_right(LOSS_EDGES.tolist(), loss)}"] += 1
        counts[f"score/{bisect_right(scales.prediction_edges, p.score)}"] += 1
        counts[f"label/{bisect_right(scales.label_edges, t.label)}"] += 1
        e = x - y
        return counts, dict(zip(names, (loss, loss**2, e, abs(e), y, x, e**2, y**2, x**2, x * y), strict=True))


def single(number: float) -> float:
    """In single precision, as scores of many classes are kept."""
    return struct.unpack("<f", struct.pack("<f", number))[0]
