"""A rise of the loss, and what of it two changes alone would explain: of the inputs, or of how often labels happen.

Of a binary model, from two histograms of the score by label, n_y(b) (64 bins, 0: the reference, 1: since the change):

    l(b, y)        log loss of a row in bin b with label y, the score at the middle of its bin
    before         sum n0_y(b) l(b, y) / N0
    now            sum n1_y(b) l(b, y) / N1
    if_covariate   sum_b n1(b) / N1 sum_y P0(y | b) l(b, y)     inputs moved, the truth given the score did not
    if_prior       sum_y N1_y / N1 sum_b P0(b | y) l(b, y)      labels happen more or less often, as before otherwise

P0(y | b) of a bin with few rows leans on its score: PRIOR_ROWS rows are added that are as they were scored.

Of many classes (b: bin of the largest score) and of numbers (b, y: bins of prediction and label) the score does not
say the loss, so the reference tells its sums L0(b) and L0(y), and panes hold n1(b), N1_y and the loss, not n1_y(b):

    if_covariate   sum_b n1(b) / N1 L0(b) / n0(b)               if_prior   sum_y N1_y / N1 L0(y) / N0_y

Each of these readings also says where the other histogram must have gone: the labels to sum_b n1(b) / N1 P0(y | b),
the scores to sum_y N1_y / N1 P0(b | y). Labels that rise while the predictions stay are no new mix, but a concept. So

    fit = 1 - TV(what is, what the reading says) / max(TV(what is, what was), TV(what the reading says, what was))

(TV: total variation, less what chance explains) is what a reading is believed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from driftloop.schemas.bins import log_loss, score_middles
from numpy.typing import NDArray

PRIOR_ROWS = 2.0
ROWS_LEAST = 30
"""On either side, of labelled rows; fewer explain nothing."""
_SCORE = score_middles()
_LOSS = np.stack([log_loss(_SCORE, np.full(len(_SCORE), y)) for y in (0, 1)])
Floats = NDArray[np.float64]


class Explained(NamedTuple):
    """Mean losses. ``moved``: by how much the shares of labels differ (total variation), ``z`` by how many standard
    errors, ``labels`` in words. ``fits``: 0..1, what the readings covariate and prior are believed."""

    before: float
    now: float
    if_covariate: float
    if_prior: float
    moved: float
    z: float
    labels: str
    fits: tuple[float, float] = (1.0, 1.0)

    def share(self, would_be: float) -> float:
        """0..1: how much of the rise a change alone explains that would have led to this loss."""
        rise = self.now - self.before
        return max(0.0, 1.0 - abs(self.now - would_be) / rise) if rise > 0 else 0.0

    @property
    def covariate(self) -> float:
        """Weight of that reading."""
        return self.share(self.if_covariate) * self.fits[0]

    @property
    def prior(self) -> float:
        """The same."""
        return self.share(self.if_prior) * self.fits[1]


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
    z = float((p1 - p0) / error)
    return Explained(
        before=float((n0 * _LOSS).sum() / n0.sum()),
        now=float((n1 * _LOSS).sum() / n1.sum()),
        if_covariate=float((n1.sum(axis=0) * (given_score * _LOSS).sum(axis=0)).sum() / n1.sum()),
        if_prior=float((np.array([1 - p1, p1]) * (given_label * _LOSS).sum(axis=1)).sum()),
        moved=abs(p1 - p0),
        z=z,
        labels=f"share of label 1 {p0:.3f} before, {p1:.3f} now ({z:+.1f} standard errors)",
    )


class Known(NamedTuple):
    """A reference's labelled rows: ``counts`` [labels, scores], sums of the loss ``by_score`` and ``by_label``."""

    counts: Floats
    by_score: Floats
    by_label: Floats


class Seen(NamedTuple):
    """Labelled rows since the change: counts by ``score`` and by ``label``, and the sum of their ``loss``."""

    score: Floats
    label: Floats
    loss: float


def explain_given(known: Known, seen: Seen) -> Explained | None:
    """Of many classes, and of numbers. None: too few rows."""
    before, now = float(known.counts.sum()), float(seen.label.sum())
    if min(before, now, float(seen.score.sum())) < ROWS_LEAST:
        return None
    mean = float(known.by_label.sum()) / before
    score0, label0 = known.counts.sum(axis=0), known.counts.sum(axis=1)
    scores, labels = seen.score / seen.score.sum(), seen.label / now
    chance = 1 / before + 1 / now
    moved, z = _apart(labels, label0 / before), _standard_errors(seen.label, label0)
    return Explained(
        before=mean,
        now=seen.loss / now,
        if_covariate=float(scores @ _leaning(known.by_score, score0, mean)),
        if_prior=float(labels @ _leaning(known.by_label, label0, mean)),
        moved=moved,
        z=z,
        labels=f"{moved:.1%} of the labels are others ({z:+.1f} standard errors)",
        fits=(_fit(known.counts, scores, labels, chance), _fit(known.counts.T, labels, scores, chance)),
    )


def _leaning(sums: Floats, rows: Floats, mean: float) -> Floats:
    """Mean losses; of few rows they lean on that of all."""
    return np.asarray((sums + PRIOR_ROWS * mean) / (rows + PRIOR_ROWS))


def _fit(counts: Floats, cause: Floats, effect: Floats, chance: float) -> float:
    """``counts`` [effects, causes] of the reference; ``cause``, ``effect``: shares now."""
    usual = counts.sum(axis=1) / counts.sum()
    given = (counts + PRIOR_ROWS * usual[:, None]) / (counts.sum(axis=0) + PRIOR_ROWS)
    implied = given @ cause
    bins = int(np.count_nonzero(usual + effect))
    left = max(0.0, _apart(effect, implied) - 0.5 * math.sqrt(bins * chance))
    return max(0.0, 1.0 - left / max(_apart(effect, usual), _apart(implied, usual), 1e-9))


def _apart(one: Floats, other: Floats) -> float:
    return float(np.abs(one - other).sum()) / 2


def _standard_errors(now: Floats, before: Floats) -> float:
    """Of the two-sample chi-square, by how many of its standard deviations it is above its mean."""
    pooled = (now + before) / (now.sum() + before.sum())
    used = pooled > 0
    square = sum(float(((n - n.sum() * pooled)[used] ** 2 / (n.sum() * pooled[used])).sum()) for n in (now, before))
    freedom = max(1, int(used.sum()) - 1)
    return (square - freedom) / math.sqrt(2 * freedom)
