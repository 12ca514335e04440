"""After an outage: two backlogs read in step by event time, and the store holds what it holds live."""

from __future__ import annotations

import math
import random

import pytest
from driftloop.streams.observer.step import BACKLOG_RECORDS, SHARE_OF_HORIZON, source_ahead
from driftloop.streams.observer.time import Clock
from hypothesis import given
from hypothesis import strategies as st

from .world import CLICKS, HOUR, LOANS, START, Observed, Predicted, Transport, World

NEVER = -math.inf
BACKLOG = BACKLOG_RECORDS
CLOCK = Clock.of(LOANS)
BOUND = 600.0
"""The disorder of loans; a hundredth of its horizon is less."""


@pytest.mark.parametrize(
    ("greatest", "lags", "waits"),
    [
        ((BOUND + 1, 0.0), (BACKLOG, BACKLOG), 0),
        ((0.0, BOUND + 1), (BACKLOG, BACKLOG), 1),
        ((BOUND, 0.0), (BACKLOG, BACKLOG), None),  # not more than the bound
        ((1e9, 0.0), (BACKLOG, BACKLOG - 1), None),  # live: the other will be there at once
        ((1e9, 0.0), (BACKLOG, 0), None),  # the other has nothing left
        ((0.0, NEVER), (0, BACKLOG), 0),  # nothing read of the other yet, and there is much
        ((0.0, NEVER), (0, 0), None),  # the other is empty
        ((NEVER, NEVER), (BACKLOG, BACKLOG), None),
    ],
)
def test_who_waits(greatest: tuple[float, float], lags: tuple[int, int], waits: int | None) -> None:
    assert source_ahead(greatest, lags, [CLOCK]) == waits


def test_a_long_horizon_allows_a_hundredth_of_it_and_the_shortest_counts() -> None:
    month = CLOCK._replace(delay_edges=(30 * 24 * HOUR,))
    bound = SHARE_OF_HORIZON * 30 * 24 * HOUR
    assert source_ahead((bound + 1, 0.0), (BACKLOG, BACKLOG), [month]) == 0
    assert source_ahead((bound - 1, 0.0), (BACKLOG, BACKLOG), [month]) is None
    assert source_ahead((bound - 1, 0.0), (BACKLOG, BACKLOG), [month, Clock.of(CLICKS)]) == 0
    assert source_ahead((bound + 1, 0.0), (BACKLOG, BACKLOG), []) is None


times = st.one_of(st.just(NEVER), st.floats(-1e10, 1e10))


@given(times, times, st.integers(0, 10_000), st.integers(0, 10_000))
def test_nobody_waits_for_a_source_without_records_and_never_both(a: float, b: float, of_a: int, of_b: int) -> None:
    waits = source_ahead((a, b), (of_a, of_b), [CLOCK])
    if waits is not None:
        assert (of_a, of_b)[1 - waits] > 0
        assert source_ahead((b, a), (of_b, of_a), [CLOCK]) == 1 - waits


DELAY = 3 * HOUR
PAIRS = 2_500
FETCH_RECORDS = 100


def outage() -> World:
    """A prediction a minute, each truth three hours later; between them nothing was read for almost two days."""
    world = World()
    for i in range(PAIRS):
        time = START + 60.0 * i
        world.predictions.append(Predicted(f"p{i}", LOANS, time, 0.5, {}, "v1", "champion", "repaid"))
        world.truths.append(Observed(f"p{i}", LOANS, time + DELAY, "repaid"))
    return world


def apart_most(seed: int, step: bool) -> float:
    """Predictions come twenty times as fast as truths. How far were the two apart, while there was a backlog?"""
    rng, transport = random.Random(seed), Transport(outage(), offsets=(0, 1))
    most = 0.0
    for source in (0, 1):
        transport.deliver(source, 0)  # after a restore a fold is told its lags
    while transport.done != [PAIRS, PAIRS]:
        ahead = transport.fold.ahead if step else None
        held = None if ahead is None else ("t.predictions.v1", "t.ground-truth.v1").index(ahead)
        ready = [s for s in (0, 1) if s != held and transport.done[s] < PAIRS]
        assert ready, "somebody may always go on"
        transport.deliver(rng.choices(ready, [20 if s == 0 else 1 for s in ready])[0], FETCH_RECORDS)
        predicted, observed = (START + 60.0 * done for done in transport.done)
        if PAIRS - transport.done[1] >= BACKLOG:
            most = max(most, predicted - (observed + DELAY if transport.done[1] else START))
    return most


@pytest.mark.parametrize("seed", range(3))
def test_catching_up_in_step_remembers_no_more_than_a_live_stream(seed: int) -> None:
    """Besides the bound and a fetch: so the store holds a horizon of predictions, as ever, and not the outage."""
    fetch_seconds = 60.0 * FETCH_RECORDS
    assert apart_most(seed, step=True) <= BOUND + fetch_seconds
    assert apart_most(seed, step=False) > 24 * HOUR
