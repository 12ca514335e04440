"""What an incident may be: six readings, each by a stated rule from numbers that the judge has anyway.

    own_lag        partitions of which nothing is heard were left out of the frontier: weight, their share. One whose
                   truths alone are silent, or predictions, is read to its end (merge.py): no lag of ours
    label_outage   less than half of the labels that the delay curve expects by now is there: weight, what is missing
    data_quality   rules of data quality are broken: weight 1
    prior          labels happen more or less often (by SURE standard errors and PRIOR_LEAST), and the loss is what
                   that alone makes of it (loss_given_score.py): weight, the share of the rise so explained
    covariate      the loss is what the new scores make of it, the truth given the score as it was: weight, likewise;
                   where that cannot be told (a reference without it, too few labels) features that alarm weigh a HALF
                   Of a fall that is expected before labels are in it is all: estimates know the scores alone
    concept        what neither explains of the rise of the loss

Nothing is excluded by another: the weights say how much each accounts for, the order breaks ties. Data come first: a
broken pipeline makes any model look stale.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from driftloop.schemas.events import DriftDetected, Suspect
from driftloop.streams.judge.incidents.loss_given_score import Explained

OWN_LAG, LABEL_OUTAGE, DATA_QUALITY = "own_lag", "label_outage", "data_quality"
PRIOR, COVARIATE, CONCEPT = "prior", "covariate", "concept"
ORDER = (OWN_LAG, LABEL_OUTAGE, DATA_QUALITY, PRIOR, COVARIATE, CONCEPT)
SURE = 4.0
PRIOR_LEAST = 0.02
"""Two points: less explains no incident."""
HALF = 0.5
LABELS_LEAST = 30.0
"""So many must be expected before their absence says anything."""
WEIGHT_LEAST = 0.1
"""A reading that accounts for less is not told."""
NAMED_MOST = 5
LABELS = "labels"
"""The rule that a label outage breaks: a reading of its own."""
UNEXPLAINED = "how the loss goes with the score is not known"


class Signs(NamedTuple):
    """``quality``: rules that are broken (rule, feature). ``features``: alarms of features and scores. ``explained``:
    of the loss, None where it cannot be told, for the reason ``unexplained``; ``residuals``: of a regression, in
    words; ``loss``: is it about the loss at all? ``labels``: (known, expected by now). ``unheard``: partitions of
    which nothing is heard, of ``partitions``. ``expected``: alarms of the estimates, while labels have not confirmed
    them."""

    loss: bool
    quality: tuple[tuple[str, str], ...] = ()
    features: tuple[DriftDetected, ...] = ()
    explained: Explained | None = None
    labels: tuple[float, float] = (0.0, 0.0)
    unheard: tuple[int, ...] = ()
    partitions: int = 0
    expected: tuple[DriftDetected, ...] = ()
    unexplained: str = UNEXPLAINED
    residuals: str = ""


def suspects(signs: Signs) -> tuple[Suspect, ...]:
    """The heaviest first."""
    found = [suspect for suspect in _all(signs) if suspect.weight >= WEIGHT_LEAST]
    return tuple(sorted(found, key=lambda s: (-s.weight, ORDER.index(s.kind))))


def _all(signs: Signs) -> Iterator[Suspect]:
    if signs.unheard:
        which = ", ".join(map(str, signs.unheard))
        share = len(signs.unheard) / max(len(signs.unheard), signs.partitions)
        words = f"nothing is heard of source partitions {which} of {signs.partitions}, which were left out"
        yield Suspect(OWN_LAG, share, words)
    known, expected = signs.labels
    if expected >= LABELS_LEAST and known < HALF * expected:
        words = f"{known:.0f} labels are known of {expected:.0f} that usually are by now"
        yield Suspect(LABEL_OUTAGE, 1.0 - known / expected, words)
    rules = [f"{rule} of {feature}" if feature else rule for rule, feature in signs.quality if rule != LABELS]
    if rules:
        more = f" and {len(rules) - NAMED_MOST} more" if len(rules) > NAMED_MOST else ""
        yield Suspect(DATA_QUALITY, 1.0, f"rules of data quality are broken: {', '.join(rules[:NAMED_MOST])}{more}")
    if signs.loss:
        yield from _of_loss(signs)
    elif signs.expected:
        yield Suspect(COVARIATE, 1.0, f"no label says so yet, the scores do: {_moved(signs)}")


def _of_loss(signs: Signs) -> Iterator[Suspect]:
    names, moved = _names(signs), _moved(signs)
    if (e := signs.explained) is None:
        if names:
            yield Suspect(COVARIATE, HALF, f"{moved}; {signs.unexplained}")
        yield Suspect(
            CONCEPT, HALF if names else 1.0, f"the loss has risen; {moved}; {signs.unexplained}{signs.residuals}"
        )
        return
    rise = f"the loss given score went from {e.before:.4f} to {e.now:.4f}"
    prior = e.prior if abs(e.z) >= SURE and e.moved >= PRIOR_LEAST else 0.0
    covariate, labels = e.covariate, f"{e.labels}{signs.residuals}"
    yield Suspect(PRIOR, prior, f"{rise}; the new share of labels alone makes it {e.if_prior:.4f}: {labels}")
    yield Suspect(COVARIATE, covariate, f"{rise}; the new scores alone make it {e.if_covariate:.4f}: {moved}")
    rest = 1.0 - max(prior, covariate) if e.now > e.before else 0.0
    why = f"{rise}; new scores alone make it {e.if_covariate:.4f}, the new share of labels {e.if_prior:.4f}: {labels}"
    yield Suspect(CONCEPT, rest, why)


def _names(signs: Signs) -> str:
    return ", ".join(dict.fromkeys(alarm.feature for alarm in signs.features[:NAMED_MOST]))


def _moved(signs: Signs) -> str:
    names = _names(signs)
    return f"{names} moved" if names else "no feature alarms"
