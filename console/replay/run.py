"""`driftloop replay MODEL`: read a past, fold it, compare. Nothing is written to any topic."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from driftloop.console.replay.orders import counted
from driftloop.console.replay.pipeline import Pipeline, Told
from driftloop.console.replay.report import Replayed
from driftloop.console.replay.trainings import trainings
from driftloop.console.replay.trial import on_trial
from driftloop.console.replay.verdict import compare
from driftloop.schemas.codec import decode
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import DriftDetected, IncidentChanged, SilenceChanged, WindowMeasured

if TYPE_CHECKING:
    from driftloop.console.replay.past import Past

Span = tuple[float, float]
"""Event times, from (included) to (not included)."""
ALWAYS: Span = (-math.inf, math.inf)


def replay(
    past: Past,
    model: str,
    file: Path | None,
    reference: Path | None,
    span: Span,
    done: Callable[[int, int], None],
    modules: tuple[str, ...] = (),
) -> Replayed:
    """Replay all of a past; tell of the windows that begin in ``span``. ``done(records, of)`` now and then.
    ``modules``: as Settings.detectors.

    ConfigError: as ``on_trial``.
    """
    live = past.catalogue.specification(model)
    specification = on_trial(past.catalogue, model, file, reference, modules)
    is_live = live is not None and specification.spec == live.spec and reference is None
    live_told = told_live(past)
    changes = [one.event for one in live_told if isinstance(one.event, SilenceChanged)]
    past.catalogue.retime(model, counted(past.catalogue.orders(model), changes))
    started = time.monotonic()
    pipeline = Pipeline(model, past.partitions, past.catalogue, past.topic, modules)
    read = fold(past, pipeline, done)
    seconds = time.monotonic() - started
    told = within(span, pipeline.told)
    told_then = within(span, [one for one in live_told if live is not None and one.event.spec == live.spec])
    return Replayed(
        specification,
        is_live,
        read,
        seconds,
        pipeline.dead_letters,
        tuple(told),
        tuple(trainings(told, specification)),
        compare(told_then, told) if is_live else None,
        tuple(told_then),
        reach_of(pipeline.told),
    )


def fold(past: Past, pipeline: Pipeline, done: Callable[[int, int], None]) -> int:
    """Everything through the pipeline; how many records it was."""
    read = 0
    for records in past.read(lambda topic, partition: pipeline.ahead(partition) == topic):
        pipeline.absorb(records)
        read += len(records)
        done(read, past.records)
    pipeline.end()
    return read


def told_live(past: Past) -> list[Told]:
    """What the judge has told of the model, under whatever specification."""
    found = []
    for value in past.told:
        try:
            event = decode(value)
        except BadRecord:
            continue  # somebody else's
        if isinstance(event, WindowMeasured | DriftDetected | IncidentChanged | SilenceChanged):
            found.append(Told(event, value))
    return found


def reach_of(told: list[Told]) -> Span | None:
    """From the beginning of the first window of a champion to the end of the last; None: there is none."""
    windows = [one.event for one in told if isinstance(one.event, WindowMeasured) and one.event.role == "champion"]
    if not windows:
        return None
    return min(w.window_start for w in windows), max(w.window_start + w.window_seconds for w in windows)


def within(span: Span, told: list[Told]) -> list[Told]:
    """Windows that begin in the span; alarms and incidents as of then."""
    first, end = span

    def time_of(one: Told) -> float:
        return one.event.window_start if isinstance(one.event, WindowMeasured) else one.event.as_of

    return [one for one in told if first <= time_of(one) < end]
