"""A monitor with a season: its cycle is no drift, a shift is; too short a past is UNKNOWN; cuts are nothing."""

from __future__ import annotations

import bisect
import json
import random
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from driftloop.console.reference import describe
from driftloop.console.reference_season import learn_season, windows_of
from driftloop.detectors import seasonal
from driftloop.schemas.baseline.reference import Baselines
from driftloop.schemas.events import DriftDetected, WindowMeasured
from driftloop.schemas.monitor.season import Season
from driftloop.streams.judge.inputs import season
from driftloop.streams.judge.inputs.features import settings_of

from .scenes import DAY, HOUR, START, Judge, Shelf
from .seasonal_scenes import HOURLY, SEASONAL, WEEK, Hour, hours, judge_of, reference, rows_of, stream_of


def alarms(judge: Judge) -> list[DriftDetected]:
    return [e for e in judge.events if isinstance(e, DriftDetected)]


def windows(judge: Judge, closing: str = "features") -> list[WindowMeasured]:
    return [e for e in judge.events if isinstance(e, WindowMeasured) and e.closing == closing]


def test_two_weeks_of_a_strong_cycle_are_quiet_with_the_season_and_one_alarms_without() -> None:
    weeks = hours(0, 2 * WEEK)
    with_season, without = judge_of(SEASONAL), judge_of(HOURLY)
    with_season.run(stream_of(SEASONAL, weeks))
    without.run(stream_of(HOURLY, weeks[:WEEK]))
    assert alarms(with_season) == []
    assert Counter(w.status for w in windows(with_season)) == {"OK": 2 * WEEK}
    assert [a.detector for a in alarms(without)][:1] == ["window_csr"]


def test_half_an_sd_is_told_within_a_day_by_name_and_stands_until_it_is_the_new_normal() -> None:
    judge = judge_of(SEASONAL)
    judge.run(stream_of(SEASONAL, hours(0, WEEK)), stream_of(SEASONAL, hours(WEEK, 70, shift=0.5)))
    found = alarms(judge)
    first = found[0]
    assert 0 < first.as_of - (START + WEEK * HOUR) <= 24 * HOUR
    assert (first.feature, first.detector, first.unit, first.paging) == ("income", "seasonal", "sd", True)
    assert first.effect == pytest.approx(0.5, abs=0.3)
    assert first.statistic >= first.threshold >= settings_of(SEASONAL).threshold * 0.1
    apart = np.diff([a.as_of for a in found])
    assert (apart >= 24 * HOUR).all(), "an alarm every hour would be another noise"

    told = {w.window_start: w for w in windows(judge)}
    at = told[first.window_start]
    assert at.status == "DRIFT"
    assert at.status_reason.startswith("drift of income (drift: mean of income +0.")
    assert at.tests[-1].name == "seasonal"
    assert at.tests[-1].alarmed
    evidence = {f.feature: f.log_evidence for f in at.features}
    assert evidence["income"] > np.log(at.tests[-1].threshold) > evidence["region"]
    drifting = [w.window_start for w in told.values() if w.status == "DRIFT"]
    assert np.diff(drifting).tolist() == [HOUR] * (len(drifting) - 1), "one stretch, no gaps between its alarms"
    assert len(drifting) == 60, "two and a half days: then it is the new normal"
    assert told[START + (WEEK + 69) * HOUR].status == "OK"


def test_a_new_normal_of_weekdays_is_no_drift_at_the_weekend() -> None:
    """The week of this stream has a shape: what half an sd does to the spread of income is another thing then."""
    judge = judge_of(SEASONAL)
    judge.run(stream_of(SEASONAL, hours(0, WEEK)), stream_of(SEASONAL, hours(WEEK, 13 * 24, shift=0.5)))
    drifting = [(w.window_start - START) / HOUR - WEEK for w in windows(judge) if w.status == "DRIFT"]
    assert drifting == [drifting[0] + hour for hour in range(60)], "one stretch, on the Wednesday it began"
    assert 0 <= drifting[0] < 24


