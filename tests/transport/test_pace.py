"""How the demand of a fetch follows the traffic: a broker in a few lines, with steady, ebbing and sudden traffic."""

from __future__ import annotations

import pytest
from driftloop.streams.transport.pace import BYTES_MOST, FETCHES_APART_SECONDS, Demand

MAX_WAIT_SECONDS = 0.1
RECORD_BYTES = 250


def answers(demand: Demand, records_per_second: float, count: int, now: float = 0.0) -> list[float]:
    """Seconds between ``count`` answers of a broker that gets a record at a time, evenly."""
    found = []
    for _ in range(count):
        records = -(-demand.min_bytes // RECORD_BYTES)
        wait = records / records_per_second
        empty = wait > MAX_WAIT_SECONDS and records_per_second * MAX_WAIT_SECONDS < 1
        now += min(wait, MAX_WAIT_SECONDS)
        found.append(min(wait, MAX_WAIT_SECONDS))
        demand.answered(now, empty)
    return found


@pytest.mark.parametrize("records_per_second", [100, 500, 5_000, 50_000])
def test_answers_come_as_far_apart_as_wanted(records_per_second: int) -> None:
    waits = answers(Demand(), records_per_second, 200)[40:]
    assert sum(waits) / len(waits) == pytest.approx(FETCHES_APART_SECONDS, rel=0.25)
    assert max(waits) <= 2 * FETCHES_APART_SECONDS


def test_slow_traffic_is_not_held_up() -> None:
    demand = Demand()
    answers(demand, 5, 20)
    assert demand.min_bytes == 1


def test_traffic_that_ebbs_away_waits_once_or_twice() -> None:
    demand = Demand()
    answers(demand, 5_000, 100)
    assert demand.min_bytes > 10_000
    waits = answers(demand, 5, 20, now=1_000.0)
    assert waits.count(MAX_WAIT_SECONDS) == 20  # five a second: the broker finds nothing in .1 s
    assert demand.min_bytes == 1


def test_a_backlog_asks_for_no_more_than_there_can_be() -> None:
    demand = Demand()
    for i in range(1000):
        demand.answered(i * 0.001)
    assert demand.min_bytes == BYTES_MOST
