"""The records that the workers of the benchmark read: predictions with 10 numeric and 2 categorical features, truths.

Seeded, in order of time: a pair's truth follows its prediction after some hours; nothing is late, nothing is missing,
so that every worker can be held to the same number of joined pairs.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from driftloop.console.monitor import specification_events
from driftloop.console.publishing import Publication, publish
from driftloop.schemas.baseline.reference import build_reference
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.codec import encode
from driftloop.schemas.events import GroundTruth, ReferenceBuilt, TimeMarker
from driftloop.schemas.monitor.specification import MonitorSpecification, compile_monitor
from driftloop.schemas.settings import Settings

MODEL = "bench"
NUMERIC = tuple(f"x{i}" for i in range(10))
CATEGORICAL = {"region": ("north", "south", "east", "west"), "device": ("phone", "desktop", "tablet")}
OTHER_VALUES = ("a", "b", "c", "d", "e")
"""Of categorical features beyond these two, where a part asks for more."""
CLASSES = ("good", "bad")
START = 1_700_006_400.0
DAY_SECONDS = 86_400.0
EVENTS_PER_SECOND = 6.0
"""Of event time: a million records in two days. Twelve partitions and panes of an hour then hold 900 pairs each;
below ten, telling the panes would be most of the work."""
DELAY_SECONDS = 6 * 3600.0
REFERENCE_ROWS = 10_000
MONITOR = "\n".join(
    [
        'model = "{model}"',
        'task = "binary"',
        f'classes = ["{CLASSES[0]}", "{CLASSES[1]}"]',
        "[time]",
        'pane = "1 h"',
        'window = "1 d"',
        'horizon = "3 d"',
        "[features]",
        "{features}",
        "[alarms]",
        'budget = "1 per month"',
    ]
)


class Record(NamedTuple):
    """``short``: which topic, as schemas/topics.py calls it."""

    short: str
    key: bytes
    value: bytes


class Stream(NamedTuple):
    """Columns of all pairs, by event time."""

    event_time: np.ndarray
    known_at: np.ndarray
    numeric: np.ndarray
    categories: dict[str, np.ndarray]
    score: np.ndarray
    label: np.ndarray


def make_stream(
    pairs: int,
    seed: int = 1,
    per_second: float = EVENTS_PER_SECOND,
    delay_seconds: float = DELAY_SECONDS,
    start: float = START,
    numeric: int = len(NUMERIC),
    categorical: int = len(CATEGORICAL),
) -> Stream:
    """``pairs`` predictions, ``per_second / 2`` a second of event time; truths come ``delay_seconds`` behind them on
    average. A label is drawn with its own score's probability."""
    rng = np.random.default_rng(seed)
    event_time = np.sort(start + rng.random(pairs) * pairs * 2 / per_second)
    numbers = rng.normal(size=(pairs, numeric))
    score = 1 / (1 + np.exp(-(numbers @ np.linspace(0.8, -0.4, numeric))))
    values = list(CATEGORICAL.items()) + [(f"c{i}", OTHER_VALUES) for i in range(len(CATEGORICAL), categorical)]
    return Stream(
        event_time,
        event_time + np.minimum(rng.exponential(delay_seconds, pairs), 2 * DAY_SECONDS),
        numbers,
        {name: rng.choice(texts, pairs) for name, texts in values[:categorical]},
        score,
        (rng.random(pairs) < score).astype(np.int64),
    )


def model_names(models: int) -> list[str]:
    """One: ``bench``; a hundred: ``bench-00`` to ``bench-99``."""
    return [MODEL] if models == 1 else [f"{MODEL}-{i:02d}" for i in range(models)]


def specification(
    model: str = MODEL, numeric: Sequence[str] = NUMERIC, categorical: Sequence[str] = tuple(CATEGORICAL)
) -> MonitorSpecification:
    """Without bins: they come from the reference."""
    features = [f'{name} = "numeric"' for name in numeric] + [f'{name} = "categorical"' for name in categorical]
    return compile_monitor(MONITOR.format(model=model, features="\n".join(features)), "benchmarks/stream.py")


def specification_of(stream: Stream, model: str = MODEL) -> MonitorSpecification:
    """For the features that a stream has."""
    return specification(model, [f"x{i}" for i in range(stream.numeric.shape[1])], tuple(stream.categories))


def with_reference(spec: MonitorSpecification, stream: Stream) -> tuple[MonitorSpecification, ReferenceBuilt]:
    """Specification with bins, and reference, from the first rows."""
    rows = slice(REFERENCE_ROWS)
    columns = {f"x{i}": stream.numeric[rows, i] for i in range(stream.numeric.shape[1])}
    columns |= {name: values[rows].astype(object) for name, values in stream.categories.items()}
    spec, baselines = build_reference(
        spec,
        {feature.name: columns[feature.name] for feature in spec.features},
        stream.label[rows],
        score=stream.score[rows],
        event_time=stream.event_time[rows],
        predicted=(stream.score[rows] > 0.5).astype(np.int64),
    )
    return spec, ReferenceBuilt(spec.model, spec.spec, baselines.reference, baselines.to_json())


def publish_monitors(settings: Settings, stream: Stream, models: Sequence[str] = (MODEL,)) -> None:
    """The live specifications of all models of a stream."""
    found: list[Publication] = []
    for model in models:
        spec, built = with_reference(specification_of(stream, model), stream)
        found += [*specification_events(spec), Publication("references", f"{model}/{built.reference}", built)]
    publish(settings, found)


def records(stream: Stream, models: Sequence[str] = (MODEL,), truths: bool = True) -> Iterator[Record]:
    """All records in order of time; the pairs go round the models."""
    layouts = [layout(with_reference(specification_of(stream, model), stream)[0]) for model in models]
    waiting: list[tuple[float, int]] = []
    numeric, names = [f"x{i}" for i in range(stream.numeric.shape[1])], list(stream.categories)
    categories = [stream.categories[name].tolist() for name in names]
    columns = zip(
        stream.event_time.tolist(), stream.score.tolist(), stream.numeric.tolist(), *categories, strict=True
    )
    for i, (event_time, score, numbers, *texts) in enumerate(columns):
        if truths:
            yield from known_before(stream, models, waiting, event_time)
            heapq.heappush(waiting, (float(stream.known_at[i]), i))
        features = dict(zip(numeric, numbers, strict=True)) | dict(zip(names, texts, strict=True))
        predicted = CLASSES[score > 0.5]
        value = encode_prediction(layouts[i % len(layouts)], event_time, score, features, "v1", predicted=predicted)
        yield Record("predictions", b"p-%08d" % i, value)
    yield from known_before(stream, models, waiting, float("inf"))


def known_before(
    stream: Stream, models: Sequence[str], waiting: list[tuple[float, int]], time: float
) -> Iterator[Record]:
    """The truths known before ``time``, taken from ``waiting``."""
    while waiting and waiting[0][0] < time:
        known_at, i = heapq.heappop(waiting)
        truth = GroundTruth(known_at, models[i % len(models)], CLASSES[stream.label[i]])
        yield Record("ground-truth", b"p-%08d" % i, encode(truth))


def closing_marker(stream: Stream) -> bytes:
    """A time marker far behind a stream, which closes every pane."""
    return encode(TimeMarker(float(stream.known_at.max()) + 10 * DAY_SECONDS, "benchmark"))
