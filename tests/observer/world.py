"""Two small logs of one partition with everything in them that goes wrong, and a transport made of lists."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from typing import Any

from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.events import GroundTruth, MonitorApplied, Pane, Progress, TimeMarker
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.streams.fold import FoldContext, Output, SourceRecords
from driftloop.streams.observer.fold import ObserverFold

HOUR = 3_600.0
START = 1_600_002_000.0
"""2020-09-13 13:00 UTC, a pane's start."""
PARTITION = 2

LOANS = MonitorSpecification(
    model="loans",
    task="binary",
    classes=("repaid", "default"),
    features=(
        Feature("income", "f_income", "numeric", edges=(-1.0, 0.0, 0.5)),
        Feature("debt", "f_debt", "numeric", edges=(0.0,)),
        Feature("region", "f_region", "categorical", categories=("north", "south")),
    ),
    horizon_seconds=9.5 * HOUR,  # half an hour off the grid of the panes
    disorder_seconds=600.0,
    dedup_seconds=2 * HOUR,
    pane_seconds=HOUR,
)
CLICKS = MonitorSpecification(
    model="clicks",
    task="binary",
    classes=("no", "yes"),
    features=(Feature("age", "f_age", "numeric"), Feature("page", "f_page", "categorical")),
    horizon_seconds=5 * HOUR,
    disorder_seconds=900.0,
    dedup_seconds=8 * HOUR,
    pane_seconds=2 * HOUR,
    offset_seconds=1_800.0,
)
"""No bins yet; another clock, in the same partition."""


@dataclass(frozen=True)
class Predicted:
    name: str
    spec: MonitorSpecification
    time: float
    score: Any
    """A number; a tuple of them where there are many classes."""
    features: dict[str, Any]
    version: str
    role: str
    predicted: str | None

    @property
    def seat(self) -> tuple[str, str]:
        return self.version, self.role

    def record(self) -> tuple[bytes | None, bytes]:
        how = layout(self.spec)
        tail = (self.version, self.role, self.predicted)
        return self.name.encode(), encode_prediction(how, self.time, self.score, self.features, *tail)


@dataclass(frozen=True)
class Observed:
    name: str
    spec: MonitorSpecification
    time: float
    label: Any
    value: float | None = None

    def record(self) -> tuple[bytes | None, bytes]:
        return self.name.encode(), encode(GroundTruth(self.time, self.spec.model, self.label, self.value))


@dataclass(frozen=True)
class Marked:
    time: float

    def record(self) -> tuple[bytes | None, bytes]:
        return None, encode(TimeMarker(self.time, "test"))


@dataclass(frozen=True)
class Bad:
    """A record that cannot be read; it has no time."""

    reason: str
    key: bytes | None
    value: bytes | None
    time: float = -math.inf

    def record(self) -> tuple[bytes | None, bytes | None]:
        return self.key, self.value


@dataclass
class World:
    """``logs``: the predictions topic and the ground-truth topic, in offset order."""

    predictions: list[Any] = field(default_factory=list)
    truths: list[Any] = field(default_factory=list)

    @property
    def logs(self) -> tuple[list[Any], list[Any]]:
        return self.predictions, self.truths


