"""The sizing model of docs/scaling.md: from unit costs and a load to cores, memory, state and traffic. Pure.

CPU a second = events × (fold + transport + bytes × per byte) + batches × per batch + panes × per pane
             + transactions × per transaction + workers × idle
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Units(NamedTuple):
    """Microseconds of CPU, unless they are bytes."""

    us_per_prediction: float
    """Of ten numeric and two categorical features; others are added or taken off."""
    us_per_truth: float
    us_per_numeric_feature: float
    us_per_categorical_feature: float
    us_per_pane: float
    us_per_batch: float
    us_per_event: float
    """Of the transport."""
    us_per_byte: float
    us_per_transaction: float
    """The two small batches that were its cause included."""
    idle_us_per_second: float

    @classmethod
    def of(cls, *found: Mapping[str, float]) -> Units:
        """From what unit_costs.py has measured."""
        merged = {name: value for part in found for name, value in part.items()}
        return cls(**{name: merged[name] for name in cls._fields})


class Load(NamedTuple):
    """A second's work of all workers together."""

    predictions: float
    truths: float
    panes: float
    transactions: float
    bytes_per_event: float
    workers: int = 1
    numeric: int = 10
    categorical: int = 2
    batch_records: float = 1_000.0


def cpu_us(units: Units, load: Load, seconds: float = 1.0) -> float:
    """CPU of all workers; ``load`` may as well be a whole backlog that is worked off in ``seconds``."""
    features = (load.numeric - 10) * units.us_per_numeric_feature
    features += (load.categorical - 2) * units.us_per_categorical_feature
    events = load.predictions + load.truths
    fold = load.predictions * (units.us_per_prediction + features) + load.truths * units.us_per_truth
    transport = events * (units.us_per_event + load.bytes_per_event * units.us_per_byte)
    batches = events / load.batch_records * units.us_per_batch
    told = load.panes * units.us_per_pane + load.transactions * units.us_per_transaction
    return fold + transport + batches + told + load.workers * seconds * units.idle_us_per_second


def remembered_rows(predictions: float, truths: float, horizon_seconds: float, dedup_seconds: float) -> float:
    """Rows in the join stores, met or not, at these rates a second of event time: predictions for the horizon and the
    time in which a repeat is known, truths for the longer of the two."""
    return predictions * (horizon_seconds + dedup_seconds) + truths * max(horizon_seconds, dedup_seconds)


def foretold(units: Units, load: Load, seconds: float) -> float:
    """Microseconds of CPU an event."""
    return cpu_us(units, load, seconds) / (load.predictions + load.truths)
