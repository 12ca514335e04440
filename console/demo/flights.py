"""The stream of the demo: every flight that left New York in 2013, with the weather at its departure hour.

Event time is the scheduled departure in UTC. The outcome is known an hour after landing: scheduled departure +
departure delay + air time + 1 h. A flight that was cancelled or diverted has no arrival: it is never labelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
NUMERIC = ("hour", "distance", *WEATHER)
CATEGORICAL = ("carrier", "origin", "dest", "day_of_week")
HOUR_SECONDS, DAY_SECONDS = 3600.0, 86400.0
DECISION_HOUR = 5
"""UTC; decisions are made once a day at this hour: midnight in New York, in summer one o'clock."""
START = datetime(2013, 3, 1, DECISION_HOUR, tzinfo=UTC).timestamp()
"""Midnight of 1 March in New York: what departs before is history, what departs from here on is served."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Flights:
    """Flights by event time; row i of every array is flight i. Times are seconds since the epoch.

    ``numeric`` is [rows, len(NUMERIC)] with NaN where the weather is unknown; ``codes`` is [rows, len(CATEGORICAL)]
    and indexes ``categories``; ``label`` is 1 late, 0 not, -1 never known; ``known_at`` is inf where it never is.
    ``number`` is the flight's row in the file (0 = the first flight): its name on the topics. ``month`` is the month
    of the local date, 1 to 12.
    """

    event_time: Floats
    known_at: Floats
    label: NDArray[np.int8]
    numeric: Floats
    codes: NDArray[np.int16]
    categories: tuple[tuple[str, ...], ...]
    number: NDArray[np.int32]
    month: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.event_time)

    def rows(self, chosen: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Flights:
        """The chosen flights, in the order given."""
        return Flights(
            self.event_time[chosen],
            self.known_at[chosen],
            self.label[chosen],
            self.numeric[chosen],
            self.codes[chosen],
            self.categories,
            self.number[chosen],
            self.month[chosen],
        )

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Feature name -> values, as a trainer and a predictor take them: float64, or str in an object array."""
        found: dict[str, NDArray[np.generic]] = {name: self.numeric[:, i] for i, name in enumerate(NUMERIC)}
        for i, name in enumerate(CATEGORICAL):
            found[name] = np.array(self.categories[i], object)[self.codes[:, i]]
        return found
