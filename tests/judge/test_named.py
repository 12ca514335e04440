"""Detectors that a monitor names: river's own alarms over the series of panes, and what becomes of one that fails."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from driftloop.schemas.events import DriftDetected, WindowMeasured
from driftloop.schemas.monitor.detectors_file import METRICS
from driftloop.schemas.monitor.named_detector import NamedDetector
from river import drift

from .scenes import (
    DAY,
    REFERENCE_ROWS,
    SPEC,
    START,
    Judge,
    Row,
    Shelf,
    baselines_of,
    floor,
    loss_of,
    make_rows,
    panes_of,
    streams_of,
)
from .test_any_interleaving import interleaved, told, with_crashes

PANE = SPEC.pane_seconds
DAYS, CHANGE = 28, 16
LOSS = NamedDetector("loss by ADWIN", "loss", "river:ADWIN", (("clock", 4),))
OURS = NamedDetector("loss by ours", "loss", "adwin", (("clock", 4),))
INCOME = NamedDetector("income", "feature:income", "page_hinkley", (("min_instances", 10), ("threshold", 5.0)))
VOLUME = NamedDetector("volume", "predictions", "page_hinkley", (("threshold", 100.0),))
AUC = NamedDetector("auc falls", "metric:auc", "page_hinkley", (("min_instances", 8), ("threshold", 0.3)))
MODULE = __name__


def fails_after(state: Any, value: float, values: int) -> tuple[Any, bool]:
    """A user's function: it counts, and dies of the value behind ``values``."""
    seen = (state or 0) + 1
    if seen > values:
        raise ZeroDivisionError(f"value {seen} is too many")
    return seen, value < 0


def talks_nonsense(state: Any, value: float) -> Any:  # noqa: ARG001
    return "yes"


@cache
def rows() -> tuple[Row, ...]:
    """Half of the labels are turned from day 16 on; the income moves by one sd, then too."""
    before = make_rows(1, CHANGE, per_day=80)
    return (*before, *make_rows(2, DAYS - CHANGE, per_day=80, first_day=CHANGE, flip=0.5, income_shift=1.0))


def streams(detectors: Sequence[NamedDetector], of: Sequence[Row] | None = None) -> tuple[Shelf, list[list[bytes]]]:
    spec = replace(SPEC, detectors=tuple(detectors))
    of = of or rows()
    panes = [replace(pane, spec=spec.spec) for pane in panes_of(of)]
    return Shelf(baselines_of(REFERENCE_ROWS), spec), streams_of(panes, 3, floor(of[-1].time, DAY) + 5 * DAY)


@cache
def judged(*detectors: NamedDetector, modules: tuple[str, ...] = (), first: int | None = None) -> list[Any]:
    shelf, log = streams(detectors, rows()[:first])
    return Judge(shelf, detectors=modules).run(*log)


def alarms(events: Sequence[Any], name: str) -> list[DriftDetected]:
    return [e for e in events if isinstance(e, DriftDetected) and e.detector == name]


def windows(events: Sequence[Any]) -> list[WindowMeasured]:
    return [e for e in events if isinstance(e, WindowMeasured)]


def mean_losses() -> list[tuple[float, float]]:
    """(pane, mean loss of its rows that were labelled within the horizon), by hand."""
    found: dict[float, list[float]] = defaultdict(list)
    for row in rows():
        if row.delay is not None and row.delay <= SPEC.horizon_seconds:
            found[floor(row.time, PANE)].append(loss_of(row))
    return [(start, sum(losses) / len(losses)) for start, losses in sorted(found.items())]


def test_the_alarms_are_those_of_rivers_own_object_on_the_mean_losses_of_panes() -> None:
    original, expected = drift.ADWIN(clock=4), []
    for start, loss in mean_losses():
        original.update(loss)
        if original.drift_detected:
            expected.append((start, start + PANE + SPEC.horizon_seconds))
    assert len(expected) >= 1
    events = judged(LOSS, OURS)
    for name in (LOSS.name, OURS.name):
        found = alarms(events, name)
        assert [(e.window_start, e.as_of) for e in found] == expected
        first = found[0]
        assert (first.feature, first.unit, first.paging, first.window_seconds) == ("loss", "nats", False, PANE)
        values = dict(mean_losses())
        before = [loss for start, loss in values.items() if start < first.window_start]
        assert first.effect == pytest.approx(values[first.window_start] - sum(before) / len(before))
    tests = {test.name: test for test in windows(events)[-1].tests}
    assert tests[LOSS.name].steps == tests[OURS.name].steps == len(values)
    assert list(tests) == ["e_detector", "window_csr", LOSS.name, OURS.name]


