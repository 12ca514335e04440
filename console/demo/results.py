"""What the demo has done, read back from its topics: the app's own records decide, not what the app remembers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from driftloop.console.demo.app import MODEL
from driftloop.console.demo.flights import Floats
from driftloop.console.models import read_catalogue
from driftloop.console.reading import read_batches, read_messages
from driftloop.schemas.batches.columns import read_predictions, read_truths
from driftloop.schemas.batches.layouts import Layouts
from driftloop.schemas.bins import log_loss
from driftloop.schemas.codec import decode
from driftloop.schemas.events import DecisionRecorded, IncidentChanged, WindowMeasured
from driftloop.schemas.settings import Settings
from driftloop.streams.observer.join.join import hash_ids
from numpy.typing import NDArray

NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class Results:
    """``log_loss``: month -> mean log loss of what was served in it and has a truth. Counts are of records on the
    topics; ``joined`` and ``never_labelled`` are the totals of the judge's last window. ``runs`` and ``promotions``
    leave the first model out, which a person ordered and every policy starts with; ``versions`` has it.
    """

    log_loss: dict[str, float]
    predictions: int
    ground_truths: int
    joined: int
    never_labelled: int
    dead_letters: int
    incidents: int
    windows: int
    evaluations: int
    runs: int
    promotions: int
    versions: tuple[str, ...]


def read_results(settings: Settings) -> Results:
    """Read predictions, ground truth and all result topics to their ends. 3 s for the year."""
    layouts = read_catalogue(settings).layouts
    served, predictions = _predictions(settings, layouts)
    truths = _truths(settings, layouts)
    windows = [w for w in _events(settings, "windows") if isinstance(w, WindowMeasured)]
    decisions = [d for d in _events(settings, "decisions") if isinstance(d, DecisionRecorded)]
    incidents = [i for i in _events(settings, "drift") if isinstance(i, IncidentChanged)]
    totals = max(windows, key=lambda w: w.as_of).totals if windows else {}
    ordered = {d.run for d in decisions if d.kind == "started" and d.trigger == "command"}
    promoted = [d for d in decisions if d.kind == "promoted"]
    return Results(
        log_loss=_log_loss(served, truths),
        predictions=predictions,
        ground_truths=len(truths.ids),
        joined=totals.get("labelled", 0),
        never_labelled=totals.get("never_labelled", 0),
        dead_letters=sum(1 for _ in read_messages(settings, settings.topic("dead-letter"))),
        incidents=len({i.incident for i in incidents if i.change == "opened"}),
        windows=len(windows),
        evaluations=sum(d.kind == "evaluated" and d.details.get("on") == "window" for d in decisions),
        runs=sum(d.kind == "started" and d.run not in ordered for d in decisions),
        promotions=sum(d.run not in ordered for d in promoted),
        versions=tuple(d.version for d in promoted),
    )


@dataclass(frozen=True, slots=True)
class _Column:
    """Hash of the prediction id, event time (of a prediction) and value: score or label code."""

    ids: NDArray[np.uint64]
    times: Floats
    values: Floats


def _predictions(settings: Settings, layouts: Layouts) -> tuple[_Column, int]:
    """What was served (role champion), and the number of all predictions on the topic."""
    parts, count = [], 0
    for batch in read_batches(settings, settings.topic("predictions")):
        keys = [message.key() for message in batch]
        for found in read_predictions([message.value() for message in batch], layouts).columns:
            champion = np.array([tail.role == "champion" for tail in found.tails])[found.tail]
            rows = found.rows[champion]
            count += len(found.rows)
            if found.model == MODEL and len(rows):
                ids = hash_ids([keys[row] for row in rows.tolist()])
                parts.append(_Column(ids, found.event_time[champion], found.score[champion]))
    return _joined(parts), count


def _truths(settings: Settings, layouts: Layouts) -> _Column:
    parts = []
    for batch in read_batches(settings, settings.topic("ground-truth")):
        keys = [message.key() for message in batch]
        for found in read_truths([message.value() for message in batch], layouts).columns:
            ids = hash_ids([keys[row] for row in found.rows.tolist()])
            parts.append(_Column(ids, found.event_time, found.code.astype(np.float64)))
    return _joined(parts)


def _joined(parts: list[_Column]) -> _Column:
    if not parts:
        return _Column(np.empty(0, np.uint64), np.empty(0), np.empty(0))
    return _Column(
        np.concatenate([p.ids for p in parts]),
        np.concatenate([p.times for p in parts]),
        np.concatenate([p.values for p in parts]),
    )


def _log_loss(served: _Column, truths: _Column) -> dict[str, float]:
    """By month of the local date of departure."""
    _, mine, theirs = np.intersect1d(served.ids, truths.ids, assume_unique=True, return_indices=True)
    losses = log_loss(served.values[mine], truths.values[theirs].astype(np.int8))
    month = _months(served.times[mine])
    return {name: float(losses[month == name].mean()) for name in np.unique(month).tolist()}


def _months(times: Floats) -> NDArray[np.str_]:
    """ "2013-03" of each instant, in New York."""
    from datetime import UTC, datetime

    hours, at = np.unique(np.floor(times / 3600.0), return_inverse=True)
    names = [datetime.fromtimestamp(hour * 3600.0, UTC).astimezone(NEW_YORK).strftime("%Y-%m") for hour in hours]
    return np.array(names, dtype=np.str_)[at]


def _events(settings: Settings, short: str) -> Iterator[Any]:
    return (decode(message.value()) for message in read_messages(settings, settings.topic(short)))
