"""How far a partition may be told as worked off while windows wait."""

from __future__ import annotations

from driftloop.retrainer.backlog import Backlog, Place

from .stories import window

HERE, THERE = Place("windows", 0), Place("windows", 1)


def test_a_held_window_holds_its_partition_back_and_no_other() -> None:
    backlog = Backlog()
    for offset in (3, 4, 5):
        backlog.reached(HERE, offset)
    backlog.reached(THERE, 9)
    backlog.hold(HERE, 4, window(4))
    backlog.hold(HERE, 5, window(5))
    assert backlog.positions() == {HERE: 4, THERE: 10}
    assert backlog.waits("loans")
    assert not backlog.waits("others")
    assert backlog.next_of("loans") == window(4)
    assert backlog.positions() == {HERE: 5, THERE: 10}
    assert backlog.next_of("loans") == window(5)
    assert backlog.positions() == {HERE: 6, THERE: 10}
    assert not backlog.waits("loans")


def test_only_what_has_moved_is_told_again() -> None:
    backlog = Backlog()
    backlog.reached(HERE, 0)
    backlog.reached(THERE, 0)
    backlog.told(backlog.untold())
    backlog.reached(THERE, 1)
    assert backlog.untold() == {THERE: 2}


def test_a_new_assignment_forgets_what_will_be_read_again() -> None:
    backlog = Backlog()
    backlog.reached(HERE, 4)
    backlog.hold(HERE, 4, window(4))
    backlog.clear()
    assert backlog.positions() == {}
    assert not backlog.waits("loans")
