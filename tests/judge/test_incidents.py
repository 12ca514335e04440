"""A model goes bad and comes back: alarms, one incident, its evidence, and who is champion meanwhile."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import pytest
from driftloop.schemas.events import DriftDetected, IncidentChanged, WindowMeasured
from driftloop.streams.judge.incidents import incidents
from driftloop.streams.judge.incidents.incidents import CALM, OPEN, TRANSITIONS, Incident

from .scenes import DAY, MODEL, REFERENCE_ROWS, SPEC, START, Shelf, baselines_of, judged, make_rows


def changes(events: list) -> list[IncidentChanged]:
    return [e for e in events if isinstance(e, IncidentChanged)]


def day_of(event: object) -> float:
    return (event.as_of - START) / DAY


def test_a_quiet_model_has_no_incident_and_all_its_windows_are_ok() -> None:
    events = judged(make_rows(1, 60), days=63)
    assert [e for e in events if not isinstance(e, WindowMeasured)] == []
    assert {w.status for w in events if w.predictions} == {"OK"}


def test_a_model_that_goes_bad_has_one_incident_from_opening_to_recovery() -> None:
    rows = [
        *make_rows(1, 20),
        *make_rows(2, 6, first_day=20, flip=0.5),
        *make_rows(3, 14, first_day=26),
    ]
    events = judged(rows, days=40)
    told = changes(events)
    assert [c.change for c in told].count("opened") == 1
    assert [c.change for c in told].count("resolved") == 1
    assert (told[0].change, told[-1].change) == ("opened", "resolved")
    assert len({c.incident for c in told}) == 1
    # Labels of a pane are complete two days behind it, so the earliest possible day is 22.25.
    assert 22.25 <= day_of(told[0]) <= 24
    assert 30 <= day_of(told[-1]) <= 35
    opened = told[0]
    assert opened.version == "v1"
    assert opened.kind == "performance"
    assert opened.evidence[0].detector == "e_detector"
    assert opened.evidence[0].effect > 0.2
    assert opened.evidence[0].window_start >= START + 19.5 * DAY, "the change is dated about right"
    assert opened.summary.startswith("log loss of v1 is ")
    assert {o.topic for o in opened.offsets} == {"predictions", "ground-truth"}

    windows = [e for e in events if isinstance(e, WindowMeasured)]
    for window in windows:
        inside = told[0].as_of <= window.as_of < told[-1].as_of
        assert window.open_incidents == ((opened.incident,) if inside else ())
        assert (window.status == "DRIFT") == inside


def test_an_open_incident_is_told_at_most_once_a_window() -> None:
    rows = [*make_rows(1, 10), *make_rows(2, 15, first_day=10, flip=0.6)]
    told = changes(judged(rows, days=27))
    assert len(told) > 3
    for before, after in pairwise(told):
        assert after.change == "updated"
        assert after.as_of - before.as_of >= SPEC.window_seconds


def test_an_alarm_below_the_floor_is_recorded_and_pages_nobody() -> None:
    shelf = Shelf(baselines_of(REFERENCE_ROWS))
    shelf.by_hash = {SPEC.spec: replace(SPEC, effect_error=5.0)}
    rows = [*make_rows(1, 10), *make_rows(2, 6, first_day=10, flip=0.6)]
    events = judged(rows, days=18, shelf=shelf)
    alarms = [e for e in events if isinstance(e, DriftDetected)]
    assert alarms
    assert not any(a.paging for a in alarms)
    assert changes(events) == []
    window = next(e for e in events if isinstance(e, WindowMeasured) and e.as_of >= alarms[0].as_of)
    assert (window.status, window.status_reason) == ("WARNING", "drift of log_loss, below the effect floor")
    assert next(t for t in window.tests if t.name == "e_detector").alarmed


def test_a_new_champion_resolves_the_incident_and_its_test_starts_afresh() -> None:
    rows = [
        *make_rows(1, 10),
        *make_rows(2, 6, first_day=10, flip=0.5),
        *make_rows(3, 10, first_day=16, version="v2"),
    ]
    events = judged(rows, days=28)
    told = changes(events)
    assert told[-1].change == "resolved"
    assert day_of(told[-1]) == 16.25, "at the end of the first pane that v2 has served"
    assert "v2" in told[-1].summary
    assert told[-1].version == "v1"
    of_v2 = [e for e in events if isinstance(e, WindowMeasured) and e.version == "v2" and e.tests]
    first = next(t for t in of_v2[0].tests if t.name == "e_detector")
    assert (first.statistic, first.steps) == (0.0, 0)
    assert next(t for t in of_v2[-1].tests if t.name == "e_detector").steps > 20
    late_v1 = [
        e for e in events if isinstance(e, WindowMeasured) and e.version == "v1" and e.as_of > START + 17 * DAY
    ]
    assert late_v1, "the old champion's windows are still measured to their end"
    assert all(w.tests == () for w in late_v1)


def test_without_labels_in_the_reference_there_is_no_loss_test() -> None:
    shelf = Shelf(baselines_of(REFERENCE_ROWS, loss_mean=None, loss_upper=None))
    events = judged(make_rows(1, 8, flip=0.7), days=11, shelf=shelf)
    assert changes(events) == []
    assert {t.name for e in events if isinstance(e, WindowMeasured) for t in e.tests} == {"window_csr"}


def test_a_shifted_feature_is_an_alarm_but_no_performance_incident() -> None:
    rows = [*make_rows(1, 60), *make_rows(2, 12, first_day=60, income_shift=0.6)]
    events = judged(rows, days=74)
    alarms = [e for e in events if isinstance(e, DriftDetected) and e.detector == "window_csr"]
    assert [a.feature for a in alarms][:1] == ["income"]
    assert alarms[0].paging
    assert alarms[0].unit == "sd"
    assert alarms[0].effect == pytest.approx(0.6, abs=0.25)
    assert 60 < day_of(alarms[0]) <= 72
    at = [e for e in events if isinstance(e, WindowMeasured) and e.as_of == alarms[0].as_of]
    told = next(w for w in at if w.closing == "features")
    assert (told.status, told.status_reason) == ("DRIFT", "drift of income")
    income = next(f for f in told.features if f.feature == "income")
    assert income.log_evidence > next(f for f in told.features if f.feature == "region").log_evidence


# -- the table itself


def alarm(detector: str = "e_detector", feature: str = "log_loss", **changes: object) -> DriftDetected:
    known = DriftDetected(
        MODEL, "v1", SPEC.spec, 10.0, 0.0, 10.0, detector, feature, 900.0, 800.0, 0.3, "nats", paging=True
    )
    return replace(known, **changes)


def test_the_table_knows_every_pair_and_an_unknown_one_changes_nothing() -> None:
    happenings = (incidents.ALARM, incidents.SLIGHT, incidents.QUIET, incidents.REPLACED)
    assert set(TRANSITIONS) == set(product((CALM, OPEN), happenings))
    incident = Incident()
    with pytest.raises(KeyError):
        incidents.happen(incident, "boredom")
    assert incident == Incident()


def test_a_slight_alarm_opens_nothing() -> None:
    incident, change = incidents.alarm(Incident(), alarm(paging=False), (), DAY)
    assert (incident.state, change) == (CALM, "")


def test_a_slight_alarm_keeps_an_open_incident_open_without_a_word() -> None:
    opened, _ = incidents.alarm(Incident(), alarm(), (), DAY)
    after, change = incidents.alarm(opened, alarm(paging=False, as_of=5 * DAY), (), DAY)
    assert (after.state, change, after.alarm_at) == (OPEN, "", 5 * DAY)


def test_quiet_needs_time_rows_and_a_low_loss() -> None:
    opened, change = incidents.alarm(Incident(), alarm(as_of=0.0), (), DAY)
    assert change == "opened"
    back = incidents.matured(opened, rows=100, loss=50.0)
    watched = replace(SPEC, window_seconds=DAY, minimum_rows=100)
    assert incidents.is_quiet(back, watched, 2 * DAY, 0.51)
    assert not incidents.is_quiet(back, watched, 2 * DAY - 1, 0.51)
    assert not incidents.is_quiet(back, replace(watched, minimum_rows=101), 2 * DAY, 0.51)
    assert not incidents.is_quiet(back, watched, 2 * DAY, 0.5)
    assert not incidents.is_quiet(back, replace(watched, hold=3), 2 * DAY, 0.51)
    assert incidents.is_quiet(back, replace(watched, hold=3), 3 * DAY, 0.51)
    assert not incidents.is_quiet(Incident(), watched, 2 * DAY, 1.0)
    assert incidents.close(back, incidents.QUIET) == (Incident(), "resolved")


def test_evidence_is_ranked_loss_first_then_by_strength_and_never_twice() -> None:
    weak, strong = alarm("window_csr", "income", statistic=900.0), alarm("window_csr", "region", statistic=9e9)
    newer = replace(weak, as_of=11.0)
    assert incidents.ranked((weak, strong, alarm(), newer)) == (alarm(), strong, newer)
    many = tuple(alarm("window_csr", f"f{i}") for i in range(40))
    assert len(incidents.ranked(many)) == incidents.EVIDENCE_MOST
