"""Models of one partition that are joined together: one store, one pass over the rows of all of them.

A pass costs some hundred microseconds however few its rows are, and of a hundred models each has few. So models that
wait equally long on the same clock, and keep the same columns of a row (``Shape``), share a pool. An id in its store
is the hash of the prediction id, xor the model's ``salt``, so that the rows of two models never meet, whatever their
ids; which model a row is of stands in a column of its own, from the second model on. Nothing that is told depends on
who shares a pool: the rules of join.py look at the rows of one id alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from driftloop.streams.observer.counters import CHALLENGER
from driftloop.streams.observer.join.gathered import Gathered, as_one, stacked
from driftloop.streams.observer.join.index import Slots
from driftloop.streams.observer.join.join import (
    AMENDMENT,
    REPEAT,
    TOO_LATE,
    Join,
    Predictions,
    Taken,
    Terms,
    Truths,
)
from driftloop.streams.observer.join.rows import Columns, Rows
from driftloop.streams.observer.panes import together
from driftloop.streams.observer.panes.together import Made, Met
from driftloop.streams.observer.recovery.replay import PREDICTIONS, TRUTHS, Replay
from driftloop.streams.observer.time import Clock, Times
from numpy.typing import DTypeLike, NDArray

if TYPE_CHECKING:
    from driftloop.streams.observer.model import ModelFold

MEMBERS = "members"
MISPLACED = ("misplaced_predictions", "misplaced_truths")
_VERDICTS = {REPEAT: "duplicates", AMENDMENT: "amendments", TOO_LATE: "too_late"}
Members = NDArray[np.uint8]
Types = Mapping[str, DTypeLike]


class Shape(NamedTuple):
    """What models of one pool have in common. ``predictions``, ``truths``: columns of their rows, name and type."""

    clock: Clock
    terms: Terms
    predictions: tuple[tuple[str, str], ...]
    truths: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, clock: Clock, terms: Terms, predictions: Types, truths: Types) -> Shape:
        return cls(clock, terms, *(listed(types) for types in (predictions, truths)))


class Pool:
    """``members``: models by the number that stands in their rows, None for those that have left."""

    def __init__(self, number: int, shape: Shape) -> None:
        self.number, self.shape = number, shape
        self.join = Join(shape.terms, dict(shape.predictions), dict(shape.truths))
        self.members: list[ModelFold | None] = []
        self.changed = True
        """Members or columns differ from the state record."""

    @property
    def clock(self) -> Clock:
        return self.shape.clock

    @property
    def models(self) -> list[ModelFold]:
        return [model for model in self.members if model is not None]

    @property
    def replay(self) -> Replay:
        """That of the partition."""
        return self.models[0].replay

    def stores(self) -> tuple[Rows, Rows]:
        """What is remembered: predictions, truths."""
        return self.join.predictions, self.join.truths

    def enter(self, model: ModelFold) -> int:
        """The number of a new member; that of one who has left is free again, for no row has it any more."""
        self.changed = True
        if None in self.members:
            free = self.members.index(None)
            self.members[free] = model
            return free
        self.members.append(model)
        if len(self.members) == 2:  # all rows that are there are the first one's, who has number 0
            for rows in self.stores():
                rows.widen({MEMBERS: "u1"})
        return len(self.members) - 1

    def reshape(self, shape: Shape) -> None:
        """The only member waits otherwise now, or keeps more columns."""
        self.shape = shape
        self.join.terms = shape.terms
        self.join.predictions.widen(dict(shape.predictions))
        self.join.truths.widen(dict(shape.truths))
        self.changed = True

    def leave(self, model: ModelFold) -> list[tuple[Columns, NDArray[np.int8]]]:
        """The rows of a member that goes, and their status: predictions, truths."""
        found = []
        for rows in self.stores():
            slots = rows.slots()
            found.append(rows.keep(slots, members_of(rows, slots) != model.member))
        self.members[model.member] = None
        self.changed = True
        return found

    def drain(self) -> None:
        """Join and fold what has been gathered. Which topic goes first makes no difference (join.py)."""
        made = [(model, as_one(model.gathered)) for model in self.models if model.gathered]
        if made:
            self._predicted(made)
        known = [model for model in self.models if model.gathered_truths]
        if known:
            self._observed(known)

    def settle(self, predictions_greatest: float, truths_greatest: float) -> None:
        """Count what is over when these are the greatest event times of the two topics, and forget it."""
        watermark = min(predictions_greatest, truths_greatest) - self.clock.disorder_seconds
        if predictions_greatest == -math.inf:
            return
        settled = self.join.settle(watermark)
        self._count_never(settled.never_labelled)
        for name, slots in (("orphans", settled.orphans), ("too_late", settled.too_late)):
            self._count(name, *self._over(self.join.truths, slots))
        self.join.forget(watermark)

    def overflow(self, store: int) -> None:
        """Drop the oldest segment of a store; what was still waiting in it is counted."""
        rows = self.stores()[store]
        oldest = min(rows, key=lambda segment: segment.time_most)
        slots = rows.slots_of(oldest)
        open_ = slots[rows.status[slots] % 2 == 0]
        moment = max(oldest.before_most, oldest.time_most)
        self._count("overflow", members_of(rows, open_), np.full(len(open_), moment))
        rows.drop(oldest)

    def _predicted(self, made: Sequence[tuple[ModelFold, Gathered]]) -> None:
        batch = Predictions(*stacked([new.batch for _, new in made]))
        payload = _stacked_columns([model.kept(new) for model, new in made])
        members = self._members([(model, len(new.batch.ids)) for model, new in made], payload)
        models = [model for model, _ in made]
        self._count_misplaced(PREDICTIONS, models, members, batch)
        taken = self.join.predict(batch, payload)
        self._count_verdicts(taken, batch, members, PREDICTIONS)
        ends = np.cumsum([len(new.batch.ids) for _, new in made])
        for model in models:
            model.gathered.clear()
        parts = zip(made, np.split(taken.verdicts, ends[:-1]), strict=True)
        together.fold_predictions(
            [Made(model.edition, new, verdicts) for (model, new), verdicts in parts], self.replay
        )
        self._fold_pairs(taken)

    def _observed(self, models: Sequence[ModelFold]) -> None:
        parts = [(model, part) for model in models for part in model.gathered_truths]
        batch = Truths(*stacked([truths for _, (truths, _) in parts]))
        payload = _stacked_columns([kept for _, (_, kept) in parts])
        members = self._members([(model, len(truths.ids)) for model, (truths, _) in parts], payload)
        for model in models:
            model.gathered_truths.clear()
        self._count_misplaced(TRUTHS, models, members, batch)
        taken = self.join.observe(batch, payload)
        self._count_verdicts(taken, batch, members, TRUTHS)
        self._fold_pairs(taken)

    def _member(self, number: int) -> ModelFold:
        model = self.members[number]
        assert model is not None, "a model takes its rows with it"
        return model

    def _members(self, counts: Sequence[tuple[ModelFold, int]], payload: dict[str, NDArray[Any]]) -> Members:
        """Whose each row is, uint8[n]; in the payload as well, if the rows say it."""
        found = np.repeat(np.array([m.member for m, _ in counts], np.uint8), [n for _, n in counts])
        if len(self.members) > 1:
            payload[MEMBERS] = found
        return found

    def _fold_pairs(self, taken: Taken) -> None:
        """New pairs go to the models that they are of."""
        predictions, truths = taken.prediction_slots, taken.truth_slots
        if not len(predictions):
            return
        parts: list[Met] = []
        for number, here in _by_member(members_of(self.join.predictions, predictions)):
            model = self._member(number)
            p, t = predictions[here], truths[here]
            parts += [Met(edition, p[rows], t[rows]) for edition, rows in model.editions_of(p)]
            model.fold_contests(p, t)
        together.fold_pairs(parts, self.join, self.replay)

    def _count_never(self, slots: Slots) -> None:
        if not len(slots):
            return
        rows = self.join.predictions
        for number, here in _by_member(members_of(rows, slots)):
            challengers = self._member(number).seats.challengers[rows.columns["seats"][slots[here]]]
            self._count("never_labelled", *self._over(rows, slots[here][~challengers]))
            self._count(f"never_labelled{CHALLENGER}", *self._over(rows, slots[here][challengers]))

    def _count_verdicts(self, taken: Taken, batch: Predictions | Truths, members: Members, source: int) -> None:
        """Rows that were not accepted: known of as soon as their own topic has passed them."""
        if taken.verdicts.any():
            for verdict, name in _VERDICTS.items():
                found = taken.verdicts == verdict
                if self.replay.layers:
                    found &= self.replay.unread(source, batch.offsets)
                self._count(name, members[found], batch.before[found])

    def _count_misplaced(
        self, source: int, models: Sequence[ModelFold], members: Members, batch: Predictions | Truths
    ) -> None:
        """Rows whose key belongs into another partition."""
        placement = models[0].placement
        found = placement.misplaced(source, [model.model for model in models]) if placement is not None else None
        if found is None:
            return
        if self.replay.layers:
            found &= self.replay.unread(source, batch.offsets)
        self._count(MISPLACED[source], members[found], np.maximum(batch.before, batch.times)[found])

    def _over(self, rows: Rows, slots: Slots) -> tuple[Members, Times]:
        """(whose, when) it is known that these rows found no other half."""
        over = rows.columns["times"][slots] + self.join.terms.horizon_seconds
        moments = np.maximum(over, rows.columns["before"][slots])
        if self.replay.layers:
            source = TRUTHS if rows is self.join.truths else PREDICTIONS
            offsets = rows.columns["offsets"][slots]
            new = self.replay.unsettled(source, moments, offsets, self.clock.disorder_seconds)
            moments, slots = moments[new], slots[new]
        return members_of(rows, slots), moments

    def _count(self, name: str, members: Members, moments: Times) -> None:
        """One event of each of these models, at these moments."""
        if not len(moments):
            return
        counts = Counter(zip(members.tolist(), self._instants(members, moments).tolist(), strict=True))
        for (number, due), count in counts.items():
            model = self._member(number)
            model.counters.gain(name, due, count)
            model.changed = True

    def _instants(self, members: Members, moments: Times) -> Times:
        """At which each of these is counted: not before what its model has told."""
        told = np.array([-math.inf if model is None else model.told_until for model in self.members])
        return self.clock.next_instants(np.maximum(moments, told[members]))


def members_of(rows: Rows, slots: Slots) -> Members:
    """Whose these rows are."""
    if MEMBERS not in rows.types:
        return np.zeros(len(slots), np.uint8)
    return np.asarray(rows.columns[MEMBERS][slots])


def _by_member(members: Members) -> list[tuple[int, Slots | slice]]:
    """(number, positions) of each that is there."""
    first = int(members[0])
    if (members == first).all():
        return [(first, slice(None))]
    order = np.argsort(members, kind="stable")
    numbers, starts = np.unique(members[order], return_index=True)
    return list(zip(numbers.tolist(), np.split(order, starts[1:]), strict=True))


def _stacked_columns(parts: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """The same columns of several batches, one behind the other."""
    names = list(parts[0])
    return dict(zip(names, stacked([[part[name] for name in names] for part in parts]), strict=True))


def listed(types: Types) -> tuple[tuple[str, str], ...]:
    """As a key."""
    return tuple(sorted((name, np.dtype(kind).str) for name, kind in types.items()))
