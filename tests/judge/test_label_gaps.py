"""Labels that stop are an incident of data quality; those that only ever come in batches, late or never are none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driftloop.schemas.codec import encode
from driftloop.schemas.events import DriftDetected, IncidentChanged, WindowMeasured
from driftloop.schemas.monitor.quality import QualityRules
from driftloop.streams.judge.labels.label_gaps import LabelGaps, Look, Stopped, passed_over, step

from benchmarks.label_gaps import WORLDS, World, play

from .scenes import (
    DAY,
    HOUR,
    REFERENCE_ROWS,
    SPEC,
    START,
    Judge,
    Row,
    Shelf,
    baselines_of,
    judged,
    make_rows,
    panes_of,
    streams_of,
)

DAYS = 29
ROWS = make_rows(1, DAYS, per_day=24, partitions=1)


def lost(rows: list[Row], since: float, until: float) -> list[Row]:
    """No label becomes known within these days, and what was due then never is."""
    return [
        replace(row, label=None, delay=None)
        if row.delay is not None and since <= (row.time + row.delay - START) / DAY < until
        else row
        for row in rows
    ]


def incidents_of(events: list[object]) -> list[tuple[str, float]]:
    return [(e.change, (e.as_of - START) / DAY) for e in events if isinstance(e, IncidentChanged)]


def test_labels_that_stop_are_one_incident_that_ends_when_they_are_back() -> None:
    """Of 24 predictions a day about 21 have labels: by the end of the second day more than 30 are missing. On the
    first day that they are back fewer than half come, for what was due before is lost."""
    events = judged(lost(ROWS, 19, 23), days=DAYS, partitions=1)
    told = incidents_of(events)
    assert told == [("opened", 21.0), ("updated", 22.0), ("updated", 23.0), ("updated", 24.0), ("resolved", 26.0)]
    opened = next(e for e in events if isinstance(e, IncidentChanged))
    assert opened.kind == "data_quality"
    (alarm,) = [e for e in events if isinstance(e, DriftDetected) and e.detector == "data_quality:labels"]
    assert (alarm.window_start, alarm.as_of, alarm.unit, alarm.paging) == (
        START + 19 * DAY,
        opened.as_of,
        "labels",
        True,
    )
    broken = {w.window_start: w.quality for w in events if isinstance(w, WindowMeasured) and w.quality}
    assert sorted(broken) == [START + day * DAY for day in (20, 21, 22, 23)]
    (rule,) = broken[START + 20 * DAY]
    came = sum(  # a label counts at the first edge of the delays behind its own
        19 < (row_counts_at(row) - START) / DAY <= 21 for row in lost(ROWS, 19, 23) if row.delay is not None
    )
    assert (rule.rule, rule.value, rule.limit) == ("labels", came, rule.usual / 2)
    assert rule.usual == pytest.approx(2 * 24 * 0.9, rel=0.15), "two days of labels"
    assert opened.summary.endswith(
        f"since 2023-12-04T00:00:00.000Z {came} labels came, {rule.usual:.0f} were expected"
    )
    (suspect,) = opened.suspects
    assert (suspect.kind, suspect.weight) == ("label_outage", pytest.approx(1 - came / rule.usual))
    assert all(w.open_incidents == () for w in events if isinstance(w, WindowMeasured)), "nothing to retrain on"


def row_counts_at(row: Row) -> float:
    end = (row.time // (6 * HOUR) + 1) * 6 * HOUR
    assert row.delay is not None
    return end + next(edge for edge in SPEC.delay_edges_seconds if row.delay <= edge)


def test_it_can_be_switched_off_and_given_a_limit_of_its_own() -> None:
    def changes(rules: QualityRules) -> list[tuple[str, float]]:
        shelf = Shelf(baselines_of(REFERENCE_ROWS), replace(SPEC, quality=rules))
        panes = [replace(pane, spec=replace(SPEC, quality=rules).spec) for pane in panes_of(lost(ROWS, 19, 23))]
        return incidents_of(Judge(shelf).run(*streams_of(panes, 1, START + DAYS * DAY)))

    assert changes(QualityRules(off=("labels",))) == []
    assert changes(QualityRules(labels_seconds=2 * DAY))[0] == ("opened", 22.0)


def test_restarts_and_the_order_of_arrival_change_nothing_of_it() -> None:
    rows = lost(make_rows(1, 25, per_day=24, partitions=2), 19, 23)
    streams = streams_of(panes_of(rows), 2, START + 25 * DAY)
    whole, broken = Judge(), Judge()
    whole.run(*reversed(streams))
    for stream in streams:
        for at in range(0, len(stream), 150):
            broken.absorb(stream[at : at + 150])
            broken.checkpoint()
            broken.crash()
    assert [encode(e) for e in broken.events] == [encode(e) for e in whole.events]
    assert incidents_of(whole.events)[0][0] == "opened"


def test_a_state_of_before_has_seen_no_gaps_and_learns_them_anew() -> None:
    (panes,) = streams_of(panes_of(lost(ROWS, 19, 23)), 1, START + DAYS * DAY)
    judge, half = Judge(), len(panes) // 2
    judge.run(panes[:half])
    name = b'["quality","loans"]'
    assert b'"gaps"' in judge.state[name]
    judge.state[name] = judge.state[name].replace(b'"gaps"', b'"older"').replace(b'"stopped"', b'"oldest"')
    judge.crash()
    judge.run(panes[half:])
    assert incidents_of(judge.events) == [], "a fortnight of looks has not gone by"


def looks(came: list[float], due: float = 100.0, start: LabelGaps | None = None, **every: object) -> list[bool]:
    """Days with so many labels each, of which ``due`` are expected: was the gap told on that day?"""
    gaps, total, told = start or LabelGaps(), 0, []
    for day, labels in enumerate(came):
        total += int(labels)
        gaps, stopped = step(gaps, Look(day * DAY, DAY, due, total, 2 * DAY, **every))
        told.append(stopped is not None)
    return told


GOOD = [100.0] * 20
WEEKLY = ([0.0] * 6 + [700.0]) * 8


def test_a_gap_is_told_when_it_is_longer_than_a_look_and_twice_the_longest_before() -> None:
    assert looks([*GOOD, 0, 0, 0, 90]) == [False] * 20 + [False, True, True, False]
    assert looks([*GOOD, 49, 49, 49]) == [False] * 20 + [False, True, True], "of a hundred fewer than half come"
    assert not any(looks([*GOOD, 51, 51, 51]))
    known = [100.0] * 5 + [0.0] * 2 + GOOD  # a holiday of two days in the first fortnight
    assert looks([*known, *[0.0] * 7]) == [False] * len(known) + [False] * 4 + [True] * 3
    assert not any(looks(WEEKLY))
    assert looks([*WEEKLY, *[0.0] * 21])[len(WEEKLY) :] == [False] * 13 + [True] * 8


def test_what_is_not_expected_is_not_missed() -> None:
    assert not any(looks([0.0] * 60, due=0.0)), "a model that never had labels"
    assert not any(looks([*GOOD, *[0.0] * 29], due=1.0)), "of 29 labels none may be chance"
    assert looks([*([1.0] * 20), *[0.0] * 33], due=1.0)[-4:] == [False, *[True] * 3], "thirty"
    assert not any(looks([100.0] * 3 + [0.0] * 11)), "nothing is told in the first fortnight"
    assert any(looks([100.0] * 3 + [0.0] * 11, limit_seconds=2 * DAY)), (
        "but where a person has said how long it may be"
    )


def test_nights_in_which_nothing_is_due_are_no_gaps() -> None:
    gaps, total = LabelGaps(), 0
    for hour in range(30 * 24):
        is_day = 8 <= hour % 24 < 20
        total += 50 * is_day
        gaps, stopped = step(gaps, Look(hour * HOUR, HOUR, 50.0 if is_day else 0.02, total, 2 * DAY))
        assert stopped is None and gaps.longest == 0.0
    for hour in range(8, 10):
        gaps, stopped = step(gaps, Look(30 * DAY + hour * HOUR, HOUR, 50.0, total, 2 * DAY))
    assert stopped is not None and stopped.expected == 100.0, "so an outage is found in the second hour of a morning"


def test_a_source_that_has_become_slower_is_told_a_few_times_and_an_outage_of_months_blinds_nobody() -> None:
    slower = looks([*GOOD, *WEEKLY])[20:]
    first, *later = [any(slower[week : week + 7]) for week in range(0, len(slower), 7)]
    assert first and sum(later) <= 2 and not any(later[2:])
    again = looks([*GOOD, *[0.0] * 90, *GOOD, *[0.0] * 9])
    assert again[20:110] == [False, *[True] * 89]
    assert again[110:130] == [False] * 20
    assert again[130:] == [False] * 2 + [True] * 7, "at most a window and twice that of before is learned"


def test_where_our_own_observers_are_not_heard_of_nobody_else_is_blamed() -> None:
    few = [*GOOD, *[25.0] * 5]
    assert looks(few)[-1]
    assert not any(looks(few, heard=0.25)), "three partitions of four are missing, and so are their labels"
    assert looks([*GOOD, *[0.0] * 5], heard=0.25)[-4:] == [True] * 4, "what the fourth should have is missing too"


def test_a_maintenance_window_is_neither_a_gap_nor_the_end_of_one() -> None:
    gaps = LabelGaps(20 * DAY, 2_000, 0.0, 15.0, 19 * DAY, 100.0, 0)
    after = passed_over(gaps, 25 * DAY, 2_000)
    assert (after.looked_at, after.since, after.expected) == (25 * DAY, 24 * DAY, 100.0)
    _, stopped = step(after, Look(26 * DAY, DAY, 100.0, 2_000, 2 * DAY))
    assert stopped == Stopped(24 * DAY, 0, 200.0, 0.0)


@pytest.mark.parametrize("world", WORLDS[2:6], ids=lambda world: world.name)
def test_labels_in_batches_are_no_outage_and_an_outage_among_them_is_found(world: World) -> None:
    """The short form of benchmarks/label_gaps.py."""
    quiet = replace_traffic(world)
    assert play(quiet, seed=1, days=200, window_seconds=DAY) == []
    since, length = 150.3, max(10.0, 3 * world.gap_days)
    ((first, last),) = play(quiet, 2, int(since + length + 40), DAY, (since, since + length))
    assert since < first < since + 2 * world.gap_days + 4
    assert last < since + length + world.gap_days + 1


def replace_traffic(world: World) -> World:
    return world._replace(per_day=240)
