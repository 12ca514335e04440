"""What the observer must tell about a world, in plain Python: one pass over the list of records a question."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from typing import Any

from driftloop.schemas.bins import LOSS_EDGES, SCORE_EDGES
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.murmur2 import partition_of

from .oracle import AMENDMENT, REPEAT, TOO_LATE, JoinOracle
from .world import PARTITION, Observed, Predicted, World

Emission = tuple[float, int, Counter[str], dict[str, float]]
"""emitted_at, revision, counts of everything that is counted ("score/17" for a bin), sums."""
LABEL_CODES = {1: 1, None: -1, "nonsense": -1}


def before_each(log: list[Any], disorder: float) -> list[float]:
    found, greatest = [], -math.inf
    for item in log:
        found.append(greatest - disorder)
        greatest = max(greatest, item.time)
    return found


class PaneOracle:
    """Of one model in a world: ``emissions`` by pane (version, role, start, kind, bucket), and ``counters``."""

    join_oracle = JoinOracle
    place: tuple[int, int] = (PARTITION, 3)
    """Partition of the world, of how many."""

    @staticmethod
    def offset(row: int) -> int:
        """Of a record of a log, by its place in the list; those of a topic have holes."""
        return 2 * row + 7

    def __init__(self, world: World, spec: MonitorSpecification) -> None:
        self.spec = spec
        before = [before_each(log, spec.disorder_seconds) for log in world.logs]
        ends = [max(item.time for item in log) - spec.disorder_seconds for log in world.logs]
        mine = [
            [i for i, item in enumerate(log) if isinstance(item, Predicted | Observed) and item.spec is spec]
            for log in world.logs
        ]
        self.p = [world.predictions[i] for i in mine[0]]
        self.t = [world.truths[i] for i in mine[1]]
        self.before_p, self.before_t = ([before[s][i] for i in mine[s]] for s in (0, 1))
        self.offsets = [[self.offset(i) for i in rows] for rows in mine]
        coded = [type("Truth", (), {"name": t.name, "time": t.time, "label": self.said(t)}) for t in self.t]
        named = [NamedPrediction(p) for p in self.p]
        self.join = self.join_oracle(
            named, coded, self.before_p, self.before_t, min(ends), spec.horizon_seconds, spec.dedup_seconds
        )
        self.parts: dict[tuple[Any, ...], dict[float, list[tuple[Counter[str], dict[str, float], tuple[int, int]]]]]
        self.parts = defaultdict(lambda: defaultdict(list))
        self.happened: list[tuple[float, str]] = []
        for i in self.join.accepted:
            self.feature_row(i)
        for i, j in self.join.pairs:
            self.label_row(i, j)
        self.verdicts()

    def said(self, t: Observed) -> Any:
        """What a repeat must say again in order not to be an amendment."""
        return self.code(t.label)

    def code(self, label: Any) -> int:
        return self.spec.classes.index(label) if label in self.spec.classes else LABEL_CODES[label]

    def next_instant(self, moment: float) -> float:
        """The first pane end, or pane end + delay edge, above a moment."""
        s = self.spec
        pane = math.floor((moment - s.offset_seconds) / s.pane_seconds)
        instants = [
            s.offset_seconds + (pane + k) * s.pane_seconds + edge % s.pane_seconds
            for k in (-1, 0, 1, 2)
            for edge in (0.0, *s.delay_edges_seconds)
        ]
        return min(instant for instant in instants if instant > moment)

    def due(self, instant: float, before: float) -> float:
        return instant if before < instant else self.next_instant(before)

    def start_of(self, p: Predicted) -> float:
        s = self.spec
        return s.offset_seconds + (p.time - s.offset_seconds) // s.pane_seconds * s.pane_seconds

    def decision(self, p: Predicted) -> int:
        if p.predicted is None:
            return int(p.score >= 0.5)
        return self.spec.classes.index(p.predicted) if p.predicted in self.spec.classes else 2

    def feature_row(self, i: int) -> None:
        p, start = self.p[i], self.start_of(self.p[i])
        due = self.due(start + self.spec.pane_seconds, self.before_p[i])
        counts = Counter({"predictions": 1, **dict.fromkeys(self.head(p), 1)})
        for f in self.spec.features:
            value = p.features.get(f.name)
            if value is None:
                counts[f"missing:{f.name}"] += 1
            if not self.spec.has_bins or f.kind == "embedding":
                continue
            if f.kind == "numeric":
                code = len(f.edges) + 1 if value is None else bisect_right(f.edges, value)
            else:
                unseen = value is not None and value not in f.categories
                counts[f"unseen:{f.name}"] += unseen
                places = {None: len(f.categories) + 1} | {c: k for k, c in enumerate(f.categories)}
                code = places.get(value, len(f.categories))
            counts[f"feature:{f.name}/{code}"] += 1
        offset = self.offsets[0][i]
        self.parts[(p.version, p.role, start, "features", -1)][due].append((counts, {}, (offset, -1)))
        self.happened.append((due, self.named("predictions", p)))

    def head(self, p: Predicted) -> list[str]:
        """Bins of a prediction that are no feature's."""
        return [f"predicted/{self.decision(p)}", f"score/{bisect_right(SCORE_EDGES.tolist(), p.score)}"]

    def label_row(self, i: int, j: int) -> None:
        p, t, edges = self.p[i], self.t[j], self.spec.delay_edges_seconds
        start, delay = self.start_of(p), t.time - p.time
        bucket = bisect_left(edges, delay)
        instant = start + self.spec.pane_seconds + edges[bucket]
        due = max(self.due(instant, self.before_p[i]), self.due(instant, self.before_t[j]))
        known = self.code(t.label) >= 0
        counts = Counter({"pairs": 1, f"delay/{bucket}": 1, "labelled" if known else "unlabelled": 1})
        more, sums = self.pair(p, t)
        counts.update(more)
        sums["delay_seconds"] = delay
        offsets = (self.offsets[0][i], self.offsets[1][j])
        self.parts[(p.version, p.role, start, "labels", bucket)][due].append((counts, sums, offsets))
        self.happened.append((due, self.named("labelled" if known else "unlabelled", p)))

    def pair(self, p: Predicted, t: Observed) -> tuple[Counter[str], dict[str, float]]:
        """What a pair adds to its label pane, beside its delay."""
        label, decided = self.code(t.label), self.decision(p)
        counts = Counter({f"confusion/{(label if label >= 0 else 2) * 3 + decided}": 1})
        if label < 0:
            return counts, {"log_loss": 0.0, "log_loss_squared": 0.0, "brier": 0.0}
        counts["errors"] += decided not in (2, label)
        happened = min(max(p.score if label else 1 - p.score, 1e-15), 1 - 1e-15)
        loss = -math.log(happened)
        counts[f"score_by_label:{label}/{bisect_right(SCORE_EDGES.tolist(), p.score)}"] += 1
        counts[f"loss/{bisect_right(LOSS_EDGES.tolist(), loss)}"] += 1
        return counts, {"log_loss": loss, "log_loss_squared": loss**2, "brier": (p.score - label) ** 2}

    @staticmethod
    def named(name: str, item: Predicted | Observed) -> str:
        return f"{name}_challenger" if getattr(item, "role", None) == "challenger" else name

    def verdicts(self) -> None:
        names = {REPEAT: "duplicates", AMENDMENT: "amendments", TOO_LATE: "too_late"}
        for verdicts, before in ((self.join.p_verdicts, self.before_p), (self.join.t_verdicts, self.before_t)):
            for verdict, at in zip(verdicts, before, strict=True):
                if verdict in names:
                    self.happened.append((self.next_instant(at), names[verdict]))
        for rows, befores, topic in ((self.p, self.before_p, "predictions"), (self.t, self.before_t, "truths")):
            for item, before in zip(rows, befores, strict=True):
                if partition_of(item.name.encode(), self.place[1]) != self.place[0]:
                    self.happened.append((self.next_instant(max(before, item.time)), f"misplaced_{topic}"))
        settled = [(self.join.never, "never_labelled", self.p, self.before_p)]
        settled += [(self.join.orphans, "orphans", self.t, self.before_t)]
        settled += [(self.join.too_late, "too_late", self.t, self.before_t)]
        for rows, name, items, before in settled:
            for i in rows:
                over = max(items[i].time + self.spec.horizon_seconds, before[i])
                self.happened.append((self.next_instant(over), self.named(name, items[i])))

    def emissions(self) -> dict[tuple[Any, ...], list[Emission]]:
        found: dict[tuple[Any, ...], list[Emission]] = {}
        for key, parts in self.parts.items():
            counts: Counter[str] = Counter()
            sums: dict[str, float] = defaultdict(float)
            found[key] = []
            for revision, due in enumerate(sorted(parts)):
                for more, terms, _ in parts[due]:
                    counts = counts + more
                    for name, term in terms.items():
                        sums[name] += term
                found[key].append((due, revision, counts, dict(sums)))
        return found

    def offsets_of(self, key: tuple[Any, ...]) -> tuple[int, int, int, int]:
        rows = [offsets for part in self.parts[key].values() for _, _, offsets in part]
        p, t = [a for a, _ in rows], [b for _, b in rows]
        return min(p), max(p), min(t), max(t)

    def counters(self) -> list[tuple[float, Counter[str]]]:
        total: Counter[str] = Counter()
        found = []
        for due in sorted({due for due, _ in self.happened}):
            total = total + Counter(name for at, name in self.happened if at == due)
            found.append((due, total))
        return found


class NamedPrediction(tuple):
    """A prediction as JoinOracle wants it: (name, seat, ...)."""

    def __new__(cls, p: Predicted) -> NamedPrediction:
        found = super().__new__(cls, (p.name, p.seat))
        found.name, found.time = p.name, p.time
        return found
