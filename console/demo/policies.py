"""What driftloop is compared with: never retraining, and retraining by the calendar. No Kafka here.

The same stream, trainer, seed, cap and sample of rows as driftloop's runs, and the same rule of honesty: a fit at
05:00 UTC of day T uses flights that departed and whose outcome was known by then. All start with the model fitted on
January and February, which is driftloop's first model too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from driftloop.console.demo import flights as data
from driftloop.console.demo.app import prediction_id
from driftloop.console.demo.flights import START, Flights
from driftloop.console.demo.trainer import FlightModel, fit
from driftloop.retrainer.dataset import sampled
from driftloop.schemas.bins import log_loss
from driftloop.schemas.monitor.specification import RetrainPolicy
from driftloop.streams.observer.join.join import hash_ids
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MONTHS = tuple(range(3, 13))
POLICIES = ("frozen", "calendar_two_months", "calendar_everything")


class Fits:
    """Fits on what was known at an instant, the way the retrainer does it; each only once."""

    def __init__(self, flights: Flights, retrain: RetrainPolicy) -> None:
        self.flights, self.columns, self._retrain = flights, flights.columns(), retrain
        self._id_hash = hash_ids([prediction_id(n).encode() for n in flights.number.tolist()])
        self._known: dict[tuple[float, float], FlightModel] = {}

    def at(self, as_of: float, since: float = -np.inf) -> FlightModel:
        """The model of all flights since ``since`` whose outcome was known at ``as_of``, capped."""
        if (as_of, since) not in self._known:
            rows = np.flatnonzero((self.flights.known_at <= as_of) & (self.flights.event_time >= since))
            rows = rows[sampled(self._id_hash[rows], self._retrain.rows_most, self._retrain.seed)]
            self._known[as_of, since] = fit(self.take(rows), self.flights.label[rows], self._retrain.seed)
        return self._known[as_of, since]

    def take(self, rows: NDArray[np.intp] | slice) -> dict[str, NDArray[np.generic]]:
        """The feature columns of some flights."""
        return {name: column[rows] for name, column in self.columns.items()}

    def score(self, model: FlightModel, start: float, end: float) -> Floats:
        """Scores of the flights that depart in [start, end)."""
        first, last = np.searchsorted(self.flights.event_time, [start, end])
        return model.predict_score(self.take(slice(int(first), int(last))))


def compare(flights: Flights, retrain: RetrainPolicy, end: float = np.inf) -> dict[str, dict[str, float]]:
    """Policy -> month ("2013-03") -> log loss of the labelled flights served in [START, end)."""
    fits = Fits(flights, retrain)
    served = flights.rows((flights.event_time >= START) & (flights.event_time < end))
    return {policy: by_month(served, np.concatenate(list(_scores(fits, policy, end)))) for policy in POLICIES}


def by_month(served: Flights, scores: Floats) -> dict[str, float]:
    """Month of the local date -> mean log loss of its labelled flights."""
    labelled = served.label >= 0
    losses, month = log_loss(scores[labelled], served.label[labelled]), served.month[labelled]
    return {f"2013-{m:02d}": float(losses[month == m].mean()) for m in MONTHS if np.any(month == m)}


def _scores(fits: Fits, policy: str, end: float) -> Iterator[Floats]:
    """Scores month by month, each by the model that the policy holds then."""
    for month in MONTHS:
        start, stop = month_start(month), min(month_start(month + 1), end)
        if start >= end:
            return
        if policy == "frozen" or month == MONTHS[0]:
            model = fits.at(START)
        elif policy == "calendar_everything":
            model = fits.at(start)
        else:
            model = fits.at(start, since=month_start(month - 2))
        yield fits.score(model, start, stop)


def month_start(month: int) -> float:
    """05:00 UTC of the first day: midnight in New York, in summer one o'clock, when nothing departs."""
    year, month = 2013 + (month - 1) // 12, (month - 1) % 12 + 1
    return datetime(year, month, 1, data.DECISION_HOUR, tzinfo=UTC).timestamp()
