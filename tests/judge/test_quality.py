"""Data quality: each rule beside its limit, what is usual, one incident's life, and how seldom it is wrong."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from driftloop.schemas.codec import encode
from driftloop.schemas.events import DriftDetected, IncidentChanged, WindowMeasured
from driftloop.schemas.monitor.quality import LEARNED, FeatureRules, QualityRules
from driftloop.schemas.monitor.specification import Feature
from driftloop.streams.judge.quality.limits import Limits
from driftloop.streams.judge.quality.quality import Facts, check
from driftloop.streams.judge.quality.quality_history import History, Past, Usual
from driftloop.streams.judge.quality.quality_watch import Judged, QualityWatch
from driftloop.streams.judge.sums import Layout, total

from benchmarks.quality import play
from benchmarks.ranges import QUIET, Stream

from .scenes import DAY, HOUR, REFERENCE_ROWS, SPEC, START, Judge, Shelf, baselines_of, judged, make_rows, panes_of
from .scenes import streams_of as streams

SIXTEEN = tuple(float(i) for i in range(15))
WATCHED = replace(
    SPEC,
    features=(
        Feature("amount", "f_amount", "numeric", edges=SIXTEEN),
        Feature("grade", "f_grade", "categorical", categories=("A", "B")),
        Feature("text", "f_text", "embedding", edges=(1.0,), width=4),
    ),
)
REFERENCE = {"amount": (625,) * 16 + (0,), "grade": (6_000, 3_900, 0, 100), "text": (5_000, 5_000, 0)}
NOTHING = Usual(None, 0.0, math.inf, 0.0, 0.0)
USUAL = Usual(1_000.0, 400.0, 2_500.0, 0.0, 0.001)


def facts(**changes: object) -> Facts:
    even = {
        "amount": np.array([62] * 16 + [8]),
        "grade": np.array([600, 390, 0, 10]),
        "text": np.array([500, 500, 0]),
    }
    known = Facts(1_000, even, np.array([500, 500, 0]), {"text": 0}, (0, 900), (2, 1_900), 0.0)
    features = {name: np.array(changes.pop(name)) for name in list(changes) if name in even}
    return known._replace(features=even | features, **changes)


def broken(rules: QualityRules | None = None, usual: Usual = USUAL, **changes: object) -> list[tuple[str, str]]:
    found = check(Limits(replace(WATCHED, quality=rules), REFERENCE), usual, facts(**changes))
    return [(b.rule, b.feature) for b in found]


MISSING = QualityRules(features=(FeatureRules("amount", missing=0.3),))
RANGE = QualityRules(features=(FeatureRules("amount", low=1.0, high=13.5),))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"amount": [61] * 16 + [24]}, []),  # 2.4 % missing, of which four standard errors may be chance
        ({"amount": [57] * 16 + [88]}, [("missing", "amount")]),
        ({"amount": [0] * 16 + [1_000]}, [("schema", "amount")]),
        ({"amount": [0] * 16 + [20]}, []),  # twenty rows say nothing
        ({"amount": [0] * 15 + [1_000, 0]}, []),  # all in the last bin, and no range was learned
        ({"grade": [560, 360, 70, 10]}, [("unseen", "grade")]),
        ({"grade": [600, 378, 12, 10]}, []),
        ({"grade": [600, 360, 0, 40]}, []),  # 1 % was usual
        ({"text": [400, 400, 200], "broken": {"text": 200}}, [("missing", "text"), ("type", "text")]),
        ({"decisions": np.array([450, 450, 100])}, [("type", "decision")]),
        ({"labels": (100, 900)}, [("type", "label")]),
        ({"labels": (9, 20)}, []),
        ({"duplicates": (120, 2_000)}, [("duplicates", "")]),
        ({"predictions": 200}, [("volume", "")]),
        ({"predictions": 0}, []),  # an outage is UNKNOWN
        ({"predictions": 390}, []),
        ({"predictions": 2_510}, []),
        ({"predictions": 4_000}, [("volume", "")]),
        ({"silent_seconds": 9 * HOUR}, []),  # two panes of six hours may be silent
        ({"silent_seconds": 18 * HOUR}, [("freshness", "")]),
    ],
)
def test_each_learned_rule_beside_its_limit(changes: dict[str, object], expected: list[tuple[str, str]]) -> None:
    assert broken(**changes) == expected


@pytest.mark.parametrize(
    ("rules", "changes", "expected"),
    [
        (MISSING, {"amount": [40] * 16 + [360]}, [("missing", "amount")]),
        (MISSING, {"amount": [41] * 16 + [344]}, []),  # not for sure above .3
        (MISSING, {"amount": [35] * 16 + [440]}, [("missing", "amount")]),
        (QualityRules(missing=0.5), {"amount": [50] * 16 + [200]}, []),
        (QualityRules(unseen=0.2), {"grade": [560, 360, 70, 10]}, []),
        (QualityRules(off=("volume",)), {"predictions": 0}, []),
        (QualityRules(off=("schema",)), {"amount": [0] * 16 + [1_000]}, [("missing", "amount")]),
        (QualityRules(volume_least=100.0, volume_most=900.0), {}, [("volume", "")]),
        (QualityRules(volume_least=100.0), {"predictions": 0}, [("volume", "")]),
        (QualityRules(volume_least=100.0, volume_most=9_000.0), {"predictions": 4_000}, []),
        (QualityRules(freshness_seconds=HOUR), {"silent_seconds": 2 * HOUR}, [("freshness", "")]),
        (QualityRules(duplicates=0.2), {"duplicates": (120, 2_000)}, []),
        (QualityRules(type=0.2), {"decisions": np.array([450, 450, 100])}, []),
    ],
)
def test_a_limit_of_the_monitors_own_replaces_the_learned_one(
    rules: QualityRules, changes: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert broken(rules, **changes) == expected


def test_a_declared_range_counts_exactly_what_lies_outside() -> None:
    """Bins between 1 and 13.5 are inside; a limit of .005 is broken by 1 %, not by nothing."""
    spec = replace(WATCHED, quality=RANGE)
    spec = replace(spec, features=(replace(spec.features[0], edges=None), *spec.features[1:]))
    spec = spec.with_bins({"amount": SIXTEEN}, {})
    edges = spec.features[0].edges
    assert edges is not None and math.nextafter(13.5, math.inf) in edges and 1.0 in edges
    values = np.concatenate([np.linspace(1.0, 13.5, 990), [-5.0] * 4, [13.6] * 6])
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 2)
    reference = REFERENCE | {"amount": tuple(np.bincount(np.arange(17), minlength=18).tolist())}
    found = check(Limits(spec, reference), USUAL, facts(amount=counts))
    assert found == (), "1 % of 1,000 rows: not for sure above .5 %"
    found = check(Limits(spec, reference), USUAL, facts(amount=counts * 10))
    assert [(b.rule, b.feature, b.value) for b in found] == [("out_of_range", "amount", pytest.approx(0.01))]


LEARNED_RANGE = replace(WATCHED.features[0], edges=(-20.0, *SIXTEEN, math.nextafter(40.0, 99.0)), range=(-20.0, 40.0))


def beyond(low: int, high: int, rows: int = 2_000, before: int = 0, rules: QualityRules | None = None) -> list[str]:
    """What ``low`` and ``high`` values of ``rows`` on either side break, of a reference with ``before`` in 10,000."""
    spec = replace(WATCHED, features=(LEARNED_RANGE,), quality=rules)
    reference = {"amount": (before, *([(10_000 - before) // 16] * 16), 0, 100)}
    counts = np.array([low, *([(rows - low - high) // 16] * 16), high, 50])
    return [
        f"{b.rule} {b.value:.3f} of {b.limit:.4f}"
        for b in check(Limits(spec, reference), USUAL, facts(amount=counts))
    ]


def test_the_learned_range_takes_a_share_beyond_it_and_no_new_maximum() -> None:
    """A reference of 10,000 values, none beyond: up to 16 / 10,016 may be chance, and .002 is the floor."""
    assert beyond(0, 0) == beyond(1, 1) == beyond(0, 8) == []
    assert beyond(20, 20) == ["out_of_range 0.020 of 0.0036"]
    assert beyond(0, 0, before=100) == beyond(20, 0, before=100) == [], "1 % was usual"
    assert beyond(100, 0, before=100) == ["out_of_range 0.050 of 0.0297"]
    assert beyond(20, 20, rules=QualityRules(out_of_range=0.05)) == [], "a limit of one's own"
    assert beyond(20, 20, rules=QualityRules(off=("out_of_range",))) == []
    declared = QualityRules(features=(FeatureRules("amount", low=-20.0, high=40.0),))
    assert beyond(20, 20, before=100, rules=declared) == ["out_of_range 0.020 of 0.0050"], "whatever was usual"


@pytest.mark.parametrize("name", ["t3", "amounts, days that differ", "degrees C"])
def test_heavy_tails_and_seasons_are_no_errors_and_wrong_units_are(name: str) -> None:
    """The short form of benchmarks/ranges.py: 60 days in winter are the reference, then half a year."""
    stream = Stream(QUIET[name], 77, 6_000, 180)
    assert [day for day in range(60, 240, 4) if stream.breaks(day)] == []
    assert all(stream.breaks(day, fault) for day in (60, 150) for fault in ("x 1000", "x 100", "-999 in 2 %"))


def test_without_a_reference_only_limits_of_the_monitors_own_hold() -> None:
    gone = facts(amount=[0] * 16 + [1_000])
    assert check(Limits(WATCHED, {}), NOTHING, gone) == ()
    own = replace(WATCHED, quality=QualityRules(missing=0.5))
    assert [b.rule for b in check(Limits(own, {}), NOTHING, gone)] == ["missing"]


def test_what_is_usual_knows_weekends_and_forgets_outages() -> None:
    history = History()
    for day in range(40):
        volume = 0 if day == 31 else 400 if day % 7 >= 5 else 1_000
        usual = history.usual(day * DAY, DAY)
        assert (usual.volume is None) == (day < 7)
        if day >= 7:
            assert usual.volume_least < (volume or 1_000) < usual.volume_most, day
        if day >= 28:
            assert usual.volume == (400 if day % 7 >= 5 else 1_000), "the same weekday"
        history.learn(Past(day * DAY, volume, 0.0, 0.0, odd=day == 31))
    assert len(history.past) == 40


def test_hours_are_compared_with_the_same_hour_and_minutes_with_nothing() -> None:
    hours, minutes = History(), History()
    for hour in range(8 * 24):
        hours.learn(Past(hour * HOUR, 100 * (hour % 24), 0.0, 0.0, False))
        minutes.learn(Past(hour * 300.0, 100, 0.0, 0.0, False))
    assert hours.usual(8 * DAY + 5 * HOUR, HOUR).volume == 500
    assert minutes.usual(192 * 300.0, 300.0).volume is None


def test_a_new_habit_is_adopted_once_most_of_a_week_has_it() -> None:
    history, odd_days = History(), []
    for day in range(60):
        volume = 1_000 if day < 20 else 5_000
        usual = history.usual(day * DAY, DAY)
        odd = usual.volume is not None and not usual.volume_least < volume < usual.volume_most
        odd_days += [day] if odd else []
        history.learn(Past(day * DAY, volume, 0.0, 0.0, odd))
    assert odd_days[0] == 20
    assert odd_days[-1] < 20 + 28, "after a month nobody is called any more"


def test_a_stationary_stream_breaks_no_rule() -> None:
    """The short form of benchmarks/quality.py: 5 seeds, 20 features, weekends, days that differ."""
    assert [found for seed in range(900, 905) for found in play(seed, 21)] == []


def test_a_column_that_disappears_is_one_incident_that_nobody_retrains_on() -> None:
    gone = [replace(row, region=None) for row in make_rows(2, 3, first_day=10)]
    rows = [*make_rows(1, 10), *gone, *make_rows(3, 6, first_day=13)]
    events = judged(rows, days=22)
    told = [e for e in events if isinstance(e, IncidentChanged)]
    assert [(c.change, (c.as_of - START) / DAY) for c in told] == [
        ("opened", 11.0),
        ("updated", 12.0),
        ("updated", 13.0),
        ("resolved", 15.0),
    ]
    opened = told[0]
    assert (opened.kind, len({c.incident for c in told})) == ("data_quality", 1)
    assert opened.summary.endswith("region is missing in every row")
    assert {o.topic for o in opened.offsets} == {"predictions", "ground-truth"}
    alarms = [e for e in events if isinstance(e, DriftDetected) and e.detector == "data_quality:schema"]
    assert [(a.feature, a.as_of) for a in alarms] == [("region", START + 11 * DAY)], "told once"
    for window in (e for e in events if isinstance(e, WindowMeasured)):
        inside = opened.as_of <= window.as_of < told[-1].as_of
        assert window.quality_incidents == ((opened.incident,) if inside else ())
        assert window.open_incidents == ()
        day = (window.window_start - START) / DAY
        rules = [(b.rule, b.feature) for b in window.quality]
        assert rules == ([("schema", "region")] if 10 <= day < 13 and window.predictions else []), "in each revision"
        if inside and window.predictions and day >= 10:
            assert (window.status, window.status_reason) == ("DRIFT", "a data quality incident is open")


def test_n_of_m_windows_must_break_a_rule_and_quiet_must_hold_as_long_as_the_monitor_says() -> None:
    """confirm = "2 of 3", hold = 3. A column is gone on day 5 alone, and on days 10, 12 and 13."""
    without = (5, 10, 12, 13)
    rows = [replace(r, region=None) if int((r.time - START) / DAY) in without else r for r in make_rows(1, 20)]
    shelf = Shelf(baselines_of(REFERENCE_ROWS))
    asked = replace(SPEC, quality=QualityRules(confirm=(2, 3)), hold=3)
    shelf.by_hash = {SPEC.spec: asked, asked.spec: asked}
    judge, restarted = Judge(shelf), Judge(shelf)
    for part in streams(panes_of(rows), 3, START + 23 * DAY):
        judge.run(part)
        for at in range(0, len(part), 30):
            restarted.run(part[at : at + 30])
            restarted.crash()
    assert [encode(e) for e in restarted.events] == [encode(e) for e in judge.events], "what waits is in the state"

    alarms = [e for e in judge.events if isinstance(e, DriftDetected) and e.detector == "data_quality:schema"]
    assert [((a.window_start - START) / DAY, a.paging) for a in alarms] == [(5, False), (10, False), (12, True)]
    told = [e for e in judge.events if isinstance(e, IncidentChanged)]
    assert [(c.change, (c.as_of - START) / DAY) for c in told] == [("opened", 13), ("updated", 14), ("resolved", 17)]
    first = {p: min(r.offset for r in rows if r.partition == p and r.time >= START + 10 * DAY) for p in range(3)}
    assert {o.partition: o.first for o in told[0].offsets if o.topic == "predictions"} == first, "of day 10"
    assert told[-1].summary == "data quality is back to normal: 3 windows broke no rule"
    waits = ("WARNING", "data quality: schema of region, which calls when 2 of 3 windows break it")
    for window in (e for e in judge.events if isinstance(e, WindowMeasured)):
        day = (window.window_start - START) / DAY
        if day in (5, 10) and window.as_of < told[0].opened_at:
            assert (window.status, window.status_reason) == waits
        if day in (12, 13) and told[0].as_of <= window.as_of < told[-1].as_of:
            assert window.status == "DRIFT"


def test_an_incident_survives_restarts_and_one_of_performance_stands_beside_it() -> None:
    rows = [*make_rows(1, 10), *make_rows(2, 8, first_day=10, flip=0.6)]
    rows = [replace(r, region=None) if r.time >= START + 11 * DAY else r for r in rows]
    whole, broken_ = Judge(Shelf(baselines_of(REFERENCE_ROWS))), Judge(Shelf(baselines_of(REFERENCE_ROWS)))
    parts = streams(panes_of(rows), 3, START + 20 * DAY)
    whole.run(*parts)
    for part in parts:
        for at in range(0, len(part), 30):
            broken_.absorb(part[at : at + 30])
            broken_.checkpoint()
            broken_.crash()
    assert [encode(e) for e in broken_.events] == [encode(e) for e in whole.events]
    opened = {e.kind: e for e in whole.events if isinstance(e, IncidentChanged) and e.change == "opened"}
    assert set(opened) == {"performance", "data_quality"}
    assert opened["performance"].incident != opened["data_quality"].incident
    both = [e for e in whole.events if isinstance(e, WindowMeasured) and e.open_incidents and e.quality_incidents]
    assert both
    evidence = [e for e in whole.events if isinstance(e, IncidentChanged) and e.kind == "performance"][-1].evidence
    assert any(e.detector == "data_quality:schema" for e in evidence), "the broken pipeline explains the loss"


def test_most_traffic_lost_is_an_incident_once_a_week_is_known_none_at_all_is_an_outage() -> None:
    few = make_rows(2, 2, first_day=9, per_day=10)
    rows = [*make_rows(1, 9, per_day=200), *few, *make_rows(3, 5, first_day=12, per_day=200)]
    events = judged(rows, days=19)
    told = [e for e in events if isinstance(e, IncidentChanged)]
    assert [(c.change, (c.as_of - START) / DAY) for c in told] == [("opened", 10), ("updated", 11), ("resolved", 13)]
    assert "volume 10 predictions (limit 80, usually 200)" in told[0].summary
    empty = next(e for e in events if isinstance(e, WindowMeasured) and e.window_start == START + 11 * DAY)
    assert (empty.status, empty.status_reason) == ("UNKNOWN", "no data")


def test_labels_and_repeats_are_counted_from_window_to_window() -> None:
    watch, layout = QualityWatch(), Layout(SPEC)
    totals = {"labelled": 5_000, "unlabelled": 400, "duplicates": 300}

    def close(day: int) -> list[tuple[str, str]]:
        sums = replace(total(layout, ()), predictions=1_000)
        panes = ((START + day * DAY + 18 * HOUR, 1_000),)
        window = Judged("v1", START + day * DAY, sums, panes, dict(totals))
        found, _ = watch.close(SPEC, layout, None, window)
        return [(b.rule, b.feature) for b in found]

    assert close(0) == [], "what was before the first window belongs to none"
    totals |= {"labelled": 5_900, "unlabelled": 400, "duplicates": 302}
    assert close(1) == []
    totals |= {"labelled": 6_700, "unlabelled": 500, "duplicates": 700}
    assert close(2) == [("type", "label"), ("duplicates", "")]
    totals |= {"labelled": 100, "unlabelled": 0, "duplicates": 0}
    assert close(3) == [], "a source was set back"
    totals |= {"labelled": 1_000, "unlabelled": 90}
    assert QualityWatch.from_bytes(watch.to_bytes()) == watch
    assert close(4) == [("type", "label")]


def test_rules_that_nobody_has_set_are_learned() -> None:
    assert LEARNED.limit("missing", "amount") is None
    assert MISSING.limit("missing", "amount") == 0.3
    assert QualityRules(missing=0.1, features=MISSING.features).limit("missing", "grade") == 0.1
