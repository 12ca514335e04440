"""The app of the demo: it scores flights with whatever model it holds, and tells what became of them.

All it knows of driftloop is the SDK: a producer and a follower. It works hour by hour of event time: the flights that
depart in the hour are scored in one call, then the outcomes that became known in it are told. An hour that is over is
over: predictions and truths each go out in the order of event time, so a time marker can close any instant.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from driftloop.client import Follower, Producer
from driftloop.console.demo.flights import CATEGORICAL, HOUR_SECONDS, NUMERIC, Flights, Floats
from driftloop.schemas.errors import Unavailable

MODEL = "flights"
CLASSES = ("on time", "late")
FIRST_VERSION = "v1"
NAMES = (*NUMERIC, *CATEGORICAL)
FLUSH_SECONDS_MOST = 30.0


def prediction_id(number: int | np.int32) -> str:
    """The name of a flight on the topics: its row in the file."""
    return f"flight-{number:06d}"


class App:
    """``flights``: all of them by event time. ``now``: everything before this instant has been told."""

    def __init__(self, flights: Flights, producer: Producer, now: float) -> None:
        self.flights, self.producer, self.now = flights, producer, now
        self.predictions, self.truths = 0, 0
        self._columns = flights.columns()
        self._texts = [[texts[code] for code in range(len(texts))] for texts in flights.categories]
        order = np.argsort(flights.known_at, kind="stable")
        self._truth_rows = order[: int(np.isfinite(flights.known_at).sum())]
        self._truth_times = flights.known_at[self._truth_rows]

    def relive(self, scores: Floats, until: float) -> None:
        """Tell the past: flights before ``until`` with these scores, role history, and what was known by then."""
        while self.now < until:
            rows = self._departing()
            self._predict(rows, scores[rows].tolist(), FIRST_VERSION, "history")
            self._end_hour()

    def serve(self, follower: Follower, until: float) -> None:
        """Score and tell everything up to ``until`` with the model that the follower holds in each hour."""
        while self.now < until:
            rows = self._departing()
            if rows.start < rows.stop:
                model = follower.wait(timeout_seconds=60)
                scores = model.predictor.predict_score({name: c[rows] for name, c in self._columns.items()})
                self._predict(rows, scores.tolist(), model.version, "champion")
            self._end_hour()

    @property
    def sent(self) -> int:
        """Records so far, time markers left out."""
        return self.predictions + self.truths

    def mark(self) -> None:
        """Promise that nothing earlier than now will come, and see that Kafka has everything. Unavailable: not."""
        self.producer.tick(self.now)
        left = self.producer.flush(FLUSH_SECONDS_MOST)
        if lost := left + self.producer.failed + self.producer.dropped:
            raise Unavailable(f"{lost} records of the app did not reach Kafka", "does the broker still run?")

    def _departing(self) -> slice:
        """The rows of the flights of the hour that begins now."""
        first, last = np.searchsorted(self.flights.event_time, [self.now, self.now + HOUR_SECONDS])
        return slice(int(first), int(last))

    def _predict(self, rows: slice, scores: Sequence[float], version: str, role: str) -> None:
        flights, predicted = self.flights, self.producer.predicted
        numbers, codes = flights.numeric[rows].tolist(), flights.codes[rows].tolist()
        texts = self._texts
        for i, event_time in enumerate(flights.event_time[rows].tolist()):
            labels = [text[code] for text, code in zip(texts, codes[i], strict=True)]
            predicted(
                dict(zip(NAMES, (*numbers[i], *labels), strict=True)),
                scores[i],
                event_time=event_time,
                prediction_id=prediction_id(flights.number[rows.start + i]),
                version=version,
                role=role,
                predicted=CLASSES[scores[i] >= 0.5],
            )
        self.predictions += rows.stop - rows.start

    def _end_hour(self) -> None:
        """What became known in this hour, its last instant included, so that a decision then can use it."""
        self.now += HOUR_SECONDS
        known = int(np.searchsorted(self._truth_times, self.now, side="right"))
        for row in self._truth_rows[self.truths : known].tolist():
            label = CLASSES[self.flights.label[row]]
            name, moment = prediction_id(self.flights.number[row]), float(self.flights.known_at[row])
            self.producer.observed(name, label, event_time=moment)
        self.truths = known
