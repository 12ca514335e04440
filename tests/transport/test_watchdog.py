"""The watchdog: tick by tick, when is it an end?"""

from __future__ import annotations

from driftloop.streams.transport.exits import Exit
from driftloop.streams.transport.watching.watchdog import Judgement, Limits, Signs

ALIVE = Signs(loop_beats=0, polls=0, partitions=4, bringing_up=False, coordination_ended=False)


def end_of(signs: list[Signs], limits: Limits | None = None) -> tuple[int, Exit] | None:
    """The tick at which it ends, and how."""
    judgement = Judgement(limits or Limits(loop=3, polls=5, bring_up=7))
    for tick, sign in enumerate(signs):
        if (end := judgement.tick(sign)) is not None:
            return tick, end[0]
    return None


def test_who_beats_and_polls_lives() -> None:
    assert end_of([ALIVE._replace(loop_beats=i, polls=i) for i in range(100)]) is None


def test_who_has_no_partition_need_not_poll() -> None:
    assert end_of([ALIVE._replace(loop_beats=i, partitions=0) for i in range(100)]) is None


def test_a_stuck_loop_ends() -> None:
    assert end_of([ALIVE._replace(polls=i) for i in range(100)]) == (2, Exit.STUCK)


def test_partitions_without_polls_end() -> None:
    assert end_of([ALIVE._replace(loop_beats=i) for i in range(100)]) == (4, Exit.STUCK)


def test_a_partition_that_does_not_come_up_ends() -> None:
    assert end_of([ALIVE._replace(loop_beats=i, polls=i, bringing_up=True) for i in range(100)]) == (6, Exit.STUCK)


def test_a_silent_zombie_ends_at_once() -> None:
    assert end_of([ALIVE._replace(coordination_ended=True)]) == (0, Exit.ZOMBIE)


def test_a_short_stand_is_forgiven() -> None:
    signs = [ALIVE._replace(loop_beats=i // 2, polls=i) for i in range(100)]
    assert end_of(signs) is None
