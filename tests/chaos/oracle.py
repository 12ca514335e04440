"""Everything the observer must have told about the logs of a run, and what stands on its topics beside it.

The oracle is the one of tests/observer (plain Python, the rules word by word over the full list of records), made fit
for long logs: rows of different ids have nothing to do with each other, so it is asked id by id.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from driftloop.schemas.events import Pane
from driftloop.schemas.monitor.specification import MonitorSpecification

from ..observer.oracle import JoinOracle
from ..observer.pane_oracle import PaneOracle
from ..observer.world import Bad, World
from .world import SPECIFICATIONS

EmissionId = tuple[Any, ...]
"""model, version, role, pane_start, kind, bucket, partition, emitted_at, revision, segment, against."""


class Content(NamedTuple):
    """What an emission says. ``span``: first and last offset in both sources, None where the oracle leaves it open:
    only the last revision's is compared."""

    counts: dict[str, int]
    sums: dict[str, float]
    span: tuple[int, int, int, int] | None


class JoinById:
    """JoinOracle over each id's rows alone, told as one: the same answers in linear time."""

    def __init__(self, predictions, truths, before_p, before_t, end, horizon, dedup) -> None:  # type: ignore[no-untyped-def]
        rows: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for source, log in enumerate((predictions, truths)):
            for i, item in enumerate(log):
                rows[item.name][source].append(i)
        self.accepted: list[int] = []
        self.pairs: list[tuple[int, int]] = []
        self.never, self.orphans, self.too_late = set[int](), set[int](), set[int]()
        self.p_verdicts, self.t_verdicts = [0] * len(predictions), [0] * len(truths)
        for ps, ts in rows.values():
            one = JoinOracle(
                [predictions[i] for i in ps], [truths[j] for j in ts],
                [before_p[i] for i in ps], [before_t[j] for j in ts], end, horizon, dedup,
            )  # fmt: skip
            self.accepted += [ps[i] for i in one.accepted]
            self.pairs += [(ps[i], ts[j]) for i, j in one.pairs]
            self.never |= {ps[i] for i in one.never}
            self.orphans |= {ts[j] for j in one.orphans}
            self.too_late |= {ts[j] for j in one.too_late}
            for i, verdict in zip(ps, one.p_verdicts, strict=True):
                self.p_verdicts[i] = verdict
            for j, verdict in zip(ts, one.t_verdicts, strict=True):
                self.t_verdicts[j] = verdict


class LongPaneOracle(PaneOracle):
    """Of one model in one partition of a run, where offset i is the i-th record."""

    join_oracle = JoinById

    def __init__(self, world: World, spec: MonitorSpecification, place: tuple[int, int] = PaneOracle.place) -> None:
        self.place = place
        super().__init__(world, spec)

    @staticmethod
    def offset(row: int) -> int:
        return row

    def counters(self) -> list[tuple[float, Counter[str]]]:
        by_instant: dict[float, Counter[str]] = defaultdict(Counter)
        for at, name in self.happened:
            by_instant[at][name] += 1
        total: Counter[str] = Counter()
        found = []
        for due in sorted(by_instant):
            total = total + by_instant[due]
            found.append((due, total))
        return found


def expected_emissions(worlds: Sequence[World]) -> dict[EmissionId, Content]:
    """Every pane and counters emission of every partition and model."""
    found: dict[EmissionId, Content] = {}
    for partition, world in enumerate(worlds):
        for spec in SPECIFICATIONS:
            oracle = LongPaneOracle(world, spec, (partition, len(worlds)))
            for key, emissions in oracle.emissions().items():
                version, role, start, kind, bucket = key
                for due, revision, counts, sums in emissions:
                    last = revision == len(emissions) - 1
                    name = (spec.model, version, role, start, kind, bucket, partition, due, revision, "", "")
                    found[name] = Content(dict(+counts), sums, oracle.offsets_of(key) if last else None)
            for due, totals in oracle.counters():
                name = (spec.model, "", "", due - spec.pane_seconds, "counters", -1, partition, due, 0, "", "")
                found[name] = Content(dict(+totals), {}, None)
    return found


def expected_letters(worlds: Iterable[World]) -> Counter[tuple[str, int, int, str]]:
    """(source, partition, offset, reason) of every dead letter, once each."""
    return Counter(
        (short, partition, offset, item.reason)
        for partition, world in enumerate(worlds)
        for short, log in zip(("predictions", "ground-truth"), world.logs, strict=True)
        for offset, item in enumerate(log)
        if isinstance(item, Bad)
    )


def emission_id(pane: Pane) -> EmissionId:
    p = pane
    place = (p.model, p.version, p.role, p.pane_start, p.kind, p.bucket, p.partition, p.emitted_at, p.revision)
    return *place, p.segment, p.against


def content_of(pane: Pane) -> Content:
    counts = Counter(pane.counts)
    for histogram in pane.histograms:
        counts.update({f"{histogram.name}/{b}": n for b, n in zip(histogram.bins, histogram.counts, strict=True)})
    span = (
        pane.predictions_first_offset, pane.predictions_last_offset,
        pane.truths_first_offset, pane.truths_last_offset,
    )  # fmt: skip
    return Content(dict(+counts), dict(pane.sums), span)


def same(found: Content, wanted: Content) -> bool:
    """Counts exactly; sums to 1e-8 a pair, for the core rounds each term to a whole multiple of a small unit."""
    if found.counts != wanted.counts or (wanted.span is not None and found.span != wanted.span):
        return False
    allowed = 1e-8 * wanted.counts.get("pairs", 0)
    return found.sums.keys() == wanted.sums.keys() and all(
        abs(found.sums[name] - value) <= allowed for name, value in wanted.sums.items()
    )