def test_a_feature_a_volume_and_a_metric_are_series_too() -> None:
    busy = [*rows(), *make_rows(3, 3, per_day=800, first_day=24, income_shift=1.0)]
    shelf, log = streams([INCOME, VOLUME, AUC], busy)
    events = Judge(shelf).run(*log)
    income, *_ = alarms(events, INCOME.name)
    day = floor(income.window_start - START, DAY) / DAY
    assert CHANGE <= day <= CHANGE + 2, "page-hinkley needs a few panes of six hours at a shift of one sd"
    assert income.as_of == START + (day + 1) * DAY, "as soon as the window's predictions are complete"
    assert income.unit == "sd"
    assert 0.3 < income.effect < 1.7, "one sd, at a standard error of 1/sqrt(20)"
    assert [floor(e.window_start - START, DAY) / DAY for e in alarms(events, VOLUME.name)] == [24.0]
    auc, *_ = alarms(events, AUC.name)
    assert (auc.window_seconds, auc.as_of - auc.window_start) == (DAY, DAY + SPEC.horizon_seconds)
    assert auc.window_start >= START + CHANGE * DAY
    assert auc.effect < -0.2
    final = [w for w in windows(events) if w.closing == "labels" and w.labelled][-1]
    assert {*final.metrics, "value"} == set(METRICS["binary"])


def test_an_alarm_is_recorded_and_pages_only_where_the_monitor_says_so() -> None:
    eager = replace(INCOME, watch="missing:region", settings=(("threshold", 0.01),))
    quiet = windows(judged(eager, first=800))
    remarked = [w for w in quiet if "recorded, held by no budget: income" in w.status_reason]
    assert remarked
    assert {w.status for w in remarked} == {"OK"}
    paging = judged(replace(eager, paging=True), first=800)
    found = alarms(paging, INCOME.name)
    assert all(e.paging for e in found)
    last = [w for w in windows(paging) if w.window_start <= found[0].window_start < w.window_start + DAY][-1]
    assert (last.status, last.status_reason) == ("DRIFT", "drift of missing:region")


def test_one_that_raises_is_out_with_its_reason_and_the_others_go_on_as_without_it() -> None:
    broken = NamedDetector("mine", "loss", f"{MODULE}:fails_after", (("values", 12),))
    events = judged(LOSS, broken, modules=(MODULE,))
    alone = judged(LOSS, OURS)
    assert [replace(e, spec="") for e in alarms(events, LOSS.name)] == [
        replace(e, spec="") for e in alarms(alone, LOSS.name)
    ]
    thirteenth = mean_losses()[12][0]
    out = [w for w in windows(events) if "detector 'mine' is out" in w.status_reason]
    assert {w.status for w in out} == {"UNKNOWN"}
    assert "ZeroDivisionError: value 13 is too many (at " in out[0].status_reason
    assert min(w.as_of for w in out) >= thirteenth + PANE + SPEC.horizon_seconds
    states = {w.as_of: {t.name: t.steps for t in w.tests} for w in windows(events)}
    assert states[max(states)]["mine"] == 12
    told_alone = [(w.window_start, w.revision, w.metrics, w.features) for w in windows(alone)]
    assert [(w.window_start, w.revision, w.metrics, w.features) for w in windows(events)] == told_alone
    assert "DRIFT" in {w.status for w in windows(events)}, "what the others find is told"


@pytest.mark.parametrize(
    ("use", "modules", "said"),
    [
        (f"{MODULE}:talks_nonsense", (MODULE,), "answered 'yes', not (state, True or False)"),
        (f"{MODULE}:fails_after", (), f"{MODULE} is not allowed to be imported (none is)"),
        (f"{MODULE}:nowhere", (MODULE,), "has no function nowhere"),
        ("no.such.module:f", ("no.such.module",), "no.such.module cannot be imported"),
        ("river:Vanished", (), "river has no drift detector 'Vanished'"),
        ("e_sr", (), "values between 0 and 1 are needed"),
    ],
)
def test_one_that_answers_nonsense_or_cannot_be_started_here_is_out_too(
    use: str, modules: tuple[str, ...], said: str
) -> None:
    events = judged(NamedDetector("mine", "predictions", use), modules=modules, first=160)
    last = windows(events)[-1]
    reasons = {w.status_reason for w in windows(events) if w.status == "UNKNOWN" and w.predictions}
    assert reasons
    assert all(said in reason for reason in reasons), reasons
    assert last.tests[0].name == "e_detector"


def test_any_interleaving_and_crash_tells_the_same_and_a_new_champion_begins_anew() -> None:
    function = NamedDetector("mine", "error", f"{MODULE}:fails_after", (("values", 25),))
    spread = [*make_rows(5, 5, per_day=30, late=0.1), *make_rows(6, 4, per_day=30, first_day=5, version="v2")]
    shelf, log = streams([LOSS, INCOME, AUC, function, replace(INCOME, name="kswin", use="river:KSWIN")], spread)
    whole = Judge(shelf, detectors=(MODULE,))
    whole.run([record for stream in log for record in stream])
    for seed in range(2):
        rng = random.Random(seed)
        judge = with_crashes(rng, interleaved(rng, log), Judge(shelf, detectors=(MODULE,)))
        assert told(judge) == told(whole)
        assert judge.state == whole.state
    by_version = {w.version: {t.name: t.steps for t in w.tests} for w in windows(whole.events)}
    assert by_version["v2"][LOSS.name] == 4 * DAY / PANE, "a value a pane of its own time"
    assert by_version["v2"]["income"] == 9 * DAY / PANE, "inputs do not care who scored them"
