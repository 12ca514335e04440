"""May the candidate follow the champion? A paired comparison on held-out rows, days as the independent units.

Both models score the same rows, which neither was fitted on: the candidate because its fit leaves the last
``holdout_seconds`` out, the champion because its score is the one it gave live, read back from its own predictions.

    d_i = loss_candidate(i) - loss_champion(i)          log loss in nats, clipped as in the windows (schemas/bins.py)
    D_j = mean of d_i over the rows of day j            j = 1..n, 24 hours each, back from the last row
    mean ± t(.975, n - 1) · sd(D) / sqrt(n)             95 % interval of the mean daily difference

Rows of one day share its weather and its traffic: an interval over rows would be far too narrow (notes/flights.md,
lesson 2). Days in a row are not independent either; the interval is still somewhat narrow under long drifts.
``no_harm`` rejects only where the whole interval lies above zero, ``gain`` accepts only where it lies below.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from driftloop.schemas.bins import log_loss
from scipy.special import stdtrit

DAY_SECONDS = 86_400.0
CONFIDENCE = 0.95
DAYS_LEAST = 2
"""One day has no spread to judge by."""

Floats = npt.NDArray[np.float64]


class Verdict(NamedTuple):
    """``figures``: what was measured, ``thresholds``: what it was held against, both as the decision records them."""

    accepted: bool
    reason: str
    figures: dict[str, float]
    thresholds: dict[str, float]


class Interval(NamedTuple):
    """Mean of the daily means with its t interval; NaN bounds below two days."""

    mean: float
    low: float
    high: float
    days: int


def judge(
    gate: str, labels: npt.NDArray[np.int8], event_time: Floats, champion: Floats, candidate: Floats
) -> Verdict:
    """Compare two models on rows that both have scored. Arrays of n, scores P(classes[1]); ``gate``: no_harm, gain.

    With fewer than two days there is no verdict on the difference: no_harm lets pass, gain does not.
    """
    ours, theirs = log_loss(candidate, labels), log_loss(champion, labels)
    interval = daily_interval(ours - theirs, event_time)
    figures = {
        "held_out_rows": float(len(labels)),
        "held_out_days": float(interval.days),
    }
    if len(labels):
        figures |= {
            "candidate_log_loss": float(ours.mean()),
            "champion_log_loss": float(theirs.mean()),
            "candidate_brier": float(((candidate - labels) ** 2).mean()),
            "champion_brier": float(((champion - labels) ** 2).mean()),
        }
    if interval.days >= DAYS_LEAST:
        figures |= {
            "difference": interval.mean,
            "difference_low": interval.low,
            "difference_high": interval.high,
        }
    accepted, reason = _weigh(gate, interval)
    return Verdict(accepted, reason, figures, {"difference": 0.0, "confidence": CONFIDENCE})


def first_model(labels: npt.NDArray[np.int8], candidate: Floats) -> Verdict:
    """There is nobody to compare with; the candidate's own loss on held-out rows is recorded all the same."""
    figures = {"held_out_rows": float(len(labels))}
    if len(labels):
        figures["candidate_log_loss"] = float(log_loss(candidate, labels).mean())
        figures["candidate_brier"] = float(((candidate - labels) ** 2).mean())
    return Verdict(True, "first model", figures, {})


def daily_interval(differences: Floats, event_time: Floats) -> Interval:
    """The mean over days of the daily mean difference, every day with the same weight.

    Days are counted back from the last row: by the calendar the first and the last would be stubs of a few rows.
    """
    if not len(differences):
        return Interval(math.nan, math.nan, math.nan, 0)
    _, day = np.unique((event_time.max() - event_time) // DAY_SECONDS, return_inverse=True)
    daily = np.bincount(day, differences) / np.bincount(day)
    days = len(daily)
    mean = float(daily.mean())
    if days < DAYS_LEAST:
        return Interval(mean, math.nan, math.nan, days)
    half = float(stdtrit(days - 1, (1 + CONFIDENCE) / 2)) * float(daily.std(ddof=1)) / math.sqrt(days)
    return Interval(mean, mean - half, mean + half, days)


def _weigh(gate: str, interval: Interval) -> tuple[bool, str]:
    assert gate in ("no_harm", "gain"), gate
    if interval.days < DAYS_LEAST:
        known = f"only {interval.days} held-out days with the champion's scores: no verdict on the difference"
        return gate == "no_harm", known
    said = f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}] over {interval.days} days"
    if interval.low > 0:
        return False, f"significantly worse than the champion: {said}"
    if interval.high < 0:
        return True, f"significantly better than the champion: {said}"
    return gate == "no_harm", f"not significantly different from the champion: {said}"
