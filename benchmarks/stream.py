"""The records both workers of the benchmark read: predictions with 10 numeric and 2 categorical features, and truths.

Seeded, in order of time: a pair's truth follows its prediction after some hours; nothing is late, nothing is missing,
so that both workers can be held to the same number of joined pairs.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from confluent_kafka import Producer
from driftloop.console.monitor import specification_events
from driftloop.console.publishing import Publication, publish
from driftloop.schemas.codec import encode
from driftloop.schemas.events import GroundTruth, ReferenceBuilt, TimeMarker
from driftloop.schemas.prediction import encode_prediction, layout
from driftloop.schemas.reference import build_reference
from driftloop.schemas.settings import Settings
from driftloop.schemas.specification import MonitorSpecification, compile_monitor

MODEL = "bench"
NUMERIC = tuple(f"x{i}" for i in range(10))
CATEGORICAL = {"region": ("north", "south", "east", "west"), "device": ("phone", "desktop", "tablet")}
CLASSES = ("good", "bad")
START = 1_700_006_400.0
DAYS = 2
"""100,000 pairs in two days: some 170 a pane and partition. Below ten, telling the panes is most of the work."""
DAY_SECONDS = 86_400.0
MONITOR = "\n".join(
    [
        f'model = "{MODEL}"',
        'task = "binary"',
        f'classes = ["{CLASSES[0]}", "{CLASSES[1]}"]',
        "[time]",
        'pane = "1 h"',
        'window = "1 d"',
        'horizon = "3 d"',
        "[features]",
        *(f'{name} = "numeric"' for name in NUMERIC),
        *(f'{name} = "categorical"' for name in CATEGORICAL),
        "[alarms]",
        'budget = "1 per month"',
    ]
)


class Stream(NamedTuple):
    """Columns of all pairs, by event time."""

    event_time: np.ndarray
    known_at: np.ndarray
    numeric: np.ndarray
    categories: dict[str, np.ndarray]
    score: np.ndarray
    label: np.ndarray


def make_stream(pairs: int, seed: int = 1) -> Stream:
    """``pairs`` predictions over two days; a label is drawn with its own score's probability."""
    rng = np.random.default_rng(seed)
    event_time = np.sort(START + rng.random(pairs) * DAYS * DAY_SECONDS)
    numeric = rng.normal(size=(pairs, len(NUMERIC)))
    score = 1 / (1 + np.exp(-(numeric @ np.linspace(0.8, -0.4, len(NUMERIC)))))
    return Stream(
        event_time,
        event_time + np.minimum(rng.exponential(6 * 3600.0, pairs), 2 * DAY_SECONDS),
        numeric,
        {name: rng.choice(values, pairs) for name, values in CATEGORICAL.items()},
        score,
        (rng.random(pairs) < score).astype(np.int64),
    )


def specification() -> MonitorSpecification:
    """Without bins: they come from the reference."""
    return compile_monitor(MONITOR, "benchmarks/stream.py")


def publish_monitor(settings: Settings, stream: Stream, rows: int = 10_000) -> MonitorSpecification:
    """Specification with bins, and reference, from the first rows."""
    columns = {name: stream.numeric[:rows, i] for i, name in enumerate(NUMERIC)}
    columns |= {name: values[:rows].astype(object) for name, values in stream.categories.items()}
    spec, baselines = build_reference(
        specification(),
        columns,
        stream.label[:rows],
        score=stream.score[:rows],
        event_time=stream.event_time[:rows],
        predicted=(stream.score[:rows] > 0.5).astype(np.int64),
    )
    built = ReferenceBuilt(MODEL, spec.spec, baselines.reference, baselines.to_json())
    reference = Publication("references", f"{MODEL}/{baselines.reference}", built)
    publish(settings, [*specification_events(spec), reference])
    return spec


def records(stream: Stream, spec: MonitorSpecification) -> Iterator[tuple[str, bytes, bytes]]:
    """(short topic, key, value) in order of time."""
    found = layout(spec)
    waiting: list[tuple[float, int]] = []
    names = list(CATEGORICAL)
    categories = [stream.categories[name].tolist() for name in names]
    columns = zip(
        stream.event_time.tolist(), stream.score.tolist(), stream.numeric.tolist(), *categories, strict=True
    )
    for i, (event_time, score, numbers, *texts) in enumerate(columns):
        yield from known_before(stream, waiting, event_time)
        features = dict(zip(NUMERIC, numbers, strict=True)) | dict(zip(names, texts, strict=True))
        predicted = CLASSES[score > 0.5]
        value = encode_prediction(found, event_time, score, features, "v1", predicted=predicted)
        yield "predictions", b"p-%08d" % i, value
        heapq.heappush(waiting, (float(stream.known_at[i]), i))
    yield from known_before(stream, waiting, float("inf"))


def known_before(stream: Stream, waiting: list[tuple[float, int]], time: float) -> Iterator[tuple[str, bytes, bytes]]:
    """The truths known before ``time``, taken from ``waiting``."""
    while waiting and waiting[0][0] < time:
        known_at, i = heapq.heappop(waiting)
        yield "ground-truth", b"p-%08d" % i, encode(GroundTruth(known_at, MODEL, CLASSES[stream.label[i]]))


def produce(settings: Settings, stream: Stream, spec: MonitorSpecification) -> int:
    """Everything, then time markers far behind it, which close every pane. Returns the number of records."""
    producer = Producer(
        settings.confluent(
            linger_ms=20, partitioner="murmur2_random", compression_type="lz4", queue_buffering_max_messages=1_000_000
        )
    )
    count = 0
    for short, key, value in records(stream, spec):
        producer.produce(settings.topic(short), value, key)
        count += 1
        if count % 1000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0
    marker = encode(TimeMarker(START + (DAYS + 10) * DAY_SECONDS, "benchmark"))
    for short in ("predictions", "ground-truth"):
        for partition in range(settings.partitions):
            producer.produce(settings.topic(short), marker, partition=partition)
            count += 1
    assert producer.flush(60) == 0
    return count