def test_the_shift_that_would_not_be_seen_is_a_number_of_the_window_and_holds() -> None:
    def alarms_within_a_day(shift: float) -> int:
        judge = judge_of(SEASONAL)
        judge.run(stream_of(SEASONAL, hours(0, 48)), stream_of(SEASONAL, hours(48, 24, shift=shift)))
        return len(alarms(judge))

    judge = judge_of(SEASONAL)
    judge.run(stream_of(SEASONAL, hours(0, 48)))
    told = [w.blind_below for w in windows(judge)]
    assert all(value is not None and 0.05 < value < 0.3 for value in told), "half an sd was found within a day"
    assert told[-1] is not None
    assert alarms_within_a_day(told[-1] * 1.5) > 0
    assert alarms_within_a_day(told[-1] * 0.5) == 0
    for blind in (judge_of(HOURLY), judge_of(SEASONAL, weeks=1)):
        blind.run(stream_of(SEASONAL if blind.shelf.by_hash.get(SEASONAL.spec) else HOURLY, hours(0, 3)))
        assert {w.blind_below for w in windows(blind)} == {None}, "no season, or none known"


def test_a_week_of_reference_is_unknown_and_says_so_everywhere() -> None:
    baselines = reference(SEASONAL, 1)
    assert baselines.season is not None
    assert baselines.season.reason == "the reference covers 7 days; a weekly season needs 14"
    said = list(describe(SEASONAL, SEASONAL, baselines))
    assert any("its season is UNKNOWN, features are not watched: the reference covers 7 days" in s for s in said)
    judge = judge_of(SEASONAL, weeks=1)
    judge.run(stream_of(SEASONAL, hours(0, 48, shift=2.0)))
    assert alarms(judge) == []
    assert {(w.status, w.status_reason) for w in windows(judge)} == {
        ("UNKNOWN", f"{baselines.season.reason}; {baselines.season.hint}")
    }
    assert {w.tests for w in windows(judge)} == {()}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"season": None}, "the reference was built before the monitor had a season"),
        ({"season.zone": "UTC"}, "another zone, calendar, window, offset or by"),
        ({"season.window_seconds": 7_200.0}, "another zone, calendar, window, offset or by"),
        ({"season.calendar": "shop:slot"}, "another zone, calendar, window, offset or by"),
        ({"season.by": "hour of day"}, "another zone, calendar, window, offset or by"),
        ({"season.fitted": "!"}, "the season of the reference cannot be used"),
        ({"season.fitted": "eJwDAAAAAAE="}, "the season of the reference cannot be used: a detector's state"),
    ],
)
def test_a_reference_that_does_not_fit_the_season_is_unknown_with_the_way_out(
    changed: dict[str, object], said: str
) -> None:
    known = reference(SEASONAL, 3)
    parts = {name.removeprefix("season."): value for name, value in changed.items() if "." in name}
    assert known.season is not None
    unfit = replace(known, season=replace(known.season, **parts) if parts else None)
    judge = Judge(Shelf(unfit, SEASONAL))
    judge.run(stream_of(SEASONAL, hours(0, 3, shift=2.0)))
    reasons = {w.status_reason for w in windows(judge)}
    assert len(reasons) == 1
    assert said in (reason := reasons.pop())
    assert reason.endswith("; driftloop reference build")


def test_what_is_said_to_make_no_difference_makes_none() -> None:
    """The cycle is .7 sd by hour and .7 on weekends: told half of it, half of it stays in what is expected."""
    for by, day, week in (("hour of week", 1, 1), ("hour of day", 1, 0), ("day of week", 0, 1)):
        told = replace(SEASONAL, season=Season("Europe/Berlin", by=by))  # type: ignore[arg-type]
        monitor = season.monitor_of(told, reference(told, 3).season)
        assert not isinstance(monitor, season.Unknown)
        shape = monitor.baseline.shape  # of the first channel, the mean of income
        assert shape.day[0, 0] == pytest.approx(day, abs=0.1)
        assert shape.week[5:, 0, 0] == pytest.approx([week, week], abs=0.25)
    assert '"by"' not in SEASONAL.to_json() + reference(SEASONAL, 3).to_json()
    again = replace(SEASONAL, season=Season("Europe/Berlin", by="day of week"))
    assert type(SEASONAL).from_json(again.to_json()) == again
    assert Baselines.from_json(reference(again, 3).to_json()) == reference(again, 3)


