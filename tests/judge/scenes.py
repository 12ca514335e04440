"""Rows of a small model, and the panes an observer would make of them: by hand, row by row, without its code."""

from __future__ import annotations

import bisect
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from driftloop.schemas import bins
from driftloop.schemas.baseline.reference import Baselines
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.errors import BadRecord
from driftloop.schemas.events import Bins, Pane, Progress
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.schemas.silences import Order
from driftloop.streams.fold import FoldContext, Output, SourceRecords
from driftloop.streams.judge.fold import JudgeFold, make_fold

HOUR, DAY = 3_600.0, 86_400.0
MODEL = "loans"
NOT_SAID = 1_000
"""Partitions, until a Progress tells."""
START = 1_700_006_400.0  # a midnight
SCORE_EDGES, LOSS_EDGES = bins.SCORE_EDGES.tolist(), bins.LOSS_EDGES.tolist()
SPEC = MonitorSpecification(
    model=MODEL,
    task="binary",
    classes=("repaid", "default"),
    features=(
        Feature("income", "f_income", "numeric", edges=(-1.0, -0.5, 0.0, 0.5, 1.0)),
        Feature("region", "f_region", "categorical", categories=("north", "south")),
    ),
    horizon_seconds=2 * DAY,
    disorder_seconds=600.0,
    pane_seconds=6 * HOUR,
    window_seconds=DAY,
    budget_seconds=100 * DAY,
    minimum_rows=20,
)


@dataclass(frozen=True)
class Row:
    """One prediction and its fate. ``delay`` None: never labelled. ``behind``: how late it reached the observer."""

    time: float
    income: float
    region: str | None
    score: float
    label: int | None = None
    delay: float | None = None
    version: str = "v1"
    role: str = "champion"
    partition: int = 0
    offset: int = 0
    behind: float = 0.0


def make_rows(
    seed: int, days: int, per_day: int = 80, partitions: int = 3, first_day: int = 0, **changes: Any
) -> list[Row]:
    """A good model on quiet data; ``changes``: income_shift, spread, flip (share of labels turned), version, role,
    late."""
    rng = random.Random(seed)
    rows = []
    for day in range(first_day, first_day + days):
        for i in range(per_day):
            time = START + day * DAY + (i + rng.random()) * DAY / per_day
            income = rng.gauss(changes.get("income_shift", 0.0), changes.get("spread", 1.0))
            score = 1 / (1 + math.exp(-1.5 * income))
            label = int(rng.random() < score) ^ int(rng.random() < changes.get("flip", 0.0))
            known = rng.random() < 0.9
            rows.append(
                Row(
                    time,
                    income,
                    rng.choice(("north", "south", None)),
                    score,
                    label if known else None,
                    rng.choice((0.5, 5.0, 20.0, 40.0)) * HOUR if known else None,
                    changes.get("version", "v1"),
                    changes.get("role", "champion"),
                    rng.randrange(partitions),
                    len(rows),
                    rng.random() * 40 * HOUR if rng.random() < changes.get("late", 0.0) else 0.0,
                )
            )
    return rows


def floor(time: float, step: float) -> float:
    return time // step * step


def sparse(name: str, codes: Iterable[int]) -> Bins:
    counts: dict[int, int] = defaultdict(int)
    for code in codes:
        counts[code] += 1
    return Bins(name, tuple(sorted(counts)), tuple(counts[c] for c in sorted(counts)))


def loss_of(row: Row) -> float:
    return -math.log(row.score if row.label else 1 - row.score)


def feature_bins(row: Row) -> tuple[int, int]:
    income = bisect.bisect_right(SPEC.features[0].edges or (), row.income)
    region = ("north", "south").index(row.region) if row.region in ("north", "south") else 3
    return income, region


