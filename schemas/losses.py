"""The loss of one event, by task: what reference, observer and judge agree on. Always within [0, bins.LOSS_MOST].

binary, multiclass   -log P(what happened), clipped (bins.LOG_LOSS_CLIP), nats
regression           |z(predicted) - z(label)|, scales;  z(x) = (x - centre) / scale, clipped to +-Z_MOST
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from driftloop.schemas import bins
from driftloop.schemas.outcome import Scales
from numpy.typing import NDArray

Z_MOST = 512.0
"""Numbers so many scales away from the centre, or further, count as if they were there."""
Floats = NDArray[np.float64]


def as_kept(scores: Floats) -> Floats:
    """Scores of many classes, f8[n, K], as a waiting prediction keeps them: in single precision."""
    return np.asarray(scores.astype(np.float32).astype(np.float64))


def happened(scores: Floats, label: NDArray[np.integer]) -> Floats:
    """The probability, of f8[n, K], given to what happened; where the label is no class (-1), to the last one."""
    return np.asarray(scores[np.arange(len(label)), label])


def surprise(probability: Floats) -> Floats:
    """Log loss, nats, of the probability given to what happened."""
    return np.asarray(-np.log(np.clip(probability, bins.LOG_LOSS_CLIP, 1.0 - bins.LOG_LOSS_CLIP)))


class Standard(NamedTuple):
    """z of predictions and labels, the rows in which one of them was clipped, and the loss."""

    predicted: Floats
    label: Floats
    clipped: NDArray[np.bool_]
    loss: Floats


def standard(scales: Scales, predicted: Floats, label: Floats) -> Standard:
    """Both numbers on the scales of a specification that has them."""
    assert scales.scale is not None and scales.centre is not None
    with np.errstate(over="ignore"):
        z = [(x - scales.centre) / scales.scale for x in (predicted, label)]
    clipped = (np.abs(z[0]) > Z_MOST) | (np.abs(z[1]) > Z_MOST)
    p, y = (np.clip(one, -Z_MOST, Z_MOST) for one in z)
    return Standard(p, y, clipped, np.minimum(np.abs(p - y), bins.LOSS_MOST))
