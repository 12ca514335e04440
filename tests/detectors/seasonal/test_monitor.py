"""The seasonal monitor as a whole: quiet weeks stay quiet, a shift is found and named, and nothing depends on how."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from driftloop.detectors.seasonal import (
    Baseline,
    Judgement,
    Monitor,
    Pane,
    Settings,
    State,
    Unknown,
    baseline_from_bytes,
    baseline_to_bytes,
    core,
    fit,
    from_bytes,
    from_records,
    local,
    start,
    step,
    to_bytes,
    to_records,
)
from driftloop.detectors.seasonal.baseline import side_by_side
from driftloop.detectors.seasonal.plan import Clock

from .streams import HOUR, MONDAY, layout, panes

WEEK = 168
REFERENCE = 3 * WEEK


@cache
def learned(wander: float = 0.0, rows: float = 500.0) -> Monitor:
    settings = Settings(layout())
    found = fit(settings, list(panes(REFERENCE, wander=wander, rows=rows)))
    assert isinstance(found, Baseline)
    return Monitor(settings, found)


def run(monitor: Monitor, stream: list[Pane], state: State | None = None) -> tuple[State, list[Judgement]]:
    state, told = state or start(monitor), []
    for pane in stream:
        state, judgement = step(monitor, state, pane)
        told.append(judgement)
    return state, told


def changes(told: list[Judgement]) -> list[str]:
    return [judgement.change for judgement in told if judgement.change]


def test_quiet_weeks_stay_quiet_and_a_fifth_of_an_sd_is_found_within_a_day_and_named() -> None:
    monitor = learned()
    state, told = run(monitor, list(panes(3 * WEEK, first=REFERENCE)))
    assert changes(told) == []
    drifting = list(panes(24, first=REFERENCE + 3 * WEEK, shift=0.2, shifted=2))
    _, told = run(monitor, drifting, state)
    hours = [judgement.change for judgement in told].index("opened")
    assert hours < 24
    found = told[hours]
    assert found.alarmed
    assert int(np.argmax(found.parts)) == 2
    assert found.shifts[2].feature == "n2"
    assert found.shifts[2].channel == "mean"
    assert found.shifts[2].size == pytest.approx(0.2, abs=0.1), "not watered down by the quiet hours before"
    assert found.said.startswith("drift: mean of n2 +0.")


def test_a_lasting_shift_is_one_incident_then_the_new_normal() -> None:
    """Opened, updated, and after 60 hours taken over: four more weeks of the shifted stream are quiet."""
    monitor = learned()
    _, told = run(monitor, list(panes(5 * WEEK, first=REFERENCE, shift=0.5)))
    told_changes = changes(told)
    assert told_changes[0] == "opened"
    assert told_changes.count("reanchored") >= 1
    last = [i for i, judgement in enumerate(told) if judgement.change == "reanchored"][-1]
    assert last < WEEK, "taken over within a week"
    assert [c for c in changes(told[last + 1 :]) if c == "opened"] == []


def test_missing_values_and_an_unseen_category_are_found() -> None:
    monitor, state = learned(), start(learned())
    quiet = list(panes(24, first=REFERENCE))
    state, _ = run(monitor, quiet, state)
    gone, unseen = [], []
    for pane in panes(24, first=REFERENCE + 24):
        counts = pane.counts.copy()
        moved = counts[:16] // 20
        counts[:16] -= moved
        counts[16] += moved.sum()
        gone.append(replace_counts(pane, counts))
        counts = pane.counts.copy()
        moved = counts[-5:-2] // 20
        counts[-5:-2] -= moved
        counts[-2] += moved.sum()
        unseen.append(replace_counts(pane, counts))
    for stream, feature, channel in ((gone, 0, "missing"), (unseen, 5, "share of other")):
        _, told = run(monitor, stream, state)
        opened = next(judgement for judgement in told if judgement.change == "opened")
        assert int(np.argmax(opened.parts)) == feature
        assert opened.shifts[feature].channel == channel
        assert opened.shifts[feature].unit == "h"


def replace_counts(pane: Pane, counts: np.ndarray) -> Pane:
    return Pane(pane.start, counts)


@pytest.mark.parametrize("every", [1, 17])
def test_a_state_cut_anywhere_goes_on_bit_for_bit(every: int) -> None:
    """Through bytes and back, the baseline too, across an incident and its end."""
    monitor = learned()
    stream = [*panes(30, first=REFERENCE), *panes(70, first=REFERENCE + 30, shift=0.6)]
    whole, told = run(monitor, stream)
    again = Monitor(monitor.watched, baseline_from_bytes(baseline_to_bytes(monitor.baseline)))
    state, cut = start(again), []
    for i, pane in enumerate(stream):
        if i % every == 0:
            state = from_bytes(to_bytes(state))
        state, judgement = step(again, state, pane)
        cut.append(judgement)
    assert cut == told
    assert to_bytes(state) == to_bytes(whole)
    assert "reanchored" in changes(told)


def test_a_period_changes_three_records_of_the_state_and_they_are_all_of_it() -> None:
    monitor = learned()
    first, second = panes(2, first=REFERENCE)
    before, _ = step(monitor, start(monitor), first)
    after, _ = step(monitor, before, second)
    old, new = to_records(before), to_records(after)
    assert {name for name in new if new[name] != old[name]} == {"now", "day/01", "week/001"}
    assert to_bytes(from_records(new)) == to_bytes(after)
    assert sum(map(len, new.values())) > 10 * len(new["now"])


def test_a_step_leaves_the_state_before_it_as_it_was() -> None:
    monitor = learned()
    stream = list(panes(10, first=REFERENCE))
    state, _ = run(monitor, stream[:5])
    before = to_bytes(state)
    run(monitor, stream[5:], state)
    assert to_bytes(state) == before


def test_five_minute_panes_are_the_hours_they_add_up_to_bit_for_bit() -> None:
    monitor = learned()
    short = Monitor(replace(monitor.watched, pane_seconds=300.0), monitor.baseline)
    hours, rng = list(panes(30, first=REFERENCE, shift=0.3)), np.random.default_rng(9)
    pieces = []
    for pane in hours:
        parts = rng.multinomial(1, [1 / 12] * 12, size=0)
        left = pane.counts.copy()
        for k in range(12):
            part = left if k == 11 else rng.binomial(left, 1 / (12 - k))
            left = left - part
            pieces.append(Pane(pane.start + 300.0 * k, part))
        assert parts.size == 0
    state, told = run(short, pieces)
    whole, expected = run(monitor, hours)
    assert told[11::12] == expected
    assert to_bytes(state) == to_bytes(whole)


def test_the_reference_of_short_panes_is_that_of_the_hours() -> None:
    """Halves of hours, shuffled: the same baseline."""
    settings, stream = Settings(layout(2, 1)), list(panes(2 * WEEK, numeric=2, categorical=1))
    halves = []
    for pane in stream:
        half = pane.counts // 2
        halves += [Pane(pane.start + HOUR / 2, half), Pane(pane.start, pane.counts - half)]
    np.random.default_rng(1).shuffle(halves)
    found = fit(replace(settings, pane_seconds=1800.0), halves)
    expected = fit(settings, stream)
    assert isinstance(found, Baseline)
    assert isinstance(expected, Baseline)
    assert baseline_to_bytes(found) == baseline_to_bytes(expected)


def test_panes_that_are_missing_and_panes_without_rows_are_the_same() -> None:
    """So are hours that never come: only time passes."""
    monitor = learned(wander=0.2)
    stream = list(panes(60, first=REFERENCE, wander=0.2))
    without = [pane for i, pane in enumerate(stream) if i % 7 and not 20 < i < 40]
    empty = [p if i % 7 and not 20 < i < 40 else Pane(p.start, 0 * p.counts) for i, p in enumerate(stream)]
    one, _ = run(monitor, without)
    other, told = run(monitor, empty)
    assert to_bytes(one) == to_bytes(other)
    assert [judgement.change for judgement in told if not judgement.change] == [""] * len(told)


def test_a_pane_that_comes_after_its_period_was_judged_is_counted_and_changes_nothing() -> None:
    monitor = learned()
    stream = list(panes(5, first=REFERENCE))
    state, told = run(monitor, stream)
    after, judgement = step(monitor, state, stream[2])
    assert after.late == state.late + 1
    assert to_bytes(after._replace(late=state.late)) == to_bytes(state)
    assert judgement.statistic == told[-1].statistic
    assert judgement.change == ""


def test_the_order_of_features_changes_names_and_nothing_else() -> None:
    monitor = learned()
    order = [3, 1, 0, 2]
    histograms = layout()
    swapped = Settings(tuple(histograms[i] for i in order) + histograms[4:])

    def turned(pane: Pane) -> Pane:
        parts = np.split(pane.counts, [17, 34, 51, 68])
        return Pane(pane.start, np.concatenate([*(parts[i] for i in order), parts[4]]))

    baseline = fit(swapped, [turned(pane) for pane in panes(REFERENCE)])
    assert isinstance(baseline, Baseline)
    stream = list(panes(30, first=REFERENCE, shift=0.1))
    _, expected = run(monitor, stream)
    _, told = run(Monitor(swapped, baseline), [turned(pane) for pane in stream])
    for a, b in zip(told, expected, strict=True):
        assert a.statistic == pytest.approx(b.statistic, rel=1e-9)
        assert a.parts[:4] == pytest.approx([b.parts[i] for i in order], rel=1e-9, abs=1e-9)
        assert a.change == b.change


def test_monitors_side_by_side_are_each_what_they_are_alone() -> None:
    one, other = learned(), learned(wander=0.2)
    both = side_by_side([one.baseline, other.baseline])
    live, alone = core.begin(one.plan, both), start(one)
    mixed = [*panes(20, first=REFERENCE), *panes(70, first=REFERENCE + 20, shift=0.6)]
    for pane, beside in zip(mixed, panes(90, first=REFERENCE, wander=0.2, seed=5), strict=True):
        period = one.plan.clock.period(pane.start)
        live, outcome = core.advance(one.plan, both, live, period, np.array([pane.counts, beside.counts], float))
        alone, judgement = step(one, alone, pane)
        assert float(outcome.evidence[0]) == judgement.statistic
        assert float(outcome.threshold[0]) == judgement.threshold


def test_more_rows_let_smaller_shifts_be_seen_a_stream_that_wanders_hides_them_whatever_its_rows() -> None:
    few, many, restless = (
        run(learned(wander, rows), list(panes(1, first=REFERENCE, wander=wander, rows=rows)))[1][0].blind_below
        for wander, rows in ((0.0, 500.0), (0.0, 5000.0), (0.3, 5000.0))
    )
    assert 0.02 < many < 0.6 * few < 0.1
    assert restless > 2 * few


def test_a_stream_that_moves_too_much_for_its_budget_says_which_shifts_it_hides() -> None:
    monitor = learned(wander=0.2)
    state = start(monitor)
    restless = state.live.keeper._replace(c=np.array([4.5]))
    state, told = run(
        monitor,
        list(panes(2, first=REFERENCE, wander=0.2)),
        state._replace(live=state.live._replace(keeper=restless)),
    )
    assert "moves too much by itself for your budget" in told[-1].said
    assert f"shifts under {told[-1].blind_below:.2f} sd will not be seen" in told[-1].said
    assert told[-1].blind_below > 0.4


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        ([], "no rows"),
        (list(panes(150)), "covers 6 days; a weekly season needs 14"),
        (list(panes(2 * WEEK))[::3], "only 112 have rows"),
        (list(panes(2 * WEEK, rows=0.5)), "a day of the reference has"),
    ],
)
def test_too_little_history_is_unknown_with_the_reason_and_the_way_out(stream: list[Pane], reason: str) -> None:
    found = fit(Settings(layout()), stream)
    assert isinstance(found, Unknown)
    assert reason in found.reason
    assert found.hint


def test_so_few_rows_an_hour_are_judged_by_longer_periods() -> None:
    """Six rows an hour: by four hours, the shortest period with twenty."""
    found = fit(Settings(layout()), list(panes(5 * WEEK, rows=6)))
    assert isinstance(found, Baseline)
    assert found.hours == 4


def test_days_are_judged_by_the_weekday() -> None:
    """Daily panes of six weeks whose Sundays differ by .5 sd: no alarm, and a shift of .3 sd is found in a week."""
    settings = replace(Settings(layout(2, 1)), pane_seconds=86_400.0)

    def days(first: int, n: int, shift: float = 0.0) -> list[Pane]:
        found = []
        for day in range(first, first + n):
            sunday = 0.5 * (day % 7 == 6)
            hours = panes(24, first=24 * day, numeric=2, categorical=1, shift=shift + sunday, rows=40)
            all_of_it = list(hours)
            found.append(Pane(all_of_it[0].start, np.sum([p.counts for p in all_of_it], axis=0)))
        return found

    baseline = fit(settings, days(0, 42))
    assert isinstance(baseline, Baseline)
    assert baseline.hours == 24
    monitor = Monitor(settings, baseline)
    state, told = run(monitor, days(42, 21))
    assert changes(told) == []
    _, told = run(monitor, days(63, 7, shift=0.3), state)
    assert "opened" in changes(told)


def test_local_hours_keep_a_season_through_the_change_of_clocks() -> None:
    """The same panes, seen by a stream that lives in Berlin: quiet through a March by its own clock."""
    berlin = local("Europe/Berlin")
    march = 1_709_510_400.0 - 2 * WEEK * HOUR

    def living(first: int, hours: int) -> list[Pane]:
        by_hour = {p.start: p for p in panes(24 * 40, seed=3)}
        found = []
        for i in range(first, first + hours):
            at = march + i * HOUR
            turned = list(by_hour)[(i // 24) * 24 % (24 * 39) + berlin(at).hour]
            found.append(Pane(at, by_hour[turned].counts))
        return found

    settings = Settings(layout())
    for calendar, quiet in ((berlin, True), (settings.calendar, False)):
        watched = replace(settings, calendar=calendar)
        baseline = fit(watched, living(0, 2 * WEEK))
        assert isinstance(baseline, Baseline)
        _, told = run(Monitor(watched, baseline), living(2 * WEEK, 5 * WEEK))
        assert ("opened" not in changes(told)) == quiet


def test_counts_of_another_layout_are_refused() -> None:
    monitor = learned()
    with pytest.raises(ValueError, match="78 counts of at least 0 are needed"):
        step(monitor, start(monitor), Pane(0.0, np.zeros(5, np.int64)))


def test_a_feature_without_values_a_constant_one_and_an_empty_category_blind_nobody() -> None:
    """Values where there were none, another constant, a shift beside them: each is found; quiet is quiet."""

    def odd(stream: list[Pane], empty: bool = True, constant: int = 3) -> list[Pane]:
        found = []
        for pane in stream:
            counts = pane.counts.copy()
            n = counts[:17].sum()
            if empty:
                counts[:17] = [0] * 16 + [n]
            counts[17:34] = 0
            counts[17 + constant] = n
            found.append(Pane(pane.start, counts))
        return found

    settings = Settings(layout())
    baseline = fit(settings, odd(list(panes(2 * WEEK))))
    assert isinstance(baseline, Baseline)
    monitor = Monitor(settings, baseline)
    state, told = run(monitor, odd(list(panes(WEEK, first=2 * WEEK))))
    assert changes(told) == []
    after = 3 * WEEK
    for stream, feature in (
        (odd(list(panes(12, first=after)), empty=False), 0),
        (odd(list(panes(12, first=after)), constant=4), 1),
        (odd(list(panes(12, first=after, shift=0.4, shifted=2))), 2),
    ):
        _, told = run(monitor, stream, state)
        assert changes(told)[0] == "opened"
        opened = next(judgement for judgement in told if judgement.change)
        assert int(np.argmax(opened.parts)) == feature
        assert all(np.isfinite(shift.size) for shift in opened.shifts)


def test_days_that_begin_at_five_are_days_of_the_calendar_that_holds_their_start() -> None:
    """Panes of a day from 05:00 UTC, in New York: midnight; the holiday is the one of its date."""
    clock = Clock(24, 604_800.0, 5 * HOUR)
    new_york = local("America/New_York", frozenset({"2024-01-03"}))
    periods = [clock.period(MONDAY + 5 * HOUR + 86_400.0 * day) for day in range(4)]
    assert [clock.slot(new_york, period).weekday for period in periods] == [0, 1, 6, 3]
    assert [clock.start_of(period) for period in periods] == [MONDAY + 5 * HOUR + 86_400.0 * day for day in range(4)]


@pytest.mark.parametrize("wander", [0.0, 0.2])
def test_the_least_shift_it_names_is_the_border_of_what_it_finds_within_a_day(wander: float) -> None:
    """Eight streams: half as much is found in at most two of them, half as much again in at least six."""
    monitor = learned(wander)
    found = {0.5: 0, 1.5: 0}
    named = run(monitor, list(panes(1, first=REFERENCE, wander=wander)))[1][0].blind_below
    for seed in range(2, 10):
        for times in found:
            stream = panes(36, first=REFERENCE, wander=wander, seed=seed, shift=times * named, shift_from=12)
            _, told = run(monitor, list(stream))
            found[times] += "opened" in changes(told[12:])
    assert found[0.5] <= 2
    assert found[1.5] >= 6
