"""The shifts that must be found: each changes the latent values of a stretch, in one feature a seed or in all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from budget_streams import CATEGORIES, Doubles, Drawn, Stream

Shift = Callable[[Stream, Drawn, np.random.Generator], Drawn]


def _one(stream: Stream, rng: np.random.Generator, features: int) -> Doubles:
    """One feature a seed, [M, 1, features]."""
    found = np.zeros((stream.seeds, 1, features))
    found[np.arange(stream.seeds), 0, rng.integers(0, features, stream.seeds)] = 1
    return found


def _mean_one(stream: Stream, drawn: Drawn, rng: np.random.Generator) -> Drawn:
    return replace(drawn, mean=drawn.mean + 0.2 * _one(stream, rng, stream.scenario.numeric))


def _mean_all(_stream: Stream, drawn: Drawn, _rng: np.random.Generator) -> Drawn:
    return replace(drawn, mean=drawn.mean + 0.2)


def _sd_one(stream: Stream, drawn: Drawn, rng: np.random.Generator) -> Drawn:
    return replace(drawn, sd=1 + 0.2 * _one(stream, rng, stream.scenario.numeric))


def _mix(stream: Stream, drawn: Drawn, rng: np.random.Generator) -> Drawn:
    """Five points go from the largest category to another."""
    chosen = _one(stream, rng, stream.scenario.categorical)
    moved = np.zeros((*chosen.shape, CATEGORIES))
    order = np.argsort(stream.base[:, 0], axis=-1)
    to = np.take_along_axis(order, rng.integers(0, CATEGORIES - 1, order.shape[:2])[..., None], -1)
    np.put_along_axis(moved, order[:, None, :, -1:], -0.05, -1)
    np.put_along_axis(moved, to[:, None], 0.05, -1)
    return replace(drawn, moved=moved * chosen[..., None])


def _missing(stream: Stream, drawn: Drawn, rng: np.random.Generator) -> Drawn:
    return replace(drawn, missing=0.02 * _one(stream, rng, stream.scenario.features))


def _outage(stream: Stream, drawn: Drawn, rng: np.random.Generator) -> Drawn:
    """For an hour one feature comes without values."""
    hit = np.zeros((1, drawn.rate.shape[1], 1))
    hit[:, : stream.steps] = 1
    return replace(drawn, missing=hit * _one(stream, rng, stream.scenario.features))


SHIFTS: dict[str, Shift] = {
    "mean_one": _mean_one,
    "mean_all": _mean_all,
    "sd_one": _sd_one,
    "mix": _mix,
    "missing": _missing,
    "outage": _outage,
}
