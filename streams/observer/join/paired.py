"""Champion and challenger on the same prediction: what one lost more than the other, event by event.

A sixth rule behind those of join.py. Let P and Q be accepted predictions of one id, one of a champion and the other
of a challenger, P the one of higher offset, both folded by one specification. P took the truth T. They are compared
if T fits Q too (rule 4) and b(P) <= Q.time + H. So with one truth an id, which is the rule, they are compared if both
are labelled; and whether P, Q or T is read last makes no difference. A row counts in the pane of the **champion's**
event time and in the bucket of the champion's label delay, whatever those of the challenger are.

    loss_difference = loss(challenger) - loss(champion)     nats, or scales of a regression; within +-bins.LOSS_MOST
    correctness     0 both right, 1 only the champion, 2 only the challenger, 3 both wrong, 4 a decision was no class
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from driftloop.schemas import bins
from driftloop.streams.observer.join.index import Slots
from driftloop.streams.observer.join.join import Join
from driftloop.streams.observer.join.seats import SEATS_MOST, Seats
from driftloop.streams.observer.panes.panes import PaneKey, Panes, Place
from driftloop.streams.observer.panes.sketch import LOSS_UNIT, SQUARE_UNIT, Codes, Layout
from driftloop.streams.observer.panes.table import Added, Table
from driftloop.streams.observer.panes.task import Columns, Task
from driftloop.streams.observer.recovery.replay import Replay
from driftloop.streams.observer.time import Clock
from numpy.typing import NDArray

KIND = "paired"
CHAMPION, CHALLENGER = "champion", "challenger"
BOTH_RIGHT, ONLY_CHAMPION, ONLY_CHALLENGER, BOTH_WRONG, UNDECIDED = range(5)
SEATS = 2 * SEATS_MOST
"""More than there ever are."""
_WHERE = ("times", "before", "offsets")
UNITS: Mapping[str, float] = {"loss_difference": LOSS_UNIT, "loss_difference_squared": SQUARE_UNIT}
LAYOUT = Layout(
    [
        ("pairs", 1, True),
        ("labelled", 1, True),
        ("correctness", 5, False),
        ("loss_difference", bins.DIFFERENCE_BINS, False),
    ]
)


class Met(NamedTuple):
    """Slots of n rows: the two predictions and the truth on which they are compared."""

    challengers: Slots
    champions: Slots
    truths: Slots


class PairedPanes(Panes):
    """Panes of one specification. In their keys two seats are one number, challenger's * SEATS + champion's."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(KIND, LAYOUT, clock, Table(LAYOUT.width, len(UNITS)))

    @staticmethod
    def place_of(key: PaneKey) -> tuple[int, int]:
        """(challenger's seat, champion's seat)."""
        return divmod(key.seat, SEATS)

    def fold_met(self, task: Task, join: Join, replay: Replay, met: Met) -> None:
        """Count n comparisons in."""
        clock, made, known = self.clock, join.predictions.columns, join.truths.columns
        new, old = ({name: made[name][s] for name in (*_WHERE, "seats", *task.payload)} for s in met[:2])
        t = {name: known[name][met.truths] for name in (*_WHERE, "labels", *task.truth_payload)}
        panes, buckets = clock.pane_of(old["times"]), clock.buckets(t["times"] - old["times"])
        instants = clock.ends_of(panes) + np.asarray(clock.delay_edges)[buckets]
        due = np.maximum.reduce([clock.due(instants, half["before"]) for half in (new, old, t)])
        columns, sums = compared(task, new, old, t)
        offsets = np.maximum(new["offsets"], old["offsets"])
        fresh = replay.new_pairs(clock.start_of(panes), offsets, t["offsets"])
        numbers = new["seats"].astype(np.int64) * SEATS + old["seats"]
        place = Place(numbers[fresh], buckets[fresh], panes[fresh], instants[fresh], due[fresh])
        self.fold(place, Added(columns[fresh], sums[fresh], offsets[fresh], t["offsets"][fresh]))


def met(join: Join, seats: Seats, predictions: Slots, truths: Slots) -> Met:
    """Who is compared because of new pairs (prediction, truth)."""
    p, t, horizon = join.predictions.columns, join.truths.columns, join.terms.horizon_seconds
    query, others = join.predictions.find(p["ids"][predictions])
    later, truth = predictions[query], truths[query]
    role = np.array([(CHAMPION, CHALLENGER).index(r) if r in (CHAMPION, CHALLENGER) else -9 for _, r in seats.names])
    mine, theirs = role[p["seats"][later]], role[p["seats"][others]]
    time, known = p["times"][others], t["times"][truth]
    fits = (mine + theirs == 1) & (p["offsets"][others] < p["offsets"][later])
    fits &= p["specs"][others] == p["specs"][later]
    fits &= (np.abs(known - time) <= horizon) & (t["before"][truth] <= time + horizon)
    fits &= (p["before"][others] <= known + horizon) & (p["before"][later] <= time + horizon)
    later, others, truth, mine = later[fits], others[fits], truth[fits], mine[fits]
    return Met(np.where(mine == 1, later, others), np.where(mine == 1, others, later), truth)


def compared(task: Task, challenger: Columns, champion: Columns, truth: Columns) -> tuple[Codes, Codes]:
    """(int64[n, 4] columns raised by one, int64[n, 2] sums) of n rows; payload columns of each, and the labels."""
    at, sink = LAYOUT.at, LAYOUT.sink
    (theirs, new), (ours, old) = task.losses(challenger, truth), task.losses(champion, truth)
    difference = theirs - ours
    known = (truth["labels"] >= 0) & np.isfinite(difference)
    difference = np.where(known, difference, 0.0)
    found = np.full((len(known), 4), sink, np.int64)
    found[:, 0] = at["pairs"]
    found[:, 1] = np.where(known, at["labelled"], sink)
    if new is not None and old is not None:
        found[:, 2] = np.where(known, at["correctness"] + _correctness(new, old), sink)
    found[:, 3] = np.where(known, at["loss_difference"] + bins.difference_codes(difference), sink)
    sums = np.stack([difference / LOSS_UNIT, difference * difference / SQUARE_UNIT], axis=1)
    return found, np.rint(sums).astype(np.int64)


def _correctness(challenger: Codes, champion: Codes) -> NDArray[np.int64]:
    wrong = np.where(champion == 1, np.where(challenger == 1, BOTH_RIGHT, ONLY_CHAMPION), BOTH_WRONG)
    found = np.where((champion == 0) & (challenger == 1), ONLY_CHALLENGER, wrong)
    return np.where((champion < 0) | (challenger < 0), UNDECIDED, found)