def pane_of(rows: Sequence[Row], kind: str, bucket: int, emitted_at: float, revision: int) -> Pane:
    """All rows are of one version, role, pane, partition (and delay bucket)."""
    first = rows[0]
    offsets = [row.offset for row in rows]
    if kind == "features":
        counts, sums = {"predictions": len(rows)}, {}
        codes = [feature_bins(row) for row in rows]
        histograms = (
            sparse("feature:income", [c[0] for c in codes]),
            sparse("feature:region", [c[1] for c in codes]),
            sparse("score", [bisect.bisect_right(SCORE_EDGES, row.score) for row in rows]),
            sparse("predicted", [int(row.score >= 0.5) for row in rows]),
        )
    else:
        losses = [loss_of(row) for row in rows]
        counts = {"pairs": len(rows), "labelled": len(rows)}
        sums = {
            "log_loss": sum(losses),
            "log_loss_squared": sum(x * x for x in losses),
            "brier": sum((row.score - row.label) ** 2 for row in rows),
        }
        histograms = (
            sparse("confusion", [row.label * 3 + int(row.score >= 0.5) for row in rows]),
            *(
                sparse(
                    f"score_by_label:{label}",
                    [bisect.bisect_right(SCORE_EDGES, row.score) for row in rows if row.label == label],
                )
                for label in (0, 1)
            ),
            sparse("loss", [bisect.bisect_right(LOSS_EDGES, x) for x in losses]),
        )
    return Pane(
        model=MODEL,
        version=first.version,
        role=first.role,
        spec=SPEC.spec,
        pane_start=floor(first.time, SPEC.pane_seconds),
        pane_seconds=SPEC.pane_seconds,
        partition=first.partition,
        kind=kind,
        bucket=bucket,
        emitted_at=emitted_at,
        revision=revision,
        predictions_first_offset=min(offsets),
        predictions_last_offset=max(offsets),
        truths_first_offset=min(offsets) if kind == "labels" else -1,
        truths_last_offset=max(offsets) if kind == "labels" else -1,
        counts=counts,
        sums=sums,
        histograms=tuple(h for h in histograms if h.bins),
    )


def due_of(row: Row, instant: float) -> float:
    """A row that came ``behind`` is told at the first pane end after that."""
    return max(instant, math.ceil((row.time + row.behind) / HOUR) * HOUR) if row.behind else instant


