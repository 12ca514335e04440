"""Many Shiryaev–Roberts statistics over a batch of events, at array speed, the same numbers wherever it is cut.

    R <- (R + 1) * e   gives   R_i = P_i * (R_0 + 1 + 1 / P_1 + ... + 1 / P_(i-1))      P_i = e_1 * ... * e_i

A product may run over ``BLOCK`` events before it leaves the range of a double, and its rounding depends on where it
began. So it begins anew at every ``BLOCK``-th event after a restart, never where a batch happens to end: what stands
behind the last beginning is kept and multiplied again. Needed of every factor: not below ``FACTOR_LEAST``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from driftloop.detectors.packing import Doubles

BLOCK = 128
FACTOR_LEAST = 0.01
""".01 ** 128 is 1e-256. A bet that is mixed with 1 % of not betting stays above it."""


class Evidence(NamedTuple):
    """R of every bet at the last beginning of a block; what has been ``seen`` since, fewer than ``BLOCK`` events."""

    r: Doubles
    seen: Doubles


def none(bets: int) -> Evidence:
    """Before the first event."""
    return Evidence(np.zeros(bets), np.empty(0))


def climb(
    evidence: Evidence, seen: Doubles, factors_of: Callable[[Doubles], Doubles], weights: tuple[float, ...]
) -> tuple[Evidence, Doubles]:
    """The evidence behind the events, and after each of them the mean of R by ``weights``.

    ``factors_of``: the factor of every bet [bets, events] of what was seen, event by event.
    """
    events = np.concatenate((evidence.seen, seen))
    factors = factors_of(events)
    whole = len(events) // BLOCK
    blocks = factors[:, : whole * BLOCK].reshape(len(factors), whole, BLOCK)
    with np.errstate(over="ignore", invalid="ignore"):  # beyond 1e300 an alarm has long been raised
        products, begun = _from_the_beginning(blocks)
        r = _at_beginnings(evidence.r, products[:, :, -1], begun[:, :, -1])
        climbed = (products * (r[:, :-1, None] + begun)).reshape(len(factors), -1)
        products, begun = _from_the_beginning(factors[:, whole * BLOCK :])
        rest = products * (r[:, -1:] + begun)
    told = _mean(np.concatenate((climbed, rest), axis=1), weights)[len(evidence.seen) :]
    return Evidence(r[:, -1].copy(), events[whole * BLOCK :].copy()), told


def _from_the_beginning(factors: Doubles) -> tuple[Doubles, Doubles]:
    """P and 1 + 1 / P_1 + ... along the last axis."""
    products = np.multiply.accumulate(factors, axis=-1)
    begun = np.ones(factors.shape)
    np.add.accumulate(1.0 / products[..., :-1], axis=-1, out=begun[..., 1:])
    begun[..., 1:] += 1.0
    return products, begun


def _at_beginnings(r: Doubles, products: Doubles, begun: Doubles) -> Doubles:
    """R at the beginning of each block and behind the last [bets, blocks + 1]."""
    found = np.empty((len(r), products.shape[1] + 1))
    found[:, 0] = r
    for k in range(products.shape[1]):
        found[:, k + 1] = np.minimum(products[:, k] * (found[:, k] + begun[:, k]), 1e300)
    return found


def _mean(block: Doubles, weights: tuple[float, ...]) -> Doubles:
    """One bet after the other: numpy's own order of addition depends on the shape."""
    total = np.zeros(block.shape[1])
    for weight, row in zip(weights, block, strict=True):
        total += weight * row
    return total
