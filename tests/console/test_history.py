"""Messages of many partitions, as a consumer hands them over, fall into runs of one partition each: none is lost,
none comes into another's run."""

from __future__ import annotations

import random

from confluent_kafka import Message
from driftloop.console.replay.history import runs_of, silence_of


def test_messages_fall_into_the_runs_in_which_they_came() -> None:
    messages = [
        Message(topic=topic, partition=int(partition), offset=offset)
        for offset, (topic, partition) in enumerate(["a0", "a0", "a1", "b1", "b1", "a1", "b0"])
    ]
    found = [(*place, [m.offset() for m in run]) for place, run in runs_of(messages)]
    assert found == [("a", 0, [0, 1]), ("a", 1, [2]), ("b", 1, [3, 4]), ("a", 1, [5]), ("b", 0, [6])]
    assert list(runs_of([])) == []


def test_no_message_is_lost_whatever_their_order() -> None:
    rng = random.Random(5)
    for _ in range(50):
        messages = [
            Message(topic=rng.choice("ab"), partition=rng.randrange(3), offset=offset)
            for offset in range(rng.randrange(20))
        ]
        found = [(place, m) for place, run in runs_of(messages) for m in run]
        assert [m.offset() for _, m in found] == list(range(len(messages)))
        assert all(place == (m.topic(), m.partition()) for place, m in found)


def test_a_cluster_that_goes_away_while_it_is_read_is_told_by_its_places_in_order() -> None:
    """Tried with a broker that was stopped: it took half a minute and left nothing, but said a set of pairs."""
    error = silence_of({("t.predictions", 2), ("t.ground-truth", 0), ("t.predictions", 10)})
    assert error.message == (
        "t.ground-truth[0], t.predictions[2], t.predictions[10]: neither a record nor the end for 30 s"
    )
    assert "begin anew" in error.hint
