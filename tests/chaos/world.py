"""The logs of every partition of both sources for one seed: two models whose apps do everything that goes wrong.

Repeats, conflicting truths, reorder within the slack, late and too late records, predictions that nobody ever labels,
truths of nothing, challengers, unreadable records. Built before the run, so that the oracle knows every record.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from driftloop.schemas.batches.prediction import encode_prediction, layout

from ..observer.world import CLICKS, HOUR, LOANS, START, Bad, Marked, Observed, Predicted, World, bad_records

SPECIFICATIONS = (LOANS, CLICKS)
SOURCES = ("predictions", "ground-truth")
EVENT_SECONDS_A_RECORD = 5.0
"""Event time between two records on average: some thousand a second make two hours of event time a second."""
Step = tuple[int, int, Any]
"""Source (0 predictions, 1 ground truth), partition, what."""


@dataclass(frozen=True)
class Produced:
    """``steps``: every record in the order of producing. ``worlds``: the same by partition, offset = index."""

    steps: list[Step]
    worlds: list[World]

    def log(self, source: int, partition: int) -> list[Any]:
        return self.worlds[partition].logs[source]

    def __len__(self) -> int:
        return len(self.steps)


def make_world(seed: int, records: int, partitions: int) -> Produced:
    """``records`` in the order in which their apps get to send them, time markers at the end of every partition."""
    rng = random.Random(seed)
    arrivals: list[tuple[float, Step]] = []
    now = START
    while len(arrivals) < records:
        now += rng.expovariate(1.0) * EVENT_SECONDS_A_RECORD * 1.8
        arrivals += _story(rng, len(arrivals), now, partitions)
    arrivals.sort(key=lambda arrival: arrival[0])
    steps = [step for _, step in arrivals[:records]]
    end = max(step[2].time for step in steps) + 100 * HOUR
    steps += [(source, p, Marked(end)) for source in (0, 1) for p in range(partitions)]
    worlds = [World() for _ in range(partitions)]
    for source, partition, item in steps:
        worlds[partition].logs[source].append(item)
    return Produced(steps, worlds)


def _story(rng: random.Random, number: int, now: float, partitions: int) -> list[tuple[float, Step]]:
    """(arrival, record) of all that one prediction causes, its own included. A repeat's key finds its partition."""
    name = f"p{number}"
    home = murmur2(name.encode()) % partitions
    p = _prediction(rng, name, eighths(now))
    sent = now + rng.choice((0.0, 0.0, 0.0, rng.random() * p.spec.disorder_seconds, 2 * HOUR * (rng.random() < 0.1)))
    if rng.random() < 0.002:
        sent = now + 11 * HOUR  # later than any horizon
    found: list[tuple[float, Step]] = [(sent, (0, home, p))]
    if rng.random() < 0.02:
        found.append((sent + rng.random() * HOUR, (0, home, replace(p, score=rng.random()))))
    if p.role == "champion" and rng.random() < 0.1:
        challenger = replace(p, role="challenger", version="v2", score=rng.random())
        found.append((sent + rng.random() * 60, (0, home, challenger)))
    if rng.random() < 0.85:
        found += [(at, (1, home, t)) for at, t in _truths(rng, p)]
    if rng.random() < 0.01:
        stranger = f"nobody{number}"
        truth = Observed(stranger, p.spec, p.time, p.spec.classes[0])
        found.append((now, (1, murmur2(stranger.encode()) % partitions, truth)))
    if rng.random() < 0.005:
        found.append((now, _bad(rng, number, now, partitions)))
    return found


def _prediction(rng: random.Random, name: str, time: float) -> Predicted:
    spec = rng.choice((LOANS, LOANS, CLICKS))
    number = rng.gauss(0, 1) if rng.random() < 0.95 else None
    features: dict[str, Any] = {"age": number, "page": rng.choice(("home", "cart", None))}
    if spec is LOANS:
        features = {"income": number, "debt": rng.gauss(0, 1), "region": rng.choice(("north", "south", "west", None))}
    role = "champion" if rng.random() < 0.97 else "history"
    return Predicted(name, spec, time, rng.random(), features, "v1", role, rng.choice((None, *spec.classes)))


def _truths(rng: random.Random, p: Predicted) -> list[tuple[float, Observed]]:
    """Soon, after hours, at the edge of the horizon, behind it, now and then before; repeats, equal or not."""
    horizon = p.spec.horizon_seconds
    delay = rng.choice((60.0, 600.0, HOUR * rng.random(), HOUR, 3 * HOUR * rng.random(), horizon * rng.random()))
    if rng.random() < 0.03:
        delay = rng.choice((-600.0, -0.5 * HOUR, horizon, horizon + 1.0, horizon + HOUR))
    label = rng.choice(p.spec.classes) if rng.random() < 0.98 else rng.choice((None, "nonsense"))
    first = Observed(p.name, p.spec, eighths(p.time + delay), label)
    found = [(first.time + rng.random() * p.spec.disorder_seconds, first)]
    if rng.random() < 0.03:
        again = replace(
            first, label=rng.choice((label, *p.spec.classes)), time=eighths(first.time + rng.random() * 600)
        )
        found.append((found[0][0] + rng.random() * HOUR, again))
    return found


def _bad(rng: random.Random, number: int, now: float, partitions: int) -> Step:
    """An unreadable record, fit for its topic: a truth is truncated, has a foreign schema or none, or is empty."""
    source = rng.randrange(2)
    bad = rng.choice(bad_records(now))
    if source:
        truth = Observed("", LOANS, now, LOANS.classes[0]).record()[1]
        bad = rng.choice([Bad("truncated", b"k", truth[:14]), *bad_records(now)[1:5]])
    if bad.key is None:
        return source, rng.randrange(partitions), bad
    key = b"bad%d" % number
    return source, murmur2(key) % partitions, replace(bad, key=key)


def eighths(seconds: float) -> float:
    """The core sums delays in units of 1/1024 s; so every sum has one right value."""
    return round(seconds * 8) / 8


def murmur2(key: bytes) -> int:
    """Kafka's default partitioner before the modulo, from the description of MurmurHash2 (seed 0x9747b28c)."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(key[i : i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if rest := key[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7FFFFFFF


LAYOUTS = {spec.model: layout(spec) for spec in SPECIFICATIONS}


def encoded(item: Any) -> tuple[bytes | None, bytes | None]:
    """Key and value, as the item's own ``record``, but the schema is parsed once."""
    if isinstance(item, Predicted):
        p = item
        value = encode_prediction(LAYOUTS[p.spec.model], p.time, p.score, p.features, p.version, p.role, p.predicted)
        return p.name.encode(), value
    key, value = item.record()
    return key, value