def panes_of(rows: Sequence[Row]) -> list[Pane]:
    """Every emission, cumulative, ascending by instant."""
    edges = SPEC.delay_edges_seconds
    parts: dict[tuple[Any, ...], dict[float, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        start = floor(row.time, SPEC.pane_seconds)
        end = start + SPEC.pane_seconds
        whose = (row.version, row.role, start, row.partition)
        parts["features", -1, *whose][due_of(row, end)].append(row)
        if row.delay is not None:
            bucket = next(k for k, edge in enumerate(edges) if row.delay <= edge)
            parts["labels", bucket, *whose][due_of(row, end + edges[bucket])].append(row)
    panes = []
    for (kind, bucket, *_), by_due in parts.items():
        so_far: list[Row] = []
        for revision, due in enumerate(sorted(by_due)):
            so_far = so_far + by_due[due]
            panes.append(pane_of(so_far, kind, bucket, due, revision))
    return sorted(panes, key=lambda p: p.emitted_at)


def progress(partition: int, partitions: int, watermark: float, caught_up: bool = True) -> Progress:
    return Progress(partition, partitions, watermark, watermark, 0, 0, caught_up)


def streams_of(panes: Sequence[Pane], partitions: int, until: float, tardy_every: int = 0) -> list[list[bytes]]:
    """What each source partition writes to the panes topic: its panes, and its progress behind them.

    ``tardy_every`` n: each n-th pane stands one Progress later than it should.
    """
    found = []
    for partition in range(partitions):
        own = [p for p in panes if p.partition == partition]
        records, watermark, at = [], START, 0
        while watermark < until:
            watermark = min(until, watermark + DAY / 2 * (1 + partition / 7))
            tardy = []
            while at < len(own) and own[at].emitted_at <= watermark:
                late = tardy_every and at % tardy_every == 0
                (tardy if late else records).append(encode(own[at]))
                at += 1
            records += [encode(progress(partition, partitions, watermark)), *tardy]
        found.append(records)
    return found


def baselines_of(rows: Sequence[Row], **changes: Any) -> Baselines:
    """A reference counted by hand."""
    labelled = [row for row in rows if row.label is not None]
    losses = [loss_of(row) for row in labelled]
    mean = sum(losses) / len(losses) if losses else None
    income, region = [0] * SPEC.features[0].bins, [0] * SPEC.features[1].bins
    for row in rows:
        a, b = feature_bins(row)
        income[a] += 1
        region[b] += 1
    zeros = (0,) * 64
    known = Baselines(
        MODEL,
        SPEC.bins_hash,
        len(rows),
        len(labelled),
        START,
        START + DAY,
        {"income": tuple(income), "region": tuple(region)},
        zeros,
        (zeros, zeros),
        (0,) * 512,
        mean,
        None if mean is None else mean * 1.05,
        0.2,
        0.25,
        (0.5, 0.5),
    )
    return replace(known, **changes)


class Shelf:
    """A catalogue with one model in it. ``baselines_known`` None: no reference has been built."""

    def __init__(self, baselines: Baselines | None, *specifications: MonitorSpecification) -> None:
        self.known = baselines
        self.by_hash = {s.spec: s for s in specifications or (SPEC,)}
        self.refreshes = 0
        self.said: list[Order] = []

    def specification(self, _model: str, spec: str | None = None) -> MonitorSpecification | None:
        return self.by_hash.get(spec) if spec else next(iter(self.by_hash.values()))

    def baselines(self, _model: str) -> tuple[str, Baselines] | None:
        return None if self.known is None else (self.known.reference, self.known)

    def orders(self, _model: str) -> list[Order]:
        return self.said

    def refresh(self) -> None:
        self.refreshes += 1


REFERENCE_ROWS = make_rows(seed=99, days=20, per_day=200)


class Judge:
    """A fold driven from lists. ``outputs`` and ``state`` are what checkpoints have written."""

    def __init__(
        self, shelf: Shelf | None = None, state: dict[bytes, bytes] | None = None, detectors: tuple[str, ...] = ()
    ) -> None:
        self.shelf = shelf or Shelf(baselines_of(REFERENCE_ROWS))
        context: Any = SimpleNamespace(
            catalogue=self.shelf,
            refresh=self.shelf.refresh,
            partitions=NOT_SAID,
            topic=lambda short: f"t.{short}.v1",
            detectors=detectors,
        )
        self.context: FoldContext = context
        self.state = dict(state or {})
        self.outputs: list[Output] = []
        self.offset = 0
        self.fold: JudgeFold = make_fold(0, dict(self.state), self.context)

    def absorb(self, values: Sequence[bytes | None], timestamp_ms: int = 1) -> None:
        if self.context.partitions == NOT_SAID:
            self.context.partitions = _partitions_of(values)  # type: ignore[misc]
        n = len(values)
        offsets = range(self.offset, self.offset + n)
        self.offset += n
        times = [timestamp_ms] * n
        self.fold.absorb(SourceRecords("t.panes.v1", 0, offsets, [b"k"] * n, values, times, [()] * n, 0))

    def checkpoint(self) -> None:
        changes = self.fold.collect()
        self.outputs.extend(changes.outputs)
        for key, value in changes.state.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value

    def crash(self) -> None:
        """Begin anew from the state of the last checkpoint."""
        self.fold = make_fold(0, dict(self.state), self.context)

    def run(self, *batches: Sequence[bytes | None]) -> list[Any]:
        for batch in batches:
            self.absorb(batch)
            self.checkpoint()
        return self.events

    @property
    def events(self) -> list[Any]:
        return [decode(o.value) for o in self.outputs if not o.topic.endswith("dead-letter.v1")]


def _partitions_of(values: Sequence[bytes | None]) -> int:
    """Of the deployment that writes these records."""
    for value in values:
        with suppress(BadRecord):
            if isinstance(event := decode(value), Progress):
                return event.partitions
    return NOT_SAID


def judged(rows: Sequence[Row], days: float, partitions: int = 3, shelf: Shelf | None = None) -> list[Any]:
    """Everything the judge tells about these rows, one partition's stream behind the other."""
    judge = Judge(shelf)
    return judge.run(*streams_of(panes_of(rows), partitions, START + days * DAY))