def test_a_calendar_of_the_users_says_which_days_are_alike_and_only_the_build_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every third day is a sale, .8 sd up: no weekday, but with the weekends a kind of day of the user's own."""
    code = """
def slot(event_time):
    hours = int(event_time // 3600)
    days = hours // 24
    return hours % 24, int(days % 3 == 0) + 2 * int((days + 3) % 7 >= 5)
"""
    (tmp_path / "shop_days.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))

    def sale(hour: Hour) -> Hour:
        return hour._replace(income=hour.income + 0.8 * (hour.start // DAY % 3 == 0))

    past, live = ([sale(h) for h in hours(first, n)] for first, n in ((-3 * WEEK, 3 * WEEK), (0, WEEK)))
    opened = dict[str, tuple[int, seasonal.Baseline]]()
    for calendar in ("", "shop_days:slot"):
        told = replace(SEASONAL, season=Season("UTC", calendar=calendar))
        known = learn_season(told, rows_of(past), ["shop_days"])
        assert known is not None
        assert (known.calendar, len(known.slots) < 4_000) == (calendar, True)
        with monkeypatch.context() as elsewhere:
            elsewhere.setitem(sys.modules, "shop_days", None)
            monitor = season.monitor_of(told, known)
        assert not isinstance(monitor, season.Unknown)
        state = seasonal.start(monitor)
        changes = []
        for pane in windows_of(told, rows_of(live), known.score_bins):
            state, judgement = seasonal.step(monitor, state, pane)
            changes.append(judgement.change)
        opened[calendar] = changes.count("opened"), monitor.baseline
    incidents, baseline = opened["shop_days:slot"]
    assert (incidents, baseline.shape.week[1, 0, 0] > 0.7) == (0, True)
    assert 4 * baseline.wander.a[0, 0] < opened[""][1].wander.a[0, 0], "without it a sale is noise, and hides shifts"


def test_scores_have_a_season_too_and_are_watched_while_the_references_version_serves() -> None:
    judge = judge_of(SEASONAL)
    judge.run(stream_of(SEASONAL, hours(0, WEEK)))
    assert alarms(judge) == [], "their cycle is no drift"
    judge.run(stream_of(SEASONAL, hours(WEEK, 24, rise=0.5)))
    first = alarms(judge)[0]
    assert (first.feature, first.unit, first.paging) == ("prediction score", "sd", True)
    assert first.effect == pytest.approx(0.45, abs=0.3), "half of log-odds, of which the cycle is a part of the sd"

    successor = judge_of(SEASONAL)
    successor.run(stream_of(SEASONAL, hours(0, WEEK)), stream_of(SEASONAL, hours(WEEK, 24, rise=0.5), "v2"))
    assert alarms(successor) == [], "another model's scores are right to be others"
    reasons = Counter(w.status_reason for w in windows(successor) if w.version == "v2")
    assert reasons == {"scores are not watched: their season is that of v1, and v2 serves": 24}
    successor.run(stream_of(SEASONAL, hours(WEEK + 24, 24)))
    assert windows(successor)[-1].status_reason == "", "rolled back, they are watched again"
    successor.run(stream_of(SEASONAL, hours(WEEK + 48, 24, shift=0.5), "v2"))
    assert {a.feature for a in alarms(successor)} == {"income"}, "features are, whoever serves"


def test_scores_of_several_versions_have_no_season_and_an_older_reference_has_none_of_them() -> None:
    rows = rows_of(hours(-3 * WEEK, 3 * WEEK))
    mixed = replace(rows, version=np.where(np.arange(len(rows.version)) % 2, "v1", "v2").astype(object))
    known = learn_season(SEASONAL, mixed)
    assert known is not None
    assert (known.score_bins, known.version, known.reason) == (0, "", "")
    told = list(describe(SEASONAL, SEASONAL, replace(reference(SEASONAL, 3), season=known)))
    assert any(line.endswith("and not scores, which are of several versions") for line in told)
    older = replace(reference(SEASONAL, 3), season=known)
    assert '"score_bins"' not in older.to_json(), "its name has not changed"
    judge = Judge(Shelf(older, SEASONAL))
    judge.run(stream_of(SEASONAL, hours(0, 48)), stream_of(SEASONAL, hours(48, 24, rise=1.0), "v2"))
    assert (alarms(judge), {w.status_reason for w in windows(judge)}) == ([], {""})


def test_holidays_may_be_added_to_a_reference_that_stands() -> None:
    later = replace(SEASONAL, season=Season("Europe/Berlin", ("2026-12-25",)))
    assert later.bins_hash == SEASONAL.bins_hash
    assert not isinstance(season.monitor_of(later, reference(SEASONAL, 3).season), season.Unknown)


def test_cut_anywhere_it_goes_on_with_the_same_bytes() -> None:
    records = stream_of(SEASONAL, [*hours(0, 30), *hours(30, 40, shift=0.5)])
    whole, cut, rng = judge_of(SEASONAL), judge_of(SEASONAL), random.Random(5)
    whole.run(records)
    at = 0
    while at < len(records):
        size = rng.choice((1, 2, 3, 20))
        cut.absorb(records[at : at + size])
        cut.checkpoint()
        cut.crash()
        at += size
    assert alarms(whole), "an incident is open across cuts"
    assert [(o.topic, o.value) for o in cut.outputs] == [(o.topic, o.value) for o in whole.outputs]
    assert cut.state == whole.state


def test_a_window_writes_the_records_of_its_hour_and_a_state_in_one_record_is_still_read() -> None:
    judge = judge_of(SEASONAL)
    judge.run(stream_of(SEASONAL, hours(0, 26)))
    parts = {key: value for key, value in judge.state.items() if key.startswith(b'["features"')}
    assert len(parts) == 1 + 24 + 7 * 24, "now, each hour of the day, each hour of the week"
    judge.absorb(stream_of(SEASONAL, hours(26, 1)))
    changes = judge.fold.collect().state
    written = [key for key in changes if key.startswith(b'["features"')]
    assert len(written) <= 3
    assert sum(len(changes[key] or b"") for key in written) < 0.2 * sum(map(len, parts.values()))

    whole, older = judge_of(SEASONAL), judge_of(SEASONAL)
    whole.run(stream_of(SEASONAL, hours(0, 26)))
    state = seasonal.from_records({json.loads(key)[2]: value for key, value in parts.items()})
    older.state = {key: value for key, value in whole.state.items() if key not in parts}
    older.state[b'["features","loans"]'] = seasonal.to_bytes(state)
    older.crash()
    for one in (whole, older):
        one.run(stream_of(SEASONAL, hours(26, 30, shift=0.4)))
    assert alarms(older)
    assert older.events == whole.events[-len(older.events) :]
    assert older.state == whole.state, "and written anew in parts"


def test_another_reference_starts_it_anew_and_a_state_nobody_can_read_too() -> None:
    judge = judge_of(SEASONAL)
    judge.run(stream_of(SEASONAL, hours(0, 10)))
    assert windows(judge)[-1].tests[-1].steps == 10
    judge.shelf.known = replace(reference(SEASONAL, 3), rows=1)
    judge.run(stream_of(SEASONAL, hours(10, 2)))
    assert windows(judge)[-1].tests[-1].steps == 2
    name = next(key for key in judge.state if key.startswith(b'["features"'))
    judge.state[name] = b"\xff" + judge.state[name][1:]
    judge.crash()
    judge.run(stream_of(SEASONAL, hours(12, 3)))
    assert windows(judge)[-1].tests[-1].steps == 3


def test_a_reference_counts_its_rows_by_window_as_panes_do_and_carries_the_season_through_json() -> None:
    told = hours(0, 5, rows=40)
    late = replace(SEASONAL, window_seconds=2 * HOUR, offset_seconds=HOUR)
    found = windows_of(late, rows_of(told))
    assert [pane.start for pane in found] == [START + h * HOUR for h in (-1, 1, 3)]
    for pane in found:
        inside = [one for one in told if pane.start <= one.start < pane.start + 2 * HOUR]
        expected = [0] * (7 + 4)
        for one in inside:
            for income, region in zip(one.income, one.region, strict=True):
                expected[bisect.bisect_right(late.features[0].edges or (), income)] += 1
                expected[7 + {0: 1, 1: 0, 3: 3}[int(region)]] += 1
        assert pane.counts.tolist() == expected

    minutes = replace(SEASONAL, pane_seconds=60.0, window_seconds=600.0)
    by_hour = [pane.counts.tolist() for pane in windows_of(SEASONAL, rows_of(told))]
    assert [pane.counts.tolist() for pane in windows_of(minutes, rows_of(told))] == by_hour

    known = reference(SEASONAL, 3)
    assert Baselines.from_json(known.to_json()) == known
    assert known.reference != replace(known, season=None).reference
    assert '"season"' not in replace(known, season=None).to_json()
    assert known.season is not None
    assert len(known.season.fitted) < 40_000
