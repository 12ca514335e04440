"""`driftloop replay MODEL`: read the topics' history, fold it, compare. Nothing is written to any topic."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from driftloop.console.models import find_specification, read_catalogue
from driftloop.console.monitor import compiled
from driftloop.console.reading import partitions_of, read_messages
from driftloop.console.replay.history import History
from driftloop.console.replay.orders import counted
from driftloop.console.replay.pipeline import Pipeline, Told
from driftloop.console.replay.report import Replayed
from driftloop.console.replay.trainings import trainings
from driftloop.console.replay.verdict import compare
from driftloop.console.silence import changes, orders
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.events import DriftDetected, IncidentChanged, MonitorApplied, SilenceChanged, WindowMeasured
from driftloop.schemas.settings import Settings
from driftloop.schemas.specification import MonitorSpecification
from driftloop.streams.observer.fold import SOURCES

LATEST = 1 << 62
"""Offset of a specification that was never published: later than all that were."""
TOLD = WindowMeasured | DriftDetected | IncidentChanged | SilenceChanged
Span = tuple[float, float]
"""Event times, from (included) to (not included)."""
ALWAYS: Span = (-math.inf, math.inf)


def replay(
    settings: Settings, model: str, file: Path | None, span: Span, done: Callable[[int, int], None]
) -> Replayed:
    """Replay all of both topics; tell of the windows that begin in ``span``. ``done(records, of)`` now and then.

    ConfigError: no monitor; a file of another model, or with features whose bins nobody has found.
    """
    catalogue = read_catalogue(settings)
    live = find_specification(catalogue, model)
    specification = candidate(catalogue, live, file) if file else live
    is_live = specification.spec == live.spec
    catalogue.retime(model, counted(orders(settings, catalogue, model), changes(settings, model)))
    started = time.monotonic()
    with History(settings, [settings.topic(short) for short in SOURCES]) as history:
        pipeline = Pipeline(model, partitions_of(settings, settings.topic("predictions")), catalogue, settings.topic)
        read = fold(history, pipeline, done)
    seconds = time.monotonic() - started
    told = within(span, pipeline.told)
    verdict = compare(within(span, told_live(settings, live)), told) if is_live else None
    return Replayed(
        specification,
        is_live,
        read,
        seconds,
        pipeline.dead_letters,
        tuple(told),
        tuple(trainings(told, specification)),
        verdict,
    )


def fold(history: History, pipeline: Pipeline, done: Callable[[int, int], None]) -> int:
    """Everything through the pipeline; how many records it was."""
    read = 0
    for records in history.read(lambda topic, partition: pipeline.ahead(partition) == topic):
        pipeline.absorb(records)
        read += len(records)
        done(read, history.records)
    pipeline.end()
    return read


def candidate(catalogue: Catalogue, live: MonitorSpecification, file: Path) -> MonitorSpecification:
    """The file's specification, live in ``catalogue`` from here on; bins that are known stay."""
    found = compiled(file, live)
    if found.model != live.model:
        raise ConfigError(f"{file} is about {found.model}, not {live.model}", f"name the model: replay {found.model}")
    if not found.has_bins:
        unknown = ", ".join(f.name for f in found.features if not f.bins)
        raise ConfigError(
            f"{file}: nobody has found the bins of {unknown} yet",
            "give edges or categories in the file; or apply it under another prefix and build its reference there",
        )
    event = MonitorApplied(found.model, found.spec, found.to_json())
    catalogue.absorb("monitors", LATEST, found.model.encode(), encode(event))
    return found


def told_live(settings: Settings, live: MonitorSpecification) -> list[Told]:
    """What the judge has told of the model under this specification."""
    key, found = live.model.encode(), []
    for short in ("windows", "drift"):
        for message in read_messages(settings, settings.topic(short)):
            if message.key() == key and (value := message.value()) is not None:
                event = decode(value)
                if isinstance(event, TOLD) and event.spec == live.spec:
                    found.append(Told(event, value))
    return found


def within(span: Span, told: list[Told]) -> list[Told]:
    """Windows that begin in the span; alarms and incidents as of then."""
    first, end = span

    def time_of(one: Told) -> float:
        return one.event.window_start if isinstance(one.event, WindowMeasured) else one.event.as_of

    return [one for one in told if first <= time_of(one) < end]
