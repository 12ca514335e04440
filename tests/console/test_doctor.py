"""The doctor's checks over facts from a list."""

from __future__ import annotations

import random
import zlib

import pytest
from driftloop.console.doctor import CRC32, MURMUR2, OK, OTHER, WARNING, WRONG, Facts, Key, examine, partitioner
from driftloop.console.status import ServiceStatus
from driftloop.console.topics import Difference
from driftloop.schemas.murmur2 import partition_of

RNG = random.Random(3)
IDS = [RNG.randbytes(8).hex().encode() for _ in range(200)]
MURMUR = [Key(key, partition_of(key, 12)) for key in IDS]
CRC = [Key(key, zlib.crc32(key) % 12) for key in IDS]
ANYWHERE = [Key(key, RNG.randrange(12)) for key in IDS]


def states(facts: Facts, check: str) -> list[str]:
    return [one.state for one in examine(facts) if one.check == check]


@pytest.mark.parametrize(("keys", "name"), [(MURMUR, MURMUR2), (CRC, CRC32), (ANYWHERE, OTHER)])
def test_a_partitioner_is_known_by_where_it_puts_keys(keys: list[Key], name: str) -> None:
    assert partitioner(keys, 12) == name


@pytest.mark.parametrize(
    ("predictions", "truths", "state"),
    [
        (MURMUR, MURMUR, OK),
        (MURMUR, CRC, WRONG),
        (ANYWHERE, ANYWHERE, WRONG),
        (CRC, CRC, WARNING),  # pairs still meet: nothing alarming
        (MURMUR, CRC[:5], OK),  # too few to tell
    ],
)
def test_two_partitioners_keep_pairs_apart(predictions: list[Key], truths: list[Key], state: str) -> None:
    facts = Facts(1, 12, keys={"predictions": predictions, "ground-truth": truths})
    assert states(facts, "keys") == [state]


def test_retention_below_the_horizon_is_wrong() -> None:
    facts = Facts(1, 12, retention_seconds={"d.predictions.v1": 86_400.0}, memory_seconds={"loans": 3 * 86_400.0})
    (found,) = [one for one in examine(facts) if one.check == "retention"]
    assert found.state == WRONG
    assert found.message == "d.predictions.v1 keeps records for 1.0 days, a model waits 3.0 for its labels"


def test_settings_that_cost_no_number_are_warnings() -> None:
    slow = Difference("d.observer-state.v1", "segment.ms", "600000", "604800000")
    lost = Difference("d.observer-state.v1", "cleanup.policy", "compact", "delete")
    assert states(Facts(1, 12, differences=(slow, lost)), "topics") == [WARNING, WRONG]


def test_waiting_records_that_nobody_reads_are_wrong() -> None:
    waiting = ServiceStatus("retrainer", "d-retrainer", "EMPTY", (), lag=7)
    idle = ServiceStatus("retrainer", "d-retrainer", "EMPTY", ())
    assert states(Facts(1, 12, services=(waiting,)), "services") == [WRONG]
    assert states(Facts(1, 12, services=(idle,)), "services") == [WARNING]


def test_silent_models_fast_clocks_and_dead_letters_are_warnings() -> None:
    facts = Facts(
        1,
        12,
        ahead_seconds=[-1.0, 300.0, -2.0],
        models=("loans", "clicks"),
        seen=frozenset({"loans"}),
        reasons={"empty": 3},
    )
    assert states(facts, "clocks") == [WARNING]
    assert [one.message for one in examine(facts) if one.check == "models"] == [
        "clicks: none of the last predictions is of this model"
    ]
    assert states(facts, "dead letters") == [WARNING]


@pytest.mark.parametrize(
    ("disorders", "behind"),
    [
        ({}, {}),
        ({"loans": 86_400.0}, {}),  # alone: nobody is ahead of it
        ({"loans": 600.0, "clicks": 600.0 + 3_600.0}, {}),
        ({"loans": 600.0, "clicks": 600.0 + 5_400.0}, {"clicks": "1.5 h"}),
        ({"a": 600.0, "b": 600.0, "c": 86_400.0, "d": 2 * 86_400.0}, {"c": "23.8 h", "d": "47.8 h"}),
        ({"fast": 0.0, "a": 86_400.0, "b": 86_400.0}, {"a": "24.0 h", "b": "24.0 h"}),
    ],
)
def test_models_that_are_told_later_than_the_others_are_named_with_how_much(
    disorders: dict[str, float], behind: dict[str, str]
) -> None:
    found = examine(Facts(1, 12, models=("x",), seen=frozenset("x"), disorders=disorders))
    told = {one.message.split(":")[0]: one for one in found if one.check == "models" and one.state == WARNING}
    assert told.keys() == behind.keys()
    for model, hours in behind.items():
        assert f"come {hours} of event time behind" in told[model].message
        assert f"now {disorders[model]:.0f} s" in told[model].way_out
