"""Two models in the same partitions, one of which writes hours behind the other: what its `disorder` does for it, and
that nobody else waits for it. From records to windows in a list."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import NamedTuple

from driftloop.schemas.codec import decode, encode
from driftloop.schemas.events import MonitorApplied, Pane, Progress, WindowMeasured
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.streams.fold import FoldContext, SourceRecords
from driftloop.streams.judge.fold import JudgeFold, make_fold

from .world import HOUR, Marked, Observed, Predicted, Transport, World, as_the_only_partition, context

NOON = 1_600_002_000.0
MINUTES = 5 * 60
BEHIND = HOUR


class Told(NamedTuple):
    """A window, and the latest event time that had been read when it was told."""

    read: float
    window: WindowMeasured


def spec_of(model: str, disorder: float, horizon: float = 4 * HOUR) -> MonitorSpecification:
    return MonitorSpecification(
        model=model,
        task="binary",
        classes=("no", "yes"),
        features=(Feature("age", "f_age", "numeric", edges=(40.0,)),),
        horizon_seconds=horizon,
        disorder_seconds=disorder,
        pane_seconds=HOUR / 4,
        window_seconds=HOUR,
        dedup_seconds=HOUR,
        minimum_rows=1,
    )


def panes(live: MonitorSpecification, batch: MonitorSpecification) -> tuple[FoldContext, list[bytes]]:
    """A prediction a minute of each model, those of ``batch`` an hour behind; as the observer tells them."""
    made: list[Predicted] = []
    for minute in range(MINUTES):
        for spec, behind in ((live, 0.0), (batch, BEHIND)):
            time = NOON + 60.0 * minute - behind
            made.append(Predicted(f"{spec.model}{minute}", spec, time, 0.5, {"age": 30.0}, "v1", "champion", None))
    known = [Observed(p.name, p.spec, p.time, "yes", None) for p in made]
    end = Marked(NOON + 60.0 * MINUTES + 20 * HOUR)
    seen = replace(context(None, live, batch), partitions=1)
    transport = Transport(World([*made, end], [*known, end]), seen)
    transport.run(random.Random(1), batch=30)
    return seen, as_the_only_partition(transport.outputs)


def judged(seen: FoldContext, values: list[bytes], crash_every: int = 0) -> list[Told]:
    """A checkpoint after every record; from time to time a judge begins anew from its state."""
    judge: JudgeFold = make_fold(0, {}, seen)
    state: dict[bytes, bytes] = {}
    found: list[Told] = []
    read = 0.0
    for n, value in enumerate(values):
        judge.absorb(SourceRecords("t.panes.v1", 0, [n], [b"k"], [value], [1], [()], 0))
        if isinstance(event := decode(value), Progress):
            read = min(event.predictions_latest, event.truths_latest)
        changes = judge.collect()
        for key, record in changes.state.items():
            if record is None:
                state.pop(key, None)
            else:
                state[key] = record
        windows = [decode(o.value) for o in changes.outputs]
        found += [Told(read, w) for w in windows if isinstance(w, WindowMeasured) and w.predictions]
        if crash_every and n % crash_every == 0:
            judge = make_fold(0, dict(state), seen)
    return found


def closing(told: list[Told], model: str, which: str) -> list[Told]:
    """Of the hours that lie wholly within the traffic of both models."""
    first, last = NOON, NOON + 60.0 * MINUTES - BEHIND
    of = [t for t in told if t.window.model == model and t.window.closing == which]
    return [t for t in of if first <= t.window.window_start and t.window.window_start + HOUR <= last]


def rows(told: list[Told], model: str, which: str) -> set[int]:
    return {t.window.predictions for t in closing(told, model, which)}


def waited(told: list[Told], model: str) -> float:
    """How far the stream had gone on, at least, when windows of features were told; the rest is when it was asked."""
    return min(t.read - t.window.window_start - HOUR for t in closing(told, model, "features")[:-1])


def test_a_model_that_is_behind_says_so_with_its_disorder_and_nobody_else_waits() -> None:
    told = judged(*panes(spec_of("live", 600.0), spec_of("batch", 1.5 * HOUR)))
    assert len(closing(told, "live", "features")) == 4
    assert rows(told, "batch", "features") == rows(told, "live", "features") == {60}
    assert waited(told, "live") < 600.0 + HOUR / 4
    assert 1.5 * HOUR <= waited(told, "batch") < 2 * HOUR


def test_without_it_its_features_are_judged_on_what_was_there_and_its_labels_are_whole_all_the_same() -> None:
    told = judged(*panes(spec_of("live", 600.0), spec_of("batch", 600.0)))
    assert rows(told, "batch", "features") == {10}, "of an hour, what the other model had not passed yet"
    assert rows(told, "batch", "labels") == {60}
    assert rows(told, "live", "features") == rows(told, "live", "labels") == {60}


def test_behind_its_own_horizon_everything_is_too_late() -> None:
    _, values = panes(spec_of("live", 600.0), spec_of("batch", 600.0, horizon=HOUR / 2))
    told = [event for event in map(decode, values) if isinstance(event, Pane) and event.model == "batch"]
    assert told[-1].counts["too_late"] == MINUTES


def test_a_judge_that_begins_anew_from_its_state_tells_the_same() -> None:
    seen, values = panes(spec_of("live", 600.0), spec_of("batch", 1.5 * HOUR))
    assert judged(seen, values, crash_every=3) == judged(seen, values)


APPLIED = 65
"""Minutes of traffic before the monitor of the newcomer is applied."""


def newcomers_windows(known_before: bool, records: int, crash_every: int = 0) -> list[bytes]:
    """Of a model with half an hour's disorder, a quarter of an hour behind one that has none. After its monitor was
    applied its observer, which has a backlog, reads so many records of each topic for a checkpoint."""
    old, new = spec_of("live", 0.0), spec_of("new", HOUR / 2)
    made = [
        Predicted(f"l{m}", old, NOON + 60.0 * m, 0.5, {"age": 30.0}, "v1", "champion", None) for m in range(MINUTES)
    ]
    for minute in range(APPLIED, MINUTES):
        time = NOON + 60.0 * minute - HOUR / 4
        at = APPLIED + 2 * (minute - APPLIED) + 1
        made.insert(at, Predicted(f"n{minute}", new, time, 0.5, {"age": 30.0}, "v1", "champion", None))
    known = [Observed(p.name, p.spec, p.time, "yes", None) for p in made]
    end = Marked(NOON + 60.0 * MINUTES + 20 * HOUR)
    seen = replace(context(None, old), partitions=1)

    def apply() -> None:
        seen.catalogue.absorb("monitors", 9, b"new", encode(MonitorApplied("new", new.spec, new.to_json())))

    if known_before:
        apply()
    transport = Transport(World([*made, end], [*known, end]), replace(seen, refresh=apply))
    for piece in (APPLIED, *[records] * math.ceil((len(known) + 1 - APPLIED) / records)):
        transport.deliver(0, piece)
        transport.deliver(1, piece)
        transport.commit()
    told = judged(seen, as_the_only_partition(transport.outputs), crash_every)
    return [encode(t.window) for t in told if t.window.model == "new"]


def test_a_monitor_that_is_applied_during_a_backlog_is_judged_as_if_it_had_always_been_there() -> None:
    """What was said before held it to no disorder: its first window was told some minutes late in event time, and a
    replay, which knows all monitors from the start, told it otherwise."""
    expected = newcomers_windows(known_before=True, records=20)
    assert len(expected) > 10
    for records in (60, 1_000):
        assert newcomers_windows(known_before=False, records=records) == expected
    assert newcomers_windows(known_before=False, records=60, crash_every=1) == expected
