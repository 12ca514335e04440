"""Static members: a seat that is kept over a restart, and who ends when two want the same one."""

from __future__ import annotations

import re

import pytest
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.exits import Exit
from driftloop.streams.transport.membership import FENCED_INSTANCE_ID, Seat
from driving import GUARD_SECONDS, Workers, expect_exact, feed, wait_until_absorbed

UNKNOWN_MEMBER = 25
EACH_SIDE = 1000


def test_a_seat_is_lost_to_a_namesake_but_not_to_an_expired_session() -> None:
    seat = Seat("a", session_seconds=10)
    assert not seat.lost(UNKNOWN_MEMBER, now=0.0)  # never joined
    assert not seat.lost(0, now=1.0)
    assert not seat.lost(UNKNOWN_MEMBER, now=11.0)  # frozen for a session: expelled, may join anew
    assert seat.lost(UNKNOWN_MEMBER, now=10.9)
    assert seat.lost(FENCED_INSTANCE_ID, now=1000.0)


def assignments(log: str) -> list[str]:
    """Each that was taken up, and each partition that was restored for it."""
    return re.findall(r"ready: .*|restoring .*", log)


@pytest.mark.kafka
def test_a_restart_within_the_session_leaves_the_others_alone(settings: Settings, workers: Workers) -> None:
    feed(settings, EACH_SIDE)
    calm = workers.start(instance_id="calm")
    workers.wait_for(calm, "ready: partitions 0, 1, 2, 3")
    killed = workers.start(instance_id="killed", session_seconds=10 * GUARD_SECONDS)
    workers.wait_for(killed, "ready: partitions")
    workers.wait_for(calm, "kept in memory")
    before = assignments(workers.log(calm))
    workers.kill(killed)
    feed(settings, EACH_SIDE)
    again = workers.start(instance_id="killed")
    wait_until_absorbed(settings, 2 * EACH_SIDE)
    assert assignments(workers.log(calm)) == before, (
        "nothing was revoked from the other, and the session did not run out"
    )
    for worker in (calm, again):
        assert workers.stop(worker) == Exit.STOPPED
    expect_exact(settings, 2 * EACH_SIDE)


@pytest.mark.kafka
def test_the_older_of_two_namesakes_ends(settings: Settings, workers: Workers) -> None:
    feed(settings, EACH_SIDE)
    older = workers.start(instance_id="same")
    workers.wait_for(older, "ready: partitions 0, 1, 2, 3")
    younger = workers.start(instance_id="same")
    assert workers.end_of(older) == Exit.FENCED
    workers.wait_for(younger, "ready: partitions 0, 1, 2, 3")
    feed(settings, EACH_SIDE)
    wait_until_absorbed(settings, 2 * EACH_SIDE)
    assert workers.stop(younger) == Exit.STOPPED
    expect_exact(settings, 2 * EACH_SIDE)


@pytest.mark.kafka
def test_an_older_namesake_without_work_is_told_why_it_ends(workers: Workers) -> None:
    """Nothing to write, so no fence tells it: the group does."""
    older = workers.start(instance_id="same")
    workers.wait_for(older, "ready: partitions 0, 1, 2, 3")
    workers.start(instance_id="same")
    assert workers.end_of(older) == Exit.FENCED
    assert "another process has joined the group as 'same'" in workers.log(older)
    assert "DRIFTLOOP_INSTANCE_ID" in workers.log(older)