def make_world(seed: int, size: int = 120) -> World:
    rng = random.Random(seed)
    world, now = World(), START
    names = [f"id{i}" for i in range(rng.choice((size // 4, size, 10 * size)))]
    for _ in range(size):
        now += rng.choice((0.0, 60.0, 300.0, 300.0, 900.0, 4 * HOUR if rng.random() < 0.05 else 60.0))
        late = rng.choice((0.0, 0.0, 0.0, 0.0, 300.0, 1_200.0, 2 * HOUR, 7 * HOUR, 12 * HOUR))
        world.predictions.append(prediction(rng, rng.choice(names), now - late))
        if rng.random() < 0.06:
            world.predictions.append(rng.choice((Marked(now), *bad_records(now))))
    for p in [p for p in world.predictions if isinstance(p, Predicted)]:
        for _ in range(rng.choice((0, 1, 1, 1, 1, 2))):
            delay = HOUR * rng.choice((-6, -0.1, 0, 0.5, 1, 1, 2, 7, 9.5, 12))
            label = rng.choice((*p.spec.classes, *p.spec.classes, 1, None, "nonsense"))
            world.truths.append(Observed(p.name, p.spec, p.time + delay, label))
        if rng.random() < 0.05:
            world.truths.append(Observed("nobody", p.spec, p.time, p.spec.classes[0]))
    world.truths.sort(key=lambda t: t.time + rng.choice((0.0, 0.0, 60.0, 900.0, 8 * HOUR)))
    if world.truths:
        world.truths.insert(rng.randrange(len(world.truths)), rng.choice(bad_records(now)[:5]))
    end = now + 100 * HOUR
    world.predictions.append(Marked(end))
    world.truths.append(Marked(end))
    return world


def prediction(rng: random.Random, name: str, time: float) -> Predicted:
    spec = rng.choice((LOANS, LOANS, CLICKS))
    number = rng.choice((None, rng.gauss(0, 1), rng.gauss(0, 1), math.inf))
    category = rng.choice((None, "north", "south", "west"))
    features = {"income": number, "debt": rng.gauss(0, 1), "region": category} if spec is LOANS else {"age": number}
    seat = rng.choice((("v1", "champion"), ("v1", "champion"), ("v2", "challenger"), ("v1", "history")))
    score = rng.choice((rng.random(), 0.0, 1.0, 0.5))
    return Predicted(name, spec, time, score, features, *seat, rng.choice((None, *spec.classes, "nonsense")))


def bad_records(now: float) -> tuple[Bad, ...]:
    rng = random.Random(5)
    good = prediction(rng, "bad", now).record()[1]
    other = MonitorSpecification("stranger", "binary", ("a", "b"), (Feature("x", "f_x", "numeric"),), HOUR)
    stranger = encode_prediction(layout(other), now, 0.5, {"x": 1.0}, "v1")
    fixed = layout(LOANS).pack(253_370_764_800.0, 0.5, 0.0, 0.0)
    plain = encode_prediction(layout(LOANS), now, 0.5, {}, "v1")
    return (
        Bad("truncated", b"k", good[:20]),
        Bad("empty", b"k", b""),
        Bad("empty", b"k", None),
        Bad("unknown-framing", b"k", b"{}0123456789"),
        Bad("unknown-schema", b"k", stranger),
        Bad("key-missing", None, plain),
        Bad("event-time-in-the-future", b"k", plain[:10] + fixed + plain[10 + len(fixed) :]),
    )


def context(refreshes: list[int] | None = None, *specifications: MonitorSpecification) -> FoldContext:
    catalogue = Catalogue()
    for offset, spec in enumerate(specifications or (LOANS, CLICKS)):
        event = MonitorApplied(spec.model, spec.spec, spec.to_json())
        catalogue.absorb("monitors", offset, spec.model.encode(), encode(event))
    counted = refreshes if refreshes is not None else []
    return FoldContext(catalogue, lambda: counted.append(1), 3, lambda short: f"t.{short}.v1")


class Transport:
    """Kafka in a list: what has been committed survives a crash, nothing else does."""

    def __init__(
        self,
        world: World,
        seen: FoldContext | None = None,
        rows_most: int = 1_000_000,
        offsets: tuple[int, int] = (7, 2),
    ) -> None:
        """``offsets``: the first one, and the step to the next: those of a topic have holes."""
        self.context, self.offsets = seen or context(), offsets
        self.rows_most = rows_most
        self.records = [[item.record() for item in log] for log in world.logs]
        self.times = [max((item.time for item in log), default=0.0) for log in world.logs]
        self.state: dict[bytes, bytes] = {}
        self.saved, self.outputs = [0, 0], list[Output]()
        self.crash()

    def crash(self) -> None:
        """Anew from what was committed."""
        self.fold = ObserverFold(PARTITION, self.state, self.context, self.rows_most)
        self.done = list(self.saved)

    def deliver(self, source: int, count: int) -> None:
        start = self.done[source]
        end = self.done[source] = min(start + count, len(self.records[source]))
        some = self.records[source][start:end]
        topic = self.context.topic(("predictions", "ground-truth")[source])
        stamp = int((self.times[source] + 60) * 1000)
        offsets = [self.offsets[0] + self.offsets[1] * i for i in range(start, end)]
        lag = len(self.records[source]) - end
        keys, values = [key for key, _ in some], [value for _, value in some]
        stamps, headers = [stamp] * len(some), [()] * len(some)
        self.fold.absorb(SourceRecords(topic, PARTITION, offsets, keys, values, stamps, headers, lag))

    def commit(self) -> None:
        changes = self.fold.collect()
        for key, value in changes.state.items():
            assert not key.startswith(b"header")
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        self.outputs += changes.outputs
        self.saved = list(self.done)
        for topic, offset in changes.absorbed.items():
            source = ("t.predictions.v1", "t.ground-truth.v1").index(topic)
            saved = math.ceil((offset + 1 - self.offsets[0]) / self.offsets[1])
            assert 0 <= saved < self.done[source], "what is kept back lies behind what is absorbed"
            self.saved[source] = saved

    def run(self, rng: random.Random, batch: int = 30, crashes: float = 0.0) -> None:
        """Everything, in random pieces: cuts, interleaving, checkpoints, crashes."""
        sizes = [len(records) for records in self.records]
        while self.saved != sizes:
            open_sources = [s for s in (0, 1) if self.done[s] < sizes[s]]
            if open_sources:
                self.deliver(rng.choice(open_sources), rng.choice((1, 2, batch)))
            if rng.random() < crashes:
                self.crash()
            elif not open_sources or rng.random() < 0.4:
                self.commit()


def as_the_only_partition(outputs: list[Output]) -> list[bytes]:
    """What an observer says on the panes topic, as if its partition were the first and only one."""
    said = [decode(o.value) for o in outputs if o.topic == "t.panes.v1"]
    return [encode(replace(one, partition=0)) for one in said if isinstance(one, Pane | Progress)]
