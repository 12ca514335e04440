"""Predictions meet their ground truth: who belongs to whom, as a function of the two logs alone.

For one model and one partition. b(x) is the watermark of x's own topic just before x (time.py), H the label horizon,
D the dedup time, R = H + D. A truth's id is the prediction id; a prediction's seat is its (version, role).

1. A prediction P with b(P) > P.time + H is too late: counted, not folded.
2. P is a repeat if an accepted prediction of lower offset has its id and seat, and b(P) <= that one's time + R.
   The first wins.
3. A truth T is a repeat if an accepted truth T' of lower offset has its id and b(T) <= T'.time + D: a duplicate, or
   an amendment where the labels (or the values beside them) differ. Numbers stay with the first. After D a repeat is
   a truth of its own, which finds nothing left to label: an orphan.
4. P and T, both accepted, of one id, may pair if  |T.time - P.time| <= H,  b(T) <= P.time + H  and
   b(P) <= T.time + H. P takes the one of lowest offset; a truth serves all seats of its id.
5. P without a pair is never labelled once the watermark of the truths is above P.time + H. T without a pair is an
   orphan once the watermark of the predictions is above T.time + H; or too late, if it met an accepted P of its id
   which it missed by rule 4 with b(T) <= P.time + R.

No rule looks at which topic was read first, at batches, or at when a row was dropped from memory: rows are kept as
long as any record to come could ask for them (a prediction until both watermarks are above time + R, a truth above
time + max(H, D)). So every interleaving of the two topics and every cut gives the same pairs. Two ids with one
64-bit hash would be taken for one: with a million waiting, a chance of 5e-14 a record.

For the retrainer, over columns in memory:

    pairs = join_all(
        Predictions(ids=hash_ids(keys), times=..., before=watermarks_before(...), offsets=..., seats=...),
        Truths(ids=hash_ids(keys), times=..., before=watermarks_before(...), offsets=..., labels=...),
        Terms.of(specification),
    )
    pairs.prediction_rows, pairs.truth_rows   # row numbers into what was given, ascending by prediction row
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xxhash
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.streams.observer.join.index import Hashes, Slots
from driftloop.streams.observer.join.rows import BASE, CLOSED, LATE, MATCHED, WAITING, Columns, Rows
from numpy.typing import DTypeLike, NDArray

ACCEPTED, REPEAT, AMENDMENT, TOO_LATE = 0, 1, 2, 3
"""Verdicts on a row when it comes in."""

_NONE = np.empty(0, np.int64)
_TRUTH_COLUMNS = frozenset({*BASE, "labels", "members"})


class Terms(NamedTuple):
    """How long one half waits for the other, and how long a repeat is known. Seconds of event time."""

    horizon_seconds: float
    dedup_seconds: float

    @classmethod
    def of(cls, specification: MonitorSpecification) -> Terms:
        return cls(specification.horizon_seconds, specification.dedup_seconds)

    @property
    def memory_seconds(self) -> float:
        return self.horizon_seconds + self.dedup_seconds


class Predictions(NamedTuple):
    """Predictions of one model and partition, ascending by offset. ``before``: watermarks_before of its topic."""

    ids: Hashes
    times: NDArray[np.float64]
    before: NDArray[np.float64]
    offsets: NDArray[np.int64]
    seats: NDArray[np.integer]


class Truths(NamedTuple):
    """Ground truths of one model and partition, ascending by offset. ``labels``: index of the class, -1 unknown."""

    ids: Hashes
    times: NDArray[np.float64]
    before: NDArray[np.float64]
    offsets: NDArray[np.int64]
    labels: NDArray[np.integer]


class Pairs(NamedTuple):
    prediction_rows: Slots
    truth_rows: Slots


class Taken(NamedTuple):
    """What became of the rows of a batch: one verdict a row, and the pairs they made, as slots of the two stores."""

    verdicts: NDArray[np.int8]
    prediction_slots: Slots
    truth_slots: Slots


class Settled(NamedTuple):
    """Slots of rows for which the time is over: predictions never labelled, truths without and with a missed one."""

    never_labelled: Slots
    orphans: Slots
    too_late: Slots


def hash_ids(keys: Sequence[bytes]) -> Hashes:
    """xxh3_64 of each prediction id, .05 µs each; as whole numbers of Python they take .07."""
    return np.frombuffer(b"".join(map(xxhash.xxh3_64_digest, keys)), ">u8").astype(np.uint64)


def join_all(predictions: Predictions, truths: Truths, terms: Terms) -> Pairs:
    """All pairs in two whole logs: the rules above, everything in memory, about 1 µs a row."""
    join = Join(terms)
    join.predict(predictions._replace(offsets=np.arange(len(predictions.ids))))
    taken = join.observe(truths._replace(offsets=np.arange(len(truths.ids))))
    rows = join.predictions.columns["offsets"][taken.prediction_slots]
    order = np.argsort(rows)
    return Pairs(rows[order], join.truths.columns["offsets"][taken.truth_slots][order])


class Join:
    """The rows of one model and partition that may still be asked for. ``payload``: further columns of a prediction,
    to be given with each batch and read from ``predictions.columns`` when a pair is made; ``truth_payload``: those of
    a truth. Truths that differ in one of theirs are no repeats of each other but amendments."""

    def __init__(
        self,
        terms: Terms,
        payload: Mapping[str, DTypeLike] | None = None,
        truth_payload: Mapping[str, DTypeLike] | None = None,
    ) -> None:
        self.terms = terms
        self.predictions = Rows({"seats": "<i2", **(payload or {})})
        self.truths = Rows({"labels": "i1", **(truth_payload or {})})

    def predict(self, batch: Predictions, payload: Columns | None = None) -> Taken:
        columns = {**batch._asdict(), **(payload or {})}
        verdicts = np.zeros(len(batch.ids), np.int8)
        verdicts[batch.before > batch.times + self.terms.horizon_seconds] = TOO_LATE
        pairs: list[tuple[Slots, Slots]] = []
        for rows in _rounds(batch.ids, np.flatnonzero(verdicts == ACCEPTED)):
            part = _part(columns, rows)
            repeated = self._repeated_predictions(part)
            verdicts[rows[repeated]] = REPEAT
            pairs.append(self._serve(self.predictions.append(_take(part, ~repeated) if repeated.any() else part)))
        return Taken(verdicts, *_joined(pairs))

    def observe(self, batch: Truths, payload: Columns | None = None) -> Taken:
        columns = {**batch._asdict(), **(payload or {})}
        verdicts = np.zeros(len(batch.ids), np.int8)
        pairs: list[tuple[Slots, Slots]] = []
        for rows in _rounds(batch.ids, np.arange(len(batch.ids))):
            part = _part(columns, rows)
            found = self._repeated_truths(part)
            verdicts[rows] = found
            fresh = found == ACCEPTED
            pairs.append(self._label(self.truths.append(part if fresh.all() else _take(part, fresh))))
        return Taken(verdicts, *_joined(pairs))

    def settle(self, watermark: float) -> Settled:
        """Close what can find no other half any more; ``watermark``: the lesser of the two topics'. Then forget
        what no record to come can ask for: the settled rows' columns must be read before ``forget``."""
        horizon = self.terms.horizon_seconds
        never = self.predictions.overdue(horizon, watermark)
        truths = self.truths.overdue(horizon, watermark)
        missed = self.truths.status[truths] == LATE
        self.predictions.mark(never, CLOSED)
        self.truths.mark(truths, CLOSED)
        return Settled(never, truths[~missed], truths[missed])

    def forget(self, watermark: float) -> None:
        terms = self.terms
        self.predictions.forget_before(terms.memory_seconds, watermark)
        self.truths.forget_before(max(terms.horizon_seconds, terms.dedup_seconds), watermark)

    def _repeated_predictions(self, rows: Columns) -> NDArray[np.bool_]:
        query, slots = self.predictions.find(rows["ids"])
        repeated = np.zeros(len(rows["ids"]), bool)
        if len(query):
            known = self.predictions.columns
            same = known["seats"][slots] == rows["seats"][query]
            same &= rows["before"][query] <= known["times"][slots] + self.terms.memory_seconds
            repeated[query[same]] = True
        return repeated

    def _repeated_truths(self, rows: Columns) -> NDArray[np.int8]:
        query, slots = self.truths.find(rows["ids"])
        verdicts = np.zeros(len(rows["ids"]), np.int8)
        if len(query):
            known = self.truths.columns
            same = rows["before"][query] <= known["times"][slots] + self.terms.dedup_seconds
            query, slots = _first_by_offset(query[same], slots[same], known["offsets"])
            differs = known["labels"][slots] != rows["labels"][query]
            for name in known.keys() - _TRUTH_COLUMNS:
                differs |= _differ(known[name][slots], rows[name][query])
            verdicts[query] = np.where(differs, AMENDMENT, REPEAT)
        return verdicts

    def _serve(self, predicted: Slots) -> tuple[Slots, Slots]:
        """Pairs of new predictions with the truths that are there."""
        query, truths = self.truths.find(self.predictions.columns["ids"][predicted])
        if not len(query):
            return _NONE, _NONE
        fits = self._fitting(predicted[query], truths) & (self.truths.status[truths] != CLOSED)
        query, truths = _first_by_offset(query[fits], truths[fits], self.truths.columns["offsets"])
        return self._pair(predicted[query], truths)

    def _label(self, observed: Slots) -> tuple[Slots, Slots]:
        """Pairs of new truths with the predictions that wait. Each id is there once, so no two truths want one."""
        query, predictions = self.predictions.find(self.truths.columns["ids"][observed])
        if not len(query):
            return _NONE, _NONE
        truths = observed[query]
        fits = self._fitting(predictions, truths) & (self.predictions.status[predictions] == WAITING)
        return self._pair(predictions[fits], truths[fits])

    def _fitting(self, predictions: Slots, truths: Slots) -> NDArray[np.bool_]:
        """Rule 4 for candidates of one id. Truths that missed a prediction by it are marked on the way (rule 5)."""
        p, t, terms = self.predictions.columns, self.truths.columns, self.terms
        made, known = p["times"][predictions], t["times"][truths]
        predicted_before, known_before = p["before"][predictions], t["before"][truths]
        horizon = terms.horizon_seconds
        missed = (known - made > horizon) | (known_before > made + horizon)
        fits = ~missed & (known - made >= -horizon) & (predicted_before <= known + horizon)
        if missed.any():
            missed &= (known_before <= made + terms.memory_seconds) & (self.truths.status[truths] == WAITING)
            self.truths.mark(truths[missed], LATE)
        return np.asarray(fits)

    def _pair(self, predictions: Slots, truths: Slots) -> tuple[Slots, Slots]:
        if len(predictions):
            self.predictions.mark(predictions, MATCHED)
            self.truths.mark(truths, MATCHED)
        return predictions, truths


