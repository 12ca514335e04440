"""Is what a run has written what the oracle says? Every difference is a sentence."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator

from driftloop.schemas.codec import decode
from driftloop.schemas.events import Pane, Progress
from driftloop.streams.fold import Output

from .core_oracle import Expected, Key, as_known_after
from .core_run import SHORT, CoreRun
from .core_world import Observed, Predicted

TOLERANCE = 1e-6
"""Of a sum: every row of it is rounded to 2^-28 at worst (of delays to 2^-10)."""


def key_of(pane: Pane) -> Key:
    return (pane.model, pane.version, pane.role, pane.spec, pane.pane_start, pane.kind, pane.bucket)


def counted(pane: Pane) -> Counter[str]:
    found = Counter(pane.counts)
    for histogram in pane.histograms:
        found.update({f"{histogram.name}/{b}": n for b, n in zip(histogram.bins, histogram.counts, strict=True)})
    return +found


class Read:
    """What a reader of the topics has: the events of one partition in their order, and the dead letters."""

    def __init__(self, checkpoints: list[list[Output]]) -> None:
        self.panes: dict[Key, list[Pane]] = defaultdict(list)
        self.counters: dict[str, list[Pane]] = defaultdict(list)
        self.told: list[tuple[int, Pane | Progress]] = []
        """(number of its checkpoint, event)"""
        self.dead: Counter[tuple[int, int, str]] = Counter()
        for number, outputs in enumerate(checkpoints):
            for output in outputs:
                if output.topic == "t.dead-letter.v1":
                    headers = dict(output.headers)
                    source = SHORT.index(headers["__connect.errors.topic"].decode().split(".")[1])
                    place = int(headers["__connect.errors.offset"])
                    self.dead[source, place, headers["driftloop.reason"].decode()] += 1
                else:
                    self._event(number, decode(output.value))

    def _event(self, number: int, event: object) -> None:
        assert isinstance(event, Pane | Progress), event
        if isinstance(event, Pane) and event.kind == "paired":
            return  # they have an oracle of their own: tests/observer/test_paired.py
        self.told.append((number, event))
        if isinstance(event, Pane) and event.kind == "counters":
            self.counters[event.model].append(event)
        elif isinstance(event, Pane):
            self.panes[key_of(event)].append(event)


def faults(run: CoreRun) -> list[str]:
    """What is wrong, in sentences; [] if nothing."""
    found = []
    if run.world.rows_most is not None and run.rows_seen_most > run.world.rows_most:
        found.append(f"{run.rows_seen_most} rows were remembered, the bound is {run.world.rows_most}")
    for partition, checkpoints in enumerate(run.written):
        read = Read(checkpoints)
        expected = Expected(run.world, partition, run.seen[partition])
        wrong = [*ordered(read), *dead_letters(read, expected)]
        if run.world.exact:
            wrong += [*emissions(read, expected), *counters(read, expected), *as_known(run, read, expected)]
            wrong += progress(run, partition, read, expected)
        else:
            wrong += conserved(run, partition, read)
        found += [f"partition {partition}: {sentence}" for sentence in wrong]
    return found


def ordered(read: Read) -> Iterator[str]:
    """Revisions ascend by one, instants ascend; an emission is not ahead of the Progress that follows it."""
    for key, panes in read.panes.items():
        if [p.revision for p in panes] != list(range(len(panes))):
            yield f"{key}: revisions {[p.revision for p in panes]}"
        if [p.emitted_at for p in panes] != sorted({p.emitted_at for p in panes}):
            yield f"{key}: emitted at {[p.emitted_at for p in panes]}"
    for model, panes in read.counters.items():
        if [p.emitted_at for p in panes] != sorted({p.emitted_at for p in panes}):
            yield f"{model}: counters emitted at {[p.emitted_at for p in panes]}"


def dead_letters(read: Read, expected: Expected) -> Iterator[str]:
    if read.dead != expected.dead:
        yield f"dead letters: too many {read.dead - expected.dead}, missing {expected.dead - read.dead}"


def emissions(read: Read, expected: Expected) -> Iterator[str]:
    """The whole sequence of every pane, not only its last revision."""
    for key in sorted(read.panes.keys() | expected.emissions.keys()):
        panes, wanted = read.panes.get(key, []), expected.emissions.get(key, [])
        if [p.emitted_at for p in panes] != [e.emitted_at for e in wanted]:
            yield f"{key}: emitted at {[p.emitted_at for p in panes]}, not {[e.emitted_at for e in wanted]}"
            continue
        for pane, one in zip(panes, wanted, strict=True):
            place = f"{key} revision {pane.revision}"
            if (counts := counted(pane)) != one.counts:
                yield f"{place}: too many {counts - one.counts}, missing {one.counts - counts}"
            span = (pane.predictions_first_offset, pane.predictions_last_offset)
            if (*span, pane.truths_first_offset, pane.truths_last_offset) != one.span:
                yield f"{place}: offsets {span}, not {one.span}"
            if pane.sums.keys() != one.sums.keys() or any(
                abs(pane.sums[name] - one.sums[name]) > TOLERANCE for name in one.sums
            ):
                yield f"{place}: sums {pane.sums}, not {one.sums}"


def counters(read: Read, expected: Expected) -> Iterator[str]:
    for model in sorted(read.counters.keys() | expected.counters.keys()):
        found = [(p.emitted_at, +Counter(p.counts)) for p in read.counters.get(model, [])]
        wanted = expected.counters.get(model, [])
        if found != wanted:
            first = next((pair for pair in zip(found, wanted, strict=False) if pair[0] != pair[1]), "the end")
            yield f"counters of {model}: {len(found)} of {len(wanted)} tellings, first difference at {first}"


def as_known(run: CoreRun, read: Read, expected: Expected) -> Iterator[str]:
    """Label metrics as known after each delay: what a reader adds up who stops reading at that instant."""
    specs = {s.spec: s for s in [*run.world.specifications, *run.world.changes]}
    for pane in sorted({key[:5] for key in read.panes if key[5] == "labels"}):
        spec = specs[pane[3]]
        end = pane[4] + spec.pane_seconds
        for k, edge in enumerate(spec.delay_edges_seconds):
            if end + edge > min(expected.greatest) - spec.disorder_seconds:
                break
            latest = [
                [p for p in read.panes.get((*pane, "labels", bucket), ()) if p.emitted_at <= end + edge]
                for bucket in range(k + 1)
            ]
            last = [panes[-1] for panes in latest if panes]
            found = [sum(p.counts.get(name, 0) for p in last) for name in ("pairs", "labelled", "errors")]
            loss = math.fsum(p.sums["log_loss"] for p in last)
            *wanted, wanted_loss = as_known_after(expected.pairs, pane, end, edge)
            if found != wanted or abs(loss - wanted_loss) > TOLERANCE:
                yield f"{pane} as known after {edge}: {found} {loss}, not {wanted} {wanted_loss}"


def progress(run: CoreRun, partition: int, read: Read, expected: Expected) -> Iterator[str]:
    """All that is due at or before a Progress's watermarks stands before it; the last one tells the logs' ends.

    It speaks of the models that its observer knows. Of one whose monitor is applied later nobody can tell the
    disorder yet; the judge makes up for that (streams/judge/merge.py, newcomers).
    """
    left = {key: [e.emitted_at for e in wanted] for key, wanted in expected.emissions.items()}
    last = None
    for number, event in read.told:
        if isinstance(event, Pane):
            if event.kind != "counters" and left.get(key_of(event)):  # what nobody expects, ``emissions`` tells
                left[key_of(event)].pop(0)
            continue
        last = event
        latest = min(event.predictions_latest, event.truths_latest)
        known = run.known[partition][number]
        frontiers = {model: latest - event.disorders.get(model, event.usual_disorder) for model in known}
        if min(frontiers.values()) < min(event.predictions_watermark, event.truths_watermark):
            yield f"a watermark for all is ahead of one of {frontiers}"
        due = {key: frontiers.get(key[0], -math.inf) for key in left}
        if late := [key for key, instants in left.items() if instants and instants[0] <= due[key]]:
            yield f"Progress tells {frontiers} before {late} was told"
    ends = [log[-1][0] if log else -1 for log in run.world.logs[partition]]
    if last is not None and [last.predictions_offset, last.truths_offset] != ends:
        yield f"the last Progress stands at {last.predictions_offset}, {last.truths_offset}, not {ends}"


def conserved(run: CoreRun, partition: int, read: Read) -> Iterator[str]:
    """Where memory or a change of terms decides who meets whom: every record is accounted for once, all the same."""
    seats = len({(k[1], k[2]) for k in read.panes}) or 1
    for model in {k[0] for k in read.panes} | set(read.counters):
        panes = [p for key, told in read.panes.items() if key[0] == model for p in told[-1:]]
        shown = sum(p.counts["predictions"] for p in panes if p.kind == "features")
        pairs = sum(p.counts["pairs"] for p in panes if p.kind == "labels")
        if not read.counters[model] or not finished(run, partition):
            continue
        total = Counter(read.counters[model][-1].counts)
        both: Counter[str] = Counter()
        for name, count in total.items():
            both[name.removesuffix("_challenger")] += count
        if both["predictions"] != shown:
            yield f"{model}: counters tell {both['predictions']} predictions, panes {shown}"
        if both["labelled"] + both["unlabelled"] != pairs:
            yield f"{model}: counters tell {both['labelled'] + both['unlabelled']} pairs, panes {pairs}"
        refused = sum(total[name] for name in ("duplicates", "amendments", "too_late", "orphans", "overflow"))
        rest = records_of(run, partition, model) - refused - both["never_labelled"] - pairs
        if not math.ceil(pairs / seats) <= rest <= pairs:
            yield f"{model}: {rest} truths would have served {pairs} pairs: {dict(total)}"


def finished(run: CoreRun, partition: int) -> bool:
    """Did the logs end with a word that settles everything?"""
    return all(log and type(log[-1][1]).__name__ == "Marked" for log in run.world.logs[partition])


def records_of(run: CoreRun, partition: int, model: str) -> int:
    """Readable predictions and truths of a model."""
    return sum(
        isinstance(item, Predicted | Observed) and item.model == model and model in live
        for log, seen in zip(run.world.logs[partition], run.seen[partition], strict=True)
        for (_, item), live in zip(log, seen, strict=True)
    )


def last_revisions(run: CoreRun) -> dict[tuple[int, Key], bytes]:
    """The last word on every pane, as bytes."""
    found: dict[tuple[int, Key], bytes] = {}
    for partition, checkpoints in enumerate(run.written):
        for output in (output for outputs in checkpoints for output in outputs if output.topic == "t.panes.v1"):
            event = decode(output.value)
            if isinstance(event, Pane) and event.kind != "paired":
                assert output.value is not None
                found[partition, key_of(event)] = output.value
    return found
