"""One seed, one world of the pure core: models, partitions, and two logs a partition with everything that goes wrong.

Times lie on a grid of 30 s, as horizons and panes do, so that "exactly at the limit" is met all the time.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

from driftloop.schemas.batches.prediction import PredictionLayout, encode_prediction, layout
from driftloop.schemas.codec import encode
from driftloop.schemas.events import GroundTruth, TimeMarker
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification

START = 1_600_002_000.0
HOUR = 3_600.0
GRID = 30.0
PREDICTIONS, TRUTHS = 0, 1
SEATS = (("v1", "champion"), ("v1", "champion"), ("v2", "champion"), ("v2", "challenger"), ("v1", "history"))


@dataclass(frozen=True)
class Predicted:
    """A prediction; ``features`` by name, left out: missing."""

    id: str
    model: str
    time: float
    score: float
    features: dict[str, Any]
    version: str
    role: str
    predicted: str | None

    def record(self, world: CoreWorld) -> tuple[bytes | None, bytes | None]:
        how = world.layout_of(self.model)
        tail = (self.version, self.role, self.predicted)
        return self.id.encode(), encode_prediction(how, self.time, self.score, self.features, *tail)


@dataclass(frozen=True)
class Observed:
    """A ground truth; ``code``: the class that ``label`` means, -1 for none."""

    id: str
    model: str
    time: float
    label: Any
    code: int

    def record(self, world: CoreWorld) -> tuple[bytes | None, bytes | None]:  # noqa: ARG002
        return self.id.encode(), encode(GroundTruth(self.time, self.model, self.label))


@dataclass(frozen=True)
class Marked:
    time: float

    def record(self, world: CoreWorld) -> tuple[bytes | None, bytes | None]:  # noqa: ARG002
        return None, encode(TimeMarker(self.time, "simulation"))


@dataclass(frozen=True)
class Bad:
    """A record that cannot be read, and why."""

    reason: str
    key: bytes | None
    value: bytes | None

    def record(self, world: CoreWorld) -> tuple[bytes | None, bytes | None]:  # noqa: ARG002
        return self.key, self.value


Item = Predicted | Observed | Marked | Bad


@dataclass
class CoreWorld:
    """``logs[partition][source]``: (offset, item) ascending. ``changes``: specifications published on the way.

    ``rows_most``: the store's bound, None: none. ``exact``: every number is a function of the logs; otherwise memory
    or a change of terms decides some, and the oracle states what must hold nevertheless.
    """

    seed: int
    specifications: list[MonitorSpecification]
    logs: list[tuple[list[tuple[int, Item]], list[tuple[int, Item]]]] = field(default_factory=list)
    changes: list[MonitorSpecification] = field(default_factory=list)
    rows_most: int | None = None
    terms_change: bool = False

    @property
    def exact(self) -> bool:
        return self.rows_most is None and not self.terms_change

    @cached_property
    def first_of(self) -> dict[str, MonitorSpecification]:
        """The specification an app writes with: bins do not show on the wire."""
        return {s.model: s for s in reversed([*self.specifications, *self.changes])}

    def layout_of(self, model: str) -> PredictionLayout:
        return _layout(self.first_of[model])

    @cached_property
    def stamp_ms(self) -> int:
        """Kafka's timestamp of every record: behind all event times."""
        times = [item.time for logs in self.logs for log in logs for _, item in log if not isinstance(item, Bad)]
        return int((max(times, default=START) + 60.0) * 1000)

    def records(self) -> int:
        return sum(len(log) for logs in self.logs for log in logs)

    def what_goes_wrong(self) -> Counter[str]:
        """How many records are repeats, arrive behind a later one of their partition, or cannot be read."""
        found: Counter[str] = Counter()
        for log in (log for logs in self.logs for log in logs):
            ids, greatest = set(), -math.inf
            for _, item in log:
                if isinstance(item, Bad):
                    found["bad"] += 1
                    continue
                found["reordered"] += item.time < greatest
                greatest = max(greatest, item.time)
                if not isinstance(item, Marked):
                    found["repeated"] += (item.model, item.id) in ids
                    ids.add((item.model, item.id))
        return found


_layout = lru_cache(64)(layout)
"""A schema's fingerprint takes a millisecond."""


def on_grid(seconds: float) -> float:
    return math.floor(seconds / GRID) * GRID


