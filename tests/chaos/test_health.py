"""Whose fault it is that a run fails: numbers are ours; what took too long may be a broker's that went by itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from .health import MISSED_MOST, SETTLING_SECONDS, Health
from .run import Plan, Report, never_begun, totals

WHOLE = never_begun(Plan(1), "")


@dataclass
class Brokers:
    """What Health asks of a cluster: two brokers, started at 0."""

    touched: list[float] = field(default_factory=lambda: [0.0, 0.0])
    away: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)

    def struck(self, number: int) -> bool:
        return number in self.away

    def alive(self, number: int) -> bool:
        return number not in self.ended


def looked(brokers: Any, *registered: set[int], since: float = SETTLING_SECONDS + 1) -> list[str]:
    answers = list(registered)
    health = Health(brokers, lambda: answers.pop(0))
    health.begun = 0.0
    for i in range(len(registered)):
        health.look(since + i)
    return health.found


def test_a_broker_that_goes_by_itself_is_said_once() -> None:
    there, gone = {0, 1}, {0}
    assert looked(Brokers(), there, *[gone] * (MISSED_MOST + 5)) == [
        f"{SETTLING_SECONDS + 1 + MISSED_MOST:.0f} s: broker 1, which nobody struck, is not registered"
    ]
    assert "has ended" in looked(Brokers(ended={1}), *[gone] * MISSED_MOST)[0]


@pytest.mark.parametrize(
    ("brokers", "answers", "since"),
    [
        (Brokers(away={1}), [{0}] * 20, 100.0),
        (Brokers(touched=[0.0, 90.0]), [{0}] * 20, 100.0),
        (Brokers(), [{0}, {0}, {0, 1}] * 10, 100.0),
    ],
    ids=["it was struck", "it was started a moment ago", "an admin client that was not answered at once"],
)
def test_what_the_run_does_itself_is_no_failure(brokers: Brokers, answers: list[set[int]], since: float) -> None:
    assert looked(brokers, *answers, since=since) == []


def report(**changes: Any) -> Report:
    return replace(WHOLE, **({"problems": [], "cluster": []} | changes))


def test_wrong_numbers_are_ours_whatever_the_cluster_does() -> None:
    slow, gone = ["not drained within 120 s"], ["9 s: broker 1, which nobody struck, has ended"]
    assert report().verdict == report(cluster=gone).verdict == "passed"
    assert report(problems=slow).verdict == "failed"
    assert report(problems=slow, cluster=gone).verdict == "cluster failed"
    assert report(lost=1, cluster=gone).verdict == "failed"
    told = totals([report(), report(problems=slow, cluster=gone), report(wrong=2)])
    assert (told["runs"], told["failed"], told["cluster_failed"], told["wrong"]) == (3, 1, 1, 2)


def test_a_run_without_a_cluster_is_reported_and_the_next_one_begins() -> None:
    found = never_begun(Plan(21, 3), "brokers {1, 2, 3} are not all there after 120 s")
    assert (found.verdict, found.seed, found.brokers, found.cluster[0][:7]) == ("cluster failed", 21, 3, "brokers")
