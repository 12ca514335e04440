"""What a reference has taught: weights, season, noise, and where the threshold starts. Immutable; bytes and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles
from driftloop.detectors.seasonal.channels import Weights
from driftloop.detectors.seasonal.noise import Wander
from driftloop.detectors.seasonal.season import Season, Shape


class Unknown(NamedTuple):
    """Nothing can be judged, and why; ``hint``: the way out."""

    reason: str
    hint: str


class Baseline(NamedTuple):
    """Of M monitors side by side (one, but for simulations), G channels.

    ``hours`` of a period; ``weeks`` of the reference, ``odd_days`` set aside in it; ``own_error`` [places, M, G]:
    sampling variance of a pane of the reference by place in the day; ``inflation`` [places, M, G]: what innovations
    vary beyond the model; ``tau`` periods, ``level_error`` of the slow clock [M, G]; ``start`` [2, M]: c and k.
    """

    hours: int
    weeks: float
    odd_days: int
    weights: Weights
    shape: Shape
    season: Season
    wander: Wander
    own_error: Doubles
    inflation: Doubles
    tau: Doubles
    level_error: Doubles
    start: Doubles


def side_by_side(baselines: Sequence[Baseline]) -> Baseline:
    """Several baselines of one layout and period as one: simulations step them together."""
    if len({b.hours for b in baselines}) != 1:
        raise ValueError("baselines of different periods cannot be stepped together")
    return Baseline(
        baselines[0].hours,
        float(np.mean([b.weeks for b in baselines])),
        sum(b.odd_days for b in baselines),
        Weights(*(np.concatenate(x) for x in zip(*(b.weights for b in baselines), strict=True))),
        Shape(
            np.concatenate([b.shape.day for b in baselines]),
            np.concatenate([b.shape.week for b in baselines], axis=1),
        ),
        _seasons([b.season for b in baselines]),
        Wander(*(np.concatenate(x) for x in zip(*(b.wander for b in baselines), strict=True))),
        np.concatenate([b.own_error for b in baselines], axis=1),
        np.concatenate([b.inflation for b in baselines], axis=1),
        np.concatenate([b.tau for b in baselines]),
        np.concatenate([b.level_error for b in baselines]),
        np.concatenate([b.start for b in baselines], axis=1),
    )


def _seasons(seasons: Sequence[Season]) -> Season:
    def slots(name: str) -> tuple[Doubles, ...]:
        return tuple(np.concatenate(one) for one in zip(*(getattr(s, name) for s in seasons), strict=True))

    return Season(
        np.concatenate([s.all for s in seasons]),
        slots("day"),
        slots("week"),
        slots("spread"),
        np.concatenate([s.weeks for s in seasons]),
    )