def make_specification(rng: random.Random, model: str) -> MonitorSpecification:
    bins = rng.random() < 0.7
    numeric = [
        Feature(f"n{i}", f"f_n{i}", "numeric", edges=rng.choice(((0.0,), (-1.0, 0.0, 0.5))) if bins else None)
        for i in range(rng.choice((0, 1, 2)))
    ]
    categorical = [
        Feature(f"c{i}", f"f_c{i}", "categorical", categories=("north", "south") if bins else None)
        for i in range(rng.choice((0, 0, 1)))
    ]
    pane = rng.choice((600.0, 1_800.0, HOUR, 2 * HOUR))
    return MonitorSpecification(
        model=model,
        task="binary",
        classes=rng.choice((("no", "yes"), ("0", "1"), ("false", "true"))),
        features=(*numeric, *categorical) or (Feature("n", "f_n", "numeric", edges=(0.0,) if bins else None),),
        horizon_seconds=rng.choice((0.5, 2.0, 5.0, 9.5, 26.0)) * HOUR,
        disorder_seconds=rng.choice((0.0, 120.0, 600.0, 1_800.0)),
        dedup_seconds=rng.choice((0.0, 900.0, 2 * HOUR, 8 * HOUR)),
        pane_seconds=pane,
        offset_seconds=rng.choice((0.0, 300.0, pane / 2)),
    )


def make_world(seed: int, size: int = 60) -> CoreWorld:
    """``size``: predictions, repeats not counted."""
    rng = random.Random(seed)
    models = [make_specification(rng, name) for name in ("alpha", "beta", "gamma")[: rng.choice((1, 1, 2, 3))]]
    world = CoreWorld(seed, models)
    kind = rng.random()
    if kind < 0.15:
        world.rows_most = rng.choice((8, 16, 24))
    elif kind < 0.30:
        world.changes = [with_other_bins(rng, rng.choice(models)) for _ in range(rng.choice((1, 2)))]
    elif kind < 0.40:
        world.changes = [make_specification(rng, "newcomer")]
    elif kind < 0.50:
        world.terms_change = True
        world.changes = [with_other_terms(rng, rng.choice(models))]
    partitions = rng.choice((1, 1, 1, 2, 3))
    arrivals = make_arrivals(rng, world, size)
    world.logs = [
        tuple(placed(rng, arrivals, partition, partitions, s) for s in (0, 1)) for partition in range(partitions)
    ]
    if rng.random() < 0.8:
        longest = max(s.horizon_seconds + s.dedup_seconds for s in [*models, *world.changes])
        end = max(at for at, _, _, _ in arrivals) + 5 * longest
        for logs in world.logs:
            for log in logs:
                log.append((log[-1][0] + 1 if log else 0, Marked(on_grid(end))))
    return world


def with_other_bins(rng: random.Random, spec: MonitorSpecification) -> MonitorSpecification:
    edges = {f.name: (-0.5, rng.choice((0.25, 0.75))) for f in spec.numeric}
    return spec.with_bins(edges, {f.name: ("west", "north", "south") for f in spec.categorical})


def with_other_terms(rng: random.Random, spec: MonitorSpecification) -> MonitorSpecification:
    horizon, pane = rng.choice(((0.5, HOUR), (3.0, 1_800.0), (30.0, spec.pane_seconds)))
    return replace(
        spec,
        horizon_seconds=horizon * HOUR,
        pane_seconds=pane,
        dedup_seconds=rng.choice((0.0, spec.dedup_seconds, 12 * HOUR)),
        disorder_seconds=rng.choice((60.0, spec.disorder_seconds, 900.0)),
    )


def placed(
    rng: random.Random, arrivals: list[tuple[float, int, str, Item]], partition: int, partitions: int, source: int
) -> list[tuple[int, Item]]:
    """What falls into one partition of one topic, in order of arrival, with holes in the offsets."""
    log, offset = [], rng.choice((0, 0, 7))
    for _, of, id_, item in arrivals:
        if of == source and sum(id_.encode()) % partitions == partition:
            log.append((offset, item))
            offset += rng.choice((1, 1, 1, 2, 5))
    return log


