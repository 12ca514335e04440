"""Two short runs of what `make chaos` does at length, and what the runs rely on: their draw of faults and records."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from ..observer.oracle import JoinOracle
from ..observer.pane_oracle import PaneOracle
from ..observer.world import CLICKS, LOANS, make_world
from .faults import SINGLE, Fault, draw, resumed
from .oracle import Content, EmissionId, JoinById, LongPaneOracle, expected_emissions, expected_letters
from .reading import Advance
from .run import Plan, Report, run
from .verdict import Verdict, compare_emissions
from .world import Produced, murmur2
from .world import make_world as make_long_world

on_a_broker = [pytest.mark.kafka, pytest.mark.xdist_group("chaos")]


def run_until_the_cluster_holds(plan: Plan, folder: Path) -> Report:
    """A run in which a broker that nobody struck was away shows the machine, beside its numbers: then once more."""
    for attempt in range(3):
        report = run(plan, folder / str(attempt))
        assert (report.lost, report.doubled, report.wrong) == (0, 0, 0), "\n".join(report.problems)
        if report.verdict != "cluster failed":
            break
    return report


def expect_exact(report: Report, exits: set[str]) -> None:
    told = "\n".join(report.problems + report.unexpected_exits)
    assert (report.lost, report.doubled, report.wrong) == (0, 0, 0), told
    assert report.passed, told
    assert report.outputs > 500
    assert exits <= set(report.exits.values())


class TestOnABroker:
    pytestmark = on_a_broker

    def test_kill_freeze_and_a_broker_restart_change_no_number(self, tmp_path: Path) -> None:
        kinds = ("kill", "freeze", "broker")
        plan = Plan(7, partitions=4, records_a_second=800, faults=3, kinds=kinds, spacing=(1.0, 3.0), tail_seconds=7)
        report = run_until_the_cluster_holds(plan, tmp_path)
        expect_exact(report, {"SIGKILL"})
        assert {fault["kind"] for fault in report.faults} == set(kinds)
        assert None not in report.seconds_to_resume, "every partition moved on"
        assert report.redelivered >= 0

    def test_a_lost_leader_changes_no_number(self, tmp_path: Path) -> None:
        plan = Plan(3, 3, 4, records_a_second=600, faults=1, kinds=("leader",), spacing=(1.0, 2.0), tail_seconds=6)
        report = run_until_the_cluster_holds(plan, tmp_path)
        expect_exact(report, {"STOPPED"})
        assert None not in report.seconds_to_resume


def test_a_world_holds_every_case_and_is_the_same_for_its_seed() -> None:
    world = make_long_world(5, 12_000, 4)
    assert world.steps == make_long_world(5, 12_000, 4).steps
    last: dict[tuple[str, int], dict[str, int]] = {}
    kinds: Counter[tuple[str, bool]] = Counter()
    for name, content in expected_emissions(world.worlds).items():
        kinds[name[4], name[8] > 0] += 1
        if name[4] == "counters":
            last[name[0], name[6]] = content.counts
    assert min(kinds["features", True], kinds["labels", True]) >= 20, "corrections"
    seen: Counter[str] = Counter()
    for counts in last.values():
        seen.update(counts)
    names = {"duplicates", "amendments", "too_late", "orphans", "never_labelled", "labelled_challenger", "unlabelled"}
    assert min(seen[name] for name in names) >= 5, seen
    letters = expected_letters(world.worlds)
    assert len({(source, reason) for source, _, _, reason in letters}) >= 8


@pytest.mark.parametrize("seed", range(6))
def test_asking_the_oracle_id_by_id_changes_no_answer(seed: int) -> None:
    world = make_world(seed)
    for spec in (LOANS, CLICKS):
        whole, by_id = PaneOracle(world, spec), LongPaneOracle(world, spec)
        assert isinstance(whole.join, JoinOracle) and isinstance(by_id.join, JoinById)
        assert by_id.emissions() == whole.emissions()
        assert by_id.counters() == whole.counters()


def test_keys_find_the_partitions_that_kafka_gives_them() -> None:
    """From the test of Kafka's Java client (UtilsTest.testMurmur2), without the sign bit."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}
    assert {key: murmur2(key) for key in known} == {key: value & 0x7FFFFFFF for key, value in known.items()}


def test_every_kind_of_fault_is_drawn_and_the_seed_decides() -> None:
    drawn = draw(random.Random(3), SINGLE, 6, (2.0, 5.0))
    assert drawn == draw(random.Random(3), SINGLE, 6, (2.0, 5.0))
    assert {fault.kind for fault in drawn} == set(SINGLE)
    gaps = [b.at - a.at for a, b in pairwise(drawn)]
    assert min(gaps) >= 2.0 and max(gaps) <= 5.0


def test_a_partition_has_resumed_once_it_moves_in_other_hands() -> None:
    kill = Fault(0.0, "kill", 1.0, "w0", struck=100.0, over=101.0, partitions=[0, 1])
    late = Advance(100.1, 0, (5, 5), "w0")
    assert resumed(kill, [late]) is None
    found = [late, Advance(106.0, 0, (6, 6), "w1"), Advance(104.0, 1, (3, 3), "w2"), Advance(109.0, 1, (4, 4), "w2")]
    assert resumed(kill, found) == 6.0
    frozen = Fault(0.0, "freeze", 8.0, "w0", struck=100.0, over=108.0, partitions=[0])
    assert resumed(frozen, [late, Advance(109.0, 0, (6, 6), "w0")]) == 9.0, "thawed, and nobody else was there"
    broker = Fault(0.0, "broker", 3.0, "broker 0", struck=100.0, over=104.0, partitions=[0])
    assert resumed(broker, [late, Advance(105.0, 0, (6, 6), "w0")]) == 5.0


def test_worlds_are_told_by_partition_in_the_order_of_producing() -> None:
    world: Produced = make_long_world(1, 500, 3)
    for source in (0, 1):
        for partition in range(3):
            mine = [item for s, p, item in world.steps if (s, p) == (source, partition)]
            assert world.log(source, partition) == mine
            assert mine


def test_what_is_lost_doubled_or_wrong_is_seen() -> None:
    wanted = expected_emissions(make_long_world(2, 400, 2).worlds)
    names = [name for name, content in wanted.items() if content.sums and content.span]

    def verdict(found: list[tuple[EmissionId, Content]]) -> tuple[int, int, int]:
        told = Verdict()
        compare_emissions(wanted, found, told)
        return told.lost, told.doubled, told.wrong

    right = list(wanted.items())
    assert verdict(right) == (0, 0, 0)
    assert verdict(right[1:]) == (1, 0, 0)
    assert verdict([*right, right[0]]) == (0, 1, 0)
    one = wanted[names[0]]
    for changed in (
        one._replace(counts=one.counts | {"pairs": one.counts["pairs"] + 1}),
        one._replace(sums=one.sums | {"brier": one.sums["brier"] + 1e-5}),
        one._replace(span=(-1, -1, -1, -1)),
    ):
        assert verdict(list((wanted | {names[0]: changed}).items())) == (0, 0, 1)
    revised = (*names[0][:8], 17, *names[0][9:])
    assert verdict([*right, (revised, one)]) == (0, 0, 1), "an emission that nobody asked for"
