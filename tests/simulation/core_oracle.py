"""What the observer must tell of a world, in plain Python: dicts and loops over the full list of records.

It is written from the rules in streams/observer/__init__.py, join.py and time.py, and shares no code with them:
whatever the core does with columns, segments and parts, it must come out as said here.

    grid        all instants of a specification, as a sorted list
    known       a row of a pane is known at the first instant of the grid that is not before the row's own instant and
                lies above the watermark that stood when its prediction, and its truth, came
    emission    of a pane at each instant at which a row becomes known: everything known by then
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

from driftloop.schemas.bins import LOSS_EDGES, SCORE_EDGES
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.murmur2 import partition_of

from .core_world import PREDICTIONS, TRUTHS, Bad, CoreWorld, Marked, Predicted

Key = tuple[Any, ...]
"""Of a pane: model, version, role, specification, start, kind, bucket."""
Live = dict[str, MonitorSpecification]
"""The specification of each model at one moment."""
_SCORE, _LOSS = SCORE_EDGES.tolist(), LOSS_EDGES.tolist()


class Emission(NamedTuple):
    """``counts`` of everything that is counted ("score/17" for a bin); ``span``: first and last offset of predictions
    and of truths."""

    emitted_at: float
    counts: Counter[str]
    sums: dict[str, float]
    span: tuple[int, int, int, int]


class Pair(NamedTuple):
    """A labelled prediction. ``pane``: the key but for kind and bucket; ``before``: the later of two watermarks."""

    pane: Key
    delay: float
    before: float
    labelled: bool
    wrong: bool
    log_loss: float


@dataclass(frozen=True)
class Row:
    """A readable record. ``greatest``: event time of its partition's log before it. ``misplaced``: by Kafka's own
    partitioner it belongs elsewhere."""

    offset: int
    greatest: float
    item: Any
    spec: MonitorSpecification
    misplaced: bool

    @property
    def time(self) -> float:
        return float(self.item.time)

    @property
    def before(self) -> float:
        """The watermark that stood when it came."""
        return self.greatest - self.spec.disorder_seconds


class Expected:
    """Of one partition: ``emissions`` by pane, ``counters`` by model, ``dead`` letters.

    ``seen[source]``: what was live when each record of the log was read.
    """

    def __init__(self, world: CoreWorld, partition: int, seen: tuple[list[Live], list[Live]]) -> None:
        self.emissions: dict[Key, list[Emission]] = {}
        self.counters: dict[str, list[tuple[float, Counter[str]]]] = {}
        self.dead: Counter[tuple[Any, ...]] = Counter()
        self.totals: dict[str, Counter[str]] = {}
        self.pairs: list[Pair] = []
        self.greatest = [-math.inf, -math.inf]
        rows: dict[str, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
        for source in (PREDICTIONS, TRUTHS):
            for (offset, item), live in zip(world.logs[partition][source], seen[source], strict=True):
                if (reason := refused(item, live, source)) is not None:
                    self.dead[source, offset, reason] += 1
                    continue
                if not isinstance(item, Marked):
                    misplaced = partition_of(item.id.encode(), len(world.logs)) != partition
                    row = Row(offset, self.greatest[source], item, live[item.model], misplaced)
                    rows[item.model][source].append(row)
                self.greatest[source] = max(self.greatest[source], item.time)
        for model in sorted(rows):
            ModelOracle(self, model, *rows[model])


def refused(item: Any, live: Live, source: int) -> str | None:
    if isinstance(item, Bad):
        return item.reason
    if isinstance(item, Marked) or item.model in live:
        return None
    return "unknown-schema" if source == PREDICTIONS else "unknown-model"


class ModelOracle:
    """One model in one partition. The rules' H and D are those of its specification, which never change here."""

    def __init__(self, told: Expected, model: str, predictions: list[Row], truths: list[Row]) -> None:
        self.told = told
        self.spec = (predictions or truths)[0].spec
        self.grid = self.instants(predictions + truths)
        self.horizon, self.dedup = self.spec.horizon_seconds, self.spec.dedup_seconds
        ends = [greatest - self.spec.disorder_seconds for greatest in told.greatest]
        self.predictions_end, self.end = ends[PREDICTIONS], min(ends)
        self.happened: list[tuple[float, str]] = []
        self.panes: dict[Key, list[tuple[float, Counter[str], dict[str, float], int, int]]] = defaultdict(list)
        accepted, known = self.take_predictions(predictions), self.take_truths(truths)
        self.join(accepted, known)
        for name, row in [
            *(("misplaced_predictions", r) for r in predictions),
            *(("misplaced_truths", r) for r in truths),
        ]:
            if row.misplaced:
                self.count(name, max(row.before, row.time))
        told.emissions |= {key: found for key, rows in self.panes.items() if (found := self.emitted(key, rows))}
        told.counters[model] = self.counted()
        told.totals[model] = Counter(name for at, name in self.happened if at <= self.end)

    # Time.

    def instants(self, rows: list[Row]) -> list[float]:
        """The grid, as far as it can matter."""
        s = self.spec
        moments = [r.time for r in rows] + [r.before for r in rows if r.before > -math.inf]
        reach = s.horizon_seconds + 3 * s.pane_seconds
        first = math.floor((min(moments) - reach - s.offset_seconds) / s.pane_seconds)
        last = math.ceil((max(moments) + 2 * reach - s.offset_seconds) / s.pane_seconds)
        ends = [s.offset_seconds + k * s.pane_seconds for k in range(first, last + 1)]
        return sorted({end + edge for end in ends for edge in (0.0, *s.delay_edges_seconds)})

    def above(self, moment: float) -> float:
        """The first instant above a moment."""
        return self.grid[bisect_right(self.grid, moment)]

    def known_at(self, instant: float, *before: float) -> float:
        at = bisect_left(self.grid, instant)
        return next(i for i in self.grid[at:] if all(watermark < i for watermark in before))

    def start_of(self, time: float) -> float:
        s = self.spec
        return s.offset_seconds + (time - s.offset_seconds) // s.pane_seconds * s.pane_seconds

    # Who counts.

    def take_predictions(self, rows: list[Row]) -> list[Row]:
        accepted: list[Row] = []
        by_seat: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        for row in rows:
            p = row.item
            seat = by_seat[p.id, p.version, p.role]
            if row.before > row.time + self.horizon:
                self.count("too_late", row.before)
            elif any(row.before <= other.time + self.horizon + self.dedup for other in seat):
                self.count("duplicates", row.before)
            else:
                seat.append(row)
                accepted.append(row)
                self.feature_row(row)
        return accepted

    def take_truths(self, rows: list[Row]) -> dict[str, list[Row]]:
        """Accepted truths by id, in order of offset."""
        known: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            same = [other for other in known[row.item.id] if row.before <= other.time + self.dedup]
            if not same:
                known[row.item.id].append(row)
            elif same[0].item.code == row.item.code:
                self.count("duplicates", row.before)
            else:
                self.count("amendments", row.before)
        return known

    def join(self, accepted: list[Row], known: dict[str, list[Row]]) -> None:
        used: set[int] = set()
        missed: set[int] = set()
        for p in accepted:
            found = None
            for t in known.get(p.item.id, ()):
                if t.time > p.time + self.horizon or t.before > p.time + self.horizon:
                    if t.before <= p.time + self.horizon + self.dedup:
                        missed.add(t.offset)
                elif found is None and p.time <= t.time + self.horizon and p.before <= t.time + self.horizon:
                    found = t
            if found is not None:
                used.add(found.offset)
                self.label_row(p, found)
            else:
                self.over(p, self.named("never_labelled", p))
        for t in (t for rows in known.values() for t in rows):
            if t.offset not in used:
                self.over(t, "too_late" if t.offset in missed else "orphans")

    def over(self, row: Row, name: str) -> None:
        """It found no other half, once the time for it is over."""
        moment = max(row.time + self.horizon, row.before)
        if moment < self.end:
            self.count(name, moment)

    # What is counted.

    def count(self, name: str, moment: float) -> None:
        self.happened.append((self.above(moment), name))

    @staticmethod
    def named(name: str, p: Row) -> str:
        return f"{name}_challenger" if p.item.role == "challenger" else name

    def decision(self, p: Predicted) -> int:
        if p.predicted is None:
            return 1 if p.score >= 0.5 else 0
        return {name: code for code, name in enumerate(self.spec.classes)}.get(p.predicted, 2)

    def key(self, p: Row, kind: str, bucket: int) -> Key:
        item = p.item
        return (item.model, item.version, item.role, p.spec.spec, self.start_of(p.time), kind, bucket)

    def feature_row(self, row: Row) -> None:
        p, counts = row.item, Counter({"predictions": 1})
        counts[f"predicted/{self.decision(p)}"] += 1
        counts[f"score/{bisect_right(_SCORE, p.score)}"] += 1
        for f in row.spec.features:
            value = p.features.get(f.name)
            if value is None:
                counts[f"missing:{f.name}"] += 1
            if f.kind == "categorical" and f.categories is not None:
                places = {None: len(f.categories) + 1} | {name: code for code, name in enumerate(f.categories)}
                code = places.get(value, len(f.categories))
                counts[f"unseen:{f.name}"] += code == len(f.categories)
            elif f.kind == "numeric" and f.edges is not None:
                code = len(f.edges) + 1 if value is None else bisect_right(f.edges, value)
            else:
                continue
            counts[f"feature:{f.name}/{code}"] += 1
        end = self.start_of(row.time) + self.spec.pane_seconds
        known = self.known_at(end, row.before)
        self.panes[self.key(row, "features", -1)].append((known, counts, {}, row.offset, -1))
        self.happened.append((known, self.named("predictions", row)))

    def label_row(self, p: Row, t: Row) -> None:
        delay, edges = t.time - p.time, self.spec.delay_edges_seconds
        bucket = next(k for k, edge in enumerate(edges) if delay <= edge)
        known = self.known_at(self.start_of(p.time) + self.spec.pane_seconds + edges[bucket], p.before, t.before)
        decided, label = self.decision(p.item), t.item.code
        counts = Counter({"pairs": 1, f"delay/{bucket}": 1, f"confusion/{3 * (label % 3) + decided}": 1})
        sums = {"log_loss": 0.0, "log_loss_squared": 0.0, "brier": 0.0, "delay_seconds": delay}
        if label >= 0:
            score = p.item.score
            chance = score if label == 1 else 1.0 - score
            loss = -math.log(min(max(chance, 1e-15), 1.0 - 1e-15))
            counts["labelled"] += 1
            counts["errors"] += decided not in (label, 2)
            counts[f"score_by_label:{label}/{bisect_right(_SCORE, score)}"] += 1
            counts[f"loss/{bisect_right(_LOSS, loss)}"] += 1
            sums |= {"log_loss": loss, "log_loss_squared": loss * loss, "brier": (score - label) ** 2}
        else:
            counts["unlabelled"] += 1
        key = self.key(p, "labels", bucket)
        self.panes[key].append((known, counts, sums, p.offset, t.offset))
        wrong = label >= 0 and decided not in (label, 2)
        self.told.pairs.append(Pair(key[:5], delay, max(p.before, t.before), label >= 0, wrong, sums["log_loss"]))
        self.happened.append((known, self.named("labelled" if label >= 0 else "unlabelled", p)))

    # What is told.

    def emitted(self, key: Key, rows: list[tuple[float, Counter[str], dict[str, float], int, int]]) -> list[Emission]:
        """At each instant that the watermark has reached and at which a row became known: all rows known by then."""
        end = self.predictions_end if key[5] == "features" else self.end
        found = []
        for now in sorted({row[0] for row in rows if row[0] <= end}):
            counts: Counter[str] = Counter()
            sums: dict[str, float] = defaultdict(float)
            known = [row for row in rows if row[0] <= now]
            for _, more, terms, _, _ in known:
                counts.update(more)
                for name, term in terms.items():
                    sums[name] += term
            p_offsets, t_offsets = [row[3] for row in known], [row[4] for row in known]
            span = (min(p_offsets), max(p_offsets), min(t_offsets), max(t_offsets))
            found.append(Emission(now, +counts, dict(sums), span))
        return found

    def counted(self) -> list[tuple[float, Counter[str]]]:
        """(instant, totals as of then) at each at which something has happened."""
        found, total = [], Counter[str]()
        for now in sorted({at for at, _ in self.happened if at <= self.end}):
            total = total + Counter(name for at, name in self.happened if at == now)
            found.append((now, total))
        return found


def as_known_after(pairs: list[Pair], pane: Key, end: float, edge: float) -> tuple[int, int, int, float]:
    """(pairs, labelled, errors, log loss) of a pane that ends at ``end``, as a reader knows it ``edge`` later: what
    was labelled within that time and had come before the watermark stood there."""
    known = [p for p in pairs if p.pane == pane and p.delay <= edge and p.before < end + edge]
    loss = sum(p.log_loss for p in known)
    return len(known), sum(p.labelled for p in known), sum(p.wrong for p in known), loss
