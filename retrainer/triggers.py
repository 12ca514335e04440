"""Is there a reason to retrain, and what forbids it: the arithmetic of one evaluation.

Triggers, first that holds: an open incident that no run has answered and nobody has silenced; label volume,
``labelled`` at least ``label_growth`` times what was known at the last fit (notes/flights.md: growth by 1.35 beat a
monthly calendar with fewer runs). Guards, first that holds: no data to judge by, or data known to be broken, too few
labels, too few new ones, cooldown, runs per day.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import NamedTuple

from driftloop.retrainer.state import DAY_SECONDS, ModelState
from driftloop.schemas.events import WindowMeasured
from driftloop.schemas.monitor.named_detector import FAILED
from driftloop.schemas.monitor.specification import RetrainPolicy

QUARANTINE = "a data quality incident is open"
OUTAGE_WORDS = ("no data", "outage", "lag", "maintenance")
"""In the reason of an UNKNOWN window: data did not come, we are behind, or a person says that it is no evidence."""


class Finding(NamedTuple):
    """``trigger``: incident, volume or empty; ``obstacle``: what forbids a run, empty where nothing does.

    ``inputs`` and ``thresholds`` are the figures it was found on, as the decision records them.
    """

    trigger: str
    reason: str
    obstacle: str
    inputs: dict[str, float]
    thresholds: dict[str, float]


def examine(state: ModelState, window: WindowMeasured, retrain: RetrainPolicy) -> Finding:
    """Weigh one window against the policy."""
    inputs = inputs_of(state, window)
    thresholds = thresholds_of(state, retrain)
    trigger, reason = find_trigger(state, window, thresholds)
    obstacle = find_obstacle(state, window, inputs, thresholds) if trigger else ""
    return Finding(trigger, reason, obstacle, inputs, thresholds)


def labels_in(window: WindowMeasured) -> float:
    """Labelled predictions of the model, all versions and roles, as of the window."""
    return float(window.totals.get("labelled", 0))


def inputs_of(state: ModelState, window: WindowMeasured) -> dict[str, float]:
    found = {
        "labelled": labels_in(window),
        "labels_at_fit": state.labels_at_fit,
        "predictions": float(window.predictions),
        "open_incidents": float(len(window.open_incidents)),
        "quality_incidents": float(len(window.quality_incidents)),
        "runs_within_a_day": float(sum(t > window.as_of - DAY_SECONDS for t in state.runs_at)),
    }
    if math.isfinite(state.last_run_at):
        found["seconds_since_run"] = window.as_of - state.last_run_at
    return found


def thresholds_of(state: ModelState, retrain: RetrainPolicy) -> dict[str, float]:
    return {
        "labels_for_volume": retrain.label_growth * state.labels_at_fit,
        "minimum_labels": float(retrain.minimum_labels),
        "cooldown_seconds": retrain.cooldown_seconds,
        "runs_per_day": float(retrain.runs_per_day),
    }


def find_trigger(state: ModelState, window: WindowMeasured, thresholds: dict[str, float]) -> tuple[str, str]:
    """(trigger, why), or ("", why not)."""
    fresh = sorted(set(window.open_incidents) - state.answered - set(window.silenced_incidents))
    if fresh:
        return "incident", f"incident {', '.join(fresh)} is open"
    labelled, needed = labels_in(window), thresholds["labels_for_volume"]
    if not state.labels_at_fit:
        return "", f"nothing was fitted yet; {labelled:.0f} labels are known"
    if labelled >= needed:
        return "volume", f"{labelled:.0f} labels, {state.labels_at_fit:.0f} at the last fit"
    return "", f"{_standing(state, window)}; {labelled:.0f} labels of the {needed:.0f} that call for a fit"


def _standing(state: ModelState, window: WindowMeasured) -> str:
    """Why the incidents that are open call for nothing."""
    silenced = set(window.open_incidents) & set(window.silenced_incidents) - state.answered
    answered = sorted(set(window.open_incidents) - silenced)
    parts = [f"incident {', '.join(answered)} was answered"] if answered else []
    parts += [f"incident {', '.join(sorted(silenced))} is silenced"] if silenced else []
    return "; ".join(parts) or "no incident is open"


def find_obstacle(
    state: ModelState, window: WindowMeasured, inputs: dict[str, float], thresholds: dict[str, float]
) -> str:
    """What forbids a run now, in plain words; empty where nothing does."""
    if not state.champion:
        return "no model of driftloop's is deployed: a person orders the first fit (driftloop retrain)"
    if outage := outage_of(window):
        return outage
    new, least = inputs["labelled"] - inputs["labels_at_fit"], thresholds["minimum_labels"]
    if new < least:
        return f"only {new:.0f} new labels since the last fit, {least:.0f} are needed"
    waited = inputs.get("seconds_since_run", math.inf)
    if waited < thresholds["cooldown_seconds"]:
        until = utc(state.last_run_at + thresholds["cooldown_seconds"])
        return f"cooling down until {until}"
    if inputs["runs_within_a_day"] >= thresholds["runs_per_day"]:
        return f"{inputs['runs_within_a_day']:.0f} runs within a day are as many as allowed"
    return ""


def outage_of(window: WindowMeasured) -> str:
    """Why nothing may be learned as of this window; empty where it may. A model is never fed by an outage, nor from a
    pipeline that is known to be broken: quarantine, until the incident is resolved.

    UNKNOWN for want of a reference, or in a thin window, is none: there is data to train on.
    """
    reason = window.status_reason.partition(FAILED)[0]  # what a detector of the user's says is none either
    if window.quality_incidents:
        return f"{QUARANTINE}: {', '.join(sorted(window.quality_incidents))}"
    if window.status != "UNKNOWN" or (window.predictions and not any(word in reason for word in OUTAGE_WORDS)):
        return ""
    return f"the window is UNKNOWN: {reason or 'no data'}"


def utc(seconds: float) -> str:
    """Event time for people: 2013-03-01 05:00 UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError):
        return f"{seconds:.0f} s"
