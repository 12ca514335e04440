"""How the demand of a fetch follows the traffic: a broker in a few lines, with steady, ebbing and sudden traffic."""

from __future__ import annotations

from itertools import pairwise

import pytest
from driftloop.streams.transport.fetching.pace import (
    BYTES_MOST,
    DENSE_SECONDS,
    FETCHES_APART_SECONDS,
    WAIT_MS_MOST,
    Demand,
)

IDLE_WAIT_SECONDS = 0.1
RECORD_BYTES = 250


def answers(demand: Demand, records_per_second: float, start: float, seconds: float) -> list[float]:
    """When a broker answers that gets a record at a time, evenly, and has nothing left after an answer."""
    now, found = start, []
    while now < start + seconds:
        longest = IDLE_WAIT_SECONDS if demand.min_bytes == 1 else WAIT_MS_MOST / 1000
        wait = min(longest, -(-demand.min_bytes // RECORD_BYTES) / records_per_second)
        now += wait
        demand.answered(now, empty=wait * records_per_second < 1)
        found.append(now)
    return found


@pytest.mark.parametrize("records_per_second", [100, 500, 5_000, 25_000])
def test_answers_to_dense_traffic_come_as_far_apart_as_wanted(records_per_second: int) -> None:
    demand = Demand()
    answers(demand, records_per_second, 0.0, 2.0)
    waits = [later - earlier for earlier, later in pairwise(answers(demand, records_per_second, 2.0, 2.0))]
    assert sum(waits) / len(waits) == pytest.approx(FETCHES_APART_SECONDS, rel=0.25)
    assert max(waits) <= WAIT_MS_MOST / 1000 + 1e-9


def test_a_burst_is_never_asked_to_wait() -> None:
    demand = Demand()
    for burst in range(5):
        answers(demand, 50_000, float(burst), 0.9 * DENSE_SECONDS)
        assert demand.min_bytes == 1


def test_slow_traffic_is_not_held_up() -> None:
    demand = Demand()
    answers(demand, 5, 0.0, 10.0)
    assert demand.min_bytes == 1


def test_traffic_that_ebbs_away_waits_once() -> None:
    demand = Demand()
    answers(demand, 5_000, 0.0, 2.0)
    assert demand.min_bytes > 10_000
    first, *_ = answers(demand, 5, 2.0, 1.0)
    assert first - 2.0 == pytest.approx(WAIT_MS_MOST / 1000)
    assert demand.min_bytes == 1


def test_a_backlog_asks_for_no_more_than_there_can_be() -> None:
    demand = Demand()
    found = answers(demand, 100_000, 0.0, 2.0)
    assert found[-1] - found[-2] == pytest.approx(BYTES_MOST / RECORD_BYTES / 100_000, rel=0.01)
    for i in range(1000):
        demand.answered(i * 0.001)
    assert demand.min_bytes == BYTES_MOST