def _differ(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    """NaN, which stands for "not told", is equal to itself."""
    return np.asarray((one != other) & ~(np.isnan(one) & np.isnan(other)))


def _take(columns: Columns, rows: NDArray[Any]) -> Columns:
    return {name: column[rows] for name, column in columns.items()}


def _part(columns: Columns, rows: Slots) -> Columns:
    """These rows, ascending; mostly all, which are not copied."""
    return columns if len(rows) == len(columns["ids"]) else _take(columns, rows)


def _joined(pairs: list[tuple[Slots, Slots]]) -> tuple[Slots, Slots]:
    if len(pairs) == 1:
        return pairs[0]
    return np.concatenate([_NONE, *(p for p, _ in pairs)]), np.concatenate([_NONE, *(t for _, t in pairs)])


def _first_by_offset(query: Slots, slots: Slots, offsets: NDArray[np.int64]) -> tuple[Slots, Slots]:
    """One (query, slot) a query, the slot of the lowest offset."""
    order = np.argsort(query, kind="stable")
    ascending = query[order]
    first = np.ones(len(query), bool)
    first[1:] = ascending[1:] != ascending[:-1]
    if not first.all():  # seldom; to sort by both takes ten times as long
        order = np.lexsort((offsets[slots], query))
    return query[order][first], slots[order][first]


def _rounds(ids: Hashes, rows: Slots) -> Iterator[Slots]:
    """``rows`` in rounds, in each of which an id is there once; round k holds its k-th row. Mostly one round."""
    if not len(rows):
        return
    ascending = np.sort(ids[rows])
    if (ascending[1:] != ascending[:-1]).all():
        yield rows
        return
    order = rows[np.argsort(ids[rows], kind="stable")]
    starts = np.flatnonzero(np.concatenate(([True], ids[order[1:]] != ids[order[:-1]])))
    lengths = np.diff(np.append(starts, len(rows)))
    turn = np.arange(len(rows)) - np.repeat(starts, lengths)
    for k in range(int(lengths.max())):
        yield np.sort(order[turn == k])
