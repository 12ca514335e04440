"""A lasting shift of a stream whose week has a shape is one incident, not one each weekend, and hides no other."""

from __future__ import annotations

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
    fit,
    from_bytes,
    from_records,
    start,
    step,
    to_bytes,
    to_records,
    weekly,
)
from driftloop.detectors.seasonal.plan import Place

from .streams import layout, panes

WEEK = 168
REFERENCE = 3 * WEEK
WEDNESDAY_NOON = REFERENCE + 60
WEEKEND = 0.7
SHIFT = 0.5
FEATURES = (2, 1)
"""Numeric, categorical: the second is the one that shifts."""


@cache
def learned() -> Monitor:
    settings = Settings(layout(*FEATURES))
    found = fit(settings, stream(0, REFERENCE, shift=0.0))
    assert isinstance(found, Baseline)
    return Monitor(settings, found)


def stream(first: int, hours: int, shift: float = SHIFT) -> list[Pane]:
    numeric, categorical = FEATURES
    return list(panes(hours, first=first, numeric=numeric, categorical=categorical, weekend=WEEKEND, shift=shift))


def run(state: State, told_of: list[Pane]) -> tuple[State, list[Judgement]]:
    told = []
    for pane in told_of:
        state, judgement = step(learned(), state, pane)
        told.append(judgement)
    return state, told


def hours_of(change: str, told: list[Judgement]) -> list[int]:
    return [hour for hour, judgement in enumerate(told) if judgement.change == change]


@cache
def settled(hours: int) -> State:
    """So long after the Wednesday on which the shift began."""
    before = run(start(learned()), stream(REFERENCE, 60, shift=0.0))[0]
    return run(before, stream(WEDNESDAY_NOON, hours))[0]


def test_a_shift_that_lasts_is_one_incident_in_eight_weeks_not_one_each_weekend() -> None:
    """By hour of the day alone it was ten: spread and skewness of a shifted weekend are not those of a weekday."""
    state, told = run(start(learned()), stream(REFERENCE, 60, shift=0.0))
    assert hours_of("opened", told) == []
    _, told = run(state, stream(WEDNESDAY_NOON, 8 * WEEK))
    opened, taken_over = hours_of("opened", told), hours_of("reanchored", told)
    assert opened == [pytest.approx(0, abs=23)]
    assert taken_over == [opened[0] + 60]


@pytest.mark.parametrize("after", [68, 92, 11 * 24, 17 * 24], ids=["saturday", "sunday", "a sunday later", "day 17"])
@pytest.mark.parametrize("then", [0.0, 2 * SHIFT], ids=["back", "further"])
def test_the_next_shift_is_found_within_a_day_whenever_it_comes(after: int, then: float) -> None:
    """On the first weekend too, of which nothing is known yet."""
    _, told = run(settled(after), stream(WEDNESDAY_NOON + after, 24, shift=then))
    opened = hours_of("opened", told)
    assert opened, "within a day"
    assert int(np.argmax(told[opened[0]].parts)) == 1, "of the feature that shifted"


def test_a_change_that_holds_on_weekdays_only_is_told_at_the_first_weekends_and_then_known() -> None:
    """Like a shift back at first; what went by itself is half expected to come again. It was one each weekend."""
    _, told = run(settled(64), [pane for week in range(6) for pane in weekdays_only(WEDNESDAY_NOON + 64, week)])
    opened = hours_of("opened", told)
    assert 1 <= len(opened) <= 3
    assert opened[0] < 24
    assert opened[-1] < 3 * WEEK


def weekdays_only(first: int, week: int) -> list[Pane]:
    """A week from a Saturday at four on."""
    first += week * WEEK
    return [*stream(first, 44, shift=0.0), *stream(first + 44, WEEK - 44)]


def test_what_was_seen_of_an_incident_is_never_expected_more_than_once() -> None:
    monday = Place(0, 0, 0)
    one = np.ones((1, 1))
    state = weekly.see(weekly.nothing(1, 1), monday, one, one > 0, 7)
    for _ in range(5):
        state = weekly.expect_again(state, one > 0, 0.01 * one)
        expected = weekly.at(state, monday)
        assert expected.offset[0, 0] < 1
        assert abs(1 - expected.offset[0, 0]) <= 2 * expected.doubt[0, 0] ** 0.5, "and never ruled out"


def test_what_is_known_of_the_week_goes_to_records_and_back_bit_for_bit() -> None:
    """Across the first weekend of the new normal, and of the channels alone that have one."""
    state = settled(60)
    through = stream(WEDNESDAY_NOON + 60, 70)
    whole, told = run(state, through)
    again, cut = from_bytes(to_bytes(state)), []
    for i, pane in enumerate(through):
        again = from_records(to_records(again)) if i % 9 else from_bytes(to_bytes(again))
        again, judgement = step(learned(), again, pane)
        cut.append(judgement)
    assert cut == told
    assert to_bytes(again) == to_bytes(whole)
    before, after = to_records(start(learned())), to_records(whole)
    assert [before["now"][0], after["now"][0]] == [1, 2]
    of_weeks = [sum(len(value) for name, value in state.items() if name[0] == "w") for state in (before, after)]
    channels = len(learned().plan.channels.feature)
    assert of_weeks[1] < of_weeks[0] + WEEK * (8 * (1 + 4) * 4 + 40), f"of four channels of {channels}, not of all"


def test_a_state_from_before_is_read_and_learns_the_weekend_from_its_next_incident() -> None:
    """An older judge took the shift over by hour of the day; its bytes are of the first version."""
    state = settled(64)
    channels = len(learned().plan.channels.feature)
    older = state._replace(live=state.live._replace(weekly=weekly.nothing(1, channels)))
    assert to_bytes(older)[0] == 1
    read = from_records(to_records(older))
    assert to_bytes(read) == to_bytes(older) == to_bytes(from_bytes(to_bytes(older)))
    _, told = run(read, stream(WEDNESDAY_NOON + 64, 5 * WEEK))
    opened = hours_of("opened", told)
    assert 1 <= len(opened) <= 2
    assert opened[-1] <= WEEK, "of the rest of this Saturday, and of the hours of it that no judge had seen so"
