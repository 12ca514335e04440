"""A rise of the loss, and what of it two changes alone would explain: of the inputs, or of how often labels happen.

Of a binary model, from two histograms of the score by label, n_y(b) (64 bins, 0: the reference, 1: since the change):

    l(b, y)        log loss of a row in bin b with label y, the score at the middle of its bin
    before         sum n0_y(b) l(b, y) / N0
    now            sum n1_y(b) l(b, y) / N1
    if_covariate   sum_b n1(b) / N1 sum_y P0(y | b) l(b, y)     inputs moved, the truth given the score did not
    if_prior       sum_y N1_y / N1 sum_b P0(b | y) l(b, y)      labels happen more or less often, as before otherwise

P0(y | b) of a bin with few rows leans on its score: PRIOR_ROWS rows are added that are as they were scored.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from driftloop.schemas.bins import log_loss, score_middles
from numpy.typing import NDArray

PRIOR_ROWS = 2.0
ROWS_LEAST = 30
"""On either side, of labelled rows; fewer explain nothing."""
_SCORE = score_middles()
_LOSS = np.stack([log_loss(_SCORE, np.full(len(_SCORE), y)) for y in (0, 1)])


class Explained(NamedTuple):
    """Mean log losses, nats, on the bins of the score. ``positives``: share of label 1 (before, now), with ``z``: by
    how many standard errors they differ."""

    before: float
    now: float
    if_covariate: float
    if_prior: float
    positives: tuple[float, float]
    z: float

    def share(self, would_be: float) -> float:
        """0..1: how much of the rise a change alone explains that would have led to this loss."""
        rise = self.now - self.before
        return max(0.0, 1.0 - abs(self.now - would_be) / rise) if rise > 0 else 0.0


def explain(reference: NDArray[np.int64], current: NDArray[np.int64]) -> Explained | None:
    """``reference``, ``current``: counts i8[2, 64] by label. None: too few rows."""
    n0, n1 = reference.astype(float), current.astype(float)
    if min(n0.sum(), n1.sum()) < ROWS_LEAST or not n0.sum(axis=1).all():
        return None
    as_scored = PRIOR_ROWS * np.stack([1 - _SCORE, _SCORE])
    given_score = (n0 + as_scored) / (n0.sum(axis=0) + PRIOR_ROWS)
    given_label = n0 / n0.sum(axis=1, keepdims=True)
    p0, p1 = (float(n[1].sum() / n.sum()) for n in (n0, n1))
    pooled = (n0[1].sum() + n1[1].sum()) / (n0.sum() + n1.sum())
    error = np.sqrt(max(pooled * (1 - pooled), 1e-12) * (1 / n0.sum() + 1 / n1.sum()))
    return Explained(
        before=float((n0 * _LOSS).sum() / n0.sum()),
        now=float((n1 * _LOSS).sum() / n1.sum()),
        if_covariate=float((n1.sum(axis=0) * (given_score * _LOSS).sum(axis=0)).sum() / n1.sum()),
        if_prior=float((np.array([1 - p1, p1]) * (given_label * _LOSS).sum(axis=1)).sum()),
        positives=(p0, p1),
        z=float((p1 - p0) / error),
    )