def make_arrivals(rng: random.Random, world: CoreWorld, size: int) -> list[tuple[float, int, str, Item]]:
    """(moment of arrival, source, id, item), sorted."""
    specs = list(world.first_of.values())
    ids = [f"id{i}" for i in range(rng.choice((max(4, size // 4), size, 10 * size)))]
    step = on_grid(rng.choice((1, 3, 10)) * max(s.horizon_seconds for s in specs) / size) + GRID
    found: list[tuple[float, int, str, Item]] = []
    now = START
    for _ in range(size):
        now += rng.choice((0.0, step, step, on_grid(step / 3), 20 * step if rng.random() < 0.03 else step))
        p = make_prediction(rng, rng.choice(specs), rng.choice(ids), now)
        at = now + lateness(rng, world.first_of[p.model])
        found.append((at, PREDICTIONS, p.id, p))
        if rng.random() < 0.12:
            found.append((at + rng.choice((0.0, step, 900.0, 3 * HOUR, 20 * HOUR)), PREDICTIONS, p.id, again(rng, p)))
        found += make_truths(rng, world.first_of[p.model], p)
        if rng.random() < 0.06:
            source, id_ = rng.choice((0, 1)), rng.choice(ids)
            found.append((now, source, id_, rng.choice((Marked(now), *bad_records(source, world, now)))))
    found.sort(key=lambda one: one[0])
    return found


def lateness(rng: random.Random, spec: MonitorSpecification) -> float:
    slack, horizon = spec.disorder_seconds, spec.horizon_seconds
    return rng.choice(
        (0.0, 0.0, 0.0, 0.0, slack / 2, slack, slack + GRID, 2 * slack + 900.0, horizon, horizon + slack, 2 * horizon)
    )


def again(rng: random.Random, p: Predicted) -> Predicted:
    """A repeat: the same bytes, or the same id with other content or from another seat."""
    version, role = rng.choice(SEATS)
    return rng.choice((p, p, replace(p, score=rng.random()), replace(p, version=version, role=role)))


def make_prediction(rng: random.Random, spec: MonitorSpecification, id_: str, time: float) -> Predicted:
    features: dict[str, Any] = {}
    for f in spec.features:
        if rng.random() < 0.85:
            value = rng.choice((rng.gauss(0, 1), rng.gauss(0, 1), 0.0, 0.5, math.inf))
            features[f.name] = value if f.kind == "numeric" else rng.choice(("north", "south", "west"))
    score = rng.choice((rng.random(), rng.random(), 0.0, 1.0, 0.5))
    decision = rng.choice((None, None, *spec.classes, "nonsense"))
    return Predicted(id_, spec.model, time, score, features, *rng.choice(SEATS), decision)


def make_truths(rng: random.Random, spec: MonitorSpecification, p: Predicted) -> list[tuple[float, int, str, Item]]:
    found: list[tuple[float, int, str, Item]] = []
    horizon, edges = spec.horizon_seconds, spec.delay_edges_seconds
    for _ in range(rng.choice((0, 1, 1, 1, 1, 1, 2))):
        delay = rng.choice(
            (0.0, 60.0, on_grid(rng.random() * horizon), *edges, -60.0, -horizon, horizon + GRID, 3 * horizon)
        )
        truth = Observed(p.id, spec.model, p.time + delay, *make_label(rng, spec.classes))
        found.append((truth.time + lateness(rng, spec), TRUTHS, p.id, truth))
        if rng.random() < 0.1:
            other = replace(truth, time=truth.time + rng.choice((0.0, 0.0, 600.0)))
            if rng.random() < 0.5:
                label, code = make_label(rng, spec.classes)
                other = replace(other, label=label, code=code)
            found.append((other.time + rng.choice((60.0, HOUR, 10 * HOUR)), TRUTHS, p.id, other))
    if rng.random() < 0.04:
        found.append(
            (p.time, TRUTHS, f"nobody{p.id}", Observed(f"nobody{p.id}", spec.model, p.time, spec.classes[0], 0))
        )
    return found


def make_label(rng: random.Random, classes: tuple[str, str]) -> tuple[Any, int]:
    """(label as an app may write it, the class it means)."""
    code = rng.choice((0, 1))
    forms: list[tuple[Any, int]] = [(classes[code], code)] * 4 + [(None, -1), ("nonsense", -1), (2, -1)]
    if classes != ("no", "yes"):
        forms += [(bool(code), code)]
    else:
        forms += [(code, code), (float(code), code), (bool(code), code)]
    return rng.choice(forms)


def bad_records(source: int, world: CoreWorld, now: float) -> list[Bad]:
    spec = world.specifications[0]
    plain = encode_prediction(_layout(spec), now, 0.5, {}, "v1")
    truth = encode(GroundTruth(now, spec.model, spec.classes[0]))
    stranger = MonitorSpecification("stranger", "binary", ("a", "b"), (Feature("x", "f_x", "numeric"),), HOUR)
    good = plain if source == PREDICTIONS else truth
    unread = [Bad("empty", b"k", b""), Bad("empty", b"k", None), Bad("truncated", b"k", good[:12])]
    unread += [Bad("unknown-framing", b"k", b"{}0123456789"), Bad("key-missing", None, good)]
    for reason, time in (("event-time-in-the-future", 253_370_764_800.0), ("event-time-before-2000", 12.0)):
        if source == PREDICTIONS:
            unread.append(Bad(reason, b"k", encode_prediction(_layout(spec), time, 0.5, {}, "v1")))
        else:
            unread.append(Bad(reason, b"k", encode(GroundTruth(time, spec.model, None))))
    if source == PREDICTIONS:
        unread.append(Bad("unknown-schema", b"k", encode_prediction(_layout(stranger), now, 0.5, {}, "v1")))
    else:
        unread.append(Bad("unknown-model", b"k", encode(GroundTruth(now, "stranger", "a"))))
    return unread
