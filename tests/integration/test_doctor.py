"""`driftloop doctor` on a real broker: a sound deployment, and one in which a writer uses another partitioner."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka import Producer
from driftloop.console.monitor import apply_monitor
from driftloop.schemas.codec import encode
from driftloop.schemas.events import DriftDetected, GroundTruth, Pane
from driftloop.schemas.settings import Settings

from ..patience import GUARD_SECONDS
from .loop import MODEL, SPECIFICATION, Loop, prepare, publish, running, steps_of
from .test_rewind import driftloop
from .test_status import caught_up
from .world import DAY, World, make_world

SMALL = make_world(seed=9, history_days=2, days=4, per_day=60)


def findings(loop: Loop) -> tuple[int, dict[str, list[dict[str, str]]]]:
    """(exit code, findings by check)."""
    code, said = driftloop(loop, "doctor", "--json")
    found: dict[str, list[dict[str, str]]] = {}
    for one in json.loads(said):
        found.setdefault(one["check"], []).append(one)
    return code, found


def observe_with_crc32(settings: Settings, world: World) -> int:
    """The truths of the live days, as a client of librdkafka writes them that nobody has told of murmur2."""
    producer = Producer(settings.confluent(partitioner="consistent"))
    live = [step for step in steps_of(world)[1] if step[1]]
    for when, _, loan in live:
        truth = GroundTruth(when, MODEL, loan.label)
        producer.produce(settings.topic("ground-truth"), encode(truth), loan.prediction_id.encode())
    assert producer.flush(GUARD_SECONDS) == 0
    return len(live)


@pytest.mark.kafka
def test_a_foreign_partitioner_is_found_counted_and_named(settings: Settings, tmp_path: Path) -> None:
    with running(settings, tmp_path) as loop:
        prepare(loop, SMALL)
        late = tmp_path / "late.toml"
        late.write_text(SPECIFICATION.read_text().replace('"loans"', '"late"').replace('"10 min"', '"6 h"'))
        apply_monitor(settings, late)
        loop.start("observer", "judge")
        loop.wait("the history", lambda: caught_up(loop, World((), 0, 0)))
        code, found = findings(loop)
        assert code == 0, found
        assert [one["message"] for one in found["models"] if "behind" in one["message"]] == [
            "late: its windows and incidents come 5.8 h of event time behind those of the others: it waits 6.0 h for "
            "records out of order, they 0.2 h"
        ]
        assert [one["state"] for one in found["keys"]] == ["ok"]
        assert {check for check in found if found[check][0]["state"] == "ok"} >= {"broker", "topics", "retention"}

        live = steps_of(SMALL)[1]
        publish(settings, [step for step in live if not step[1]])
        truths = observe_with_crc32(settings, SMALL)
        publish(settings, [], SMALL.end + 5 * DAY)
        code, found = findings(loop)
        assert code == 1
        assert found["keys"][0]["state"] == "wrong"
        assert "predictions: murmur2, ground-truth: " in found["keys"][0]["message"]
        assert 'partitioner="murmur2_random"' in found["keys"][0]["way_out"]

        def misplaced() -> int:
            """As the last counters of each partition say."""
            last: dict[int, Pane] = {}
            for event in loop.read("panes"):
                if isinstance(event, Pane) and event.kind == "counters":
                    last[event.partition] = event
            assert not any(pane.counts.get("misplaced_predictions") for pane in last.values())
            return sum(pane.counts.get("misplaced_truths", 0) for pane in last.values())

        loop.wait("misplaced truths", lambda: misplaced() > 0.5 * truths)  # three in four, by chance
        (alarm,) = loop.wait("the alarm", lambda: of_misplaced_keys(loop))
        assert misplaced() < truths
        assert (alarm.model, alarm.feature, alarm.paging) == (MODEL, "truths", True)
        assert alarm.statistic >= alarm.threshold


def of_misplaced_keys(loop: Loop) -> list[DriftDetected]:
    alarms = [event for event in loop.read("drift") if isinstance(event, DriftDetected)]
    return [alarm for alarm in alarms if alarm.detector == "misplaced_keys"]


@pytest.mark.kafka
def test_missing_topics_are_said_without_a_trace(settings: Settings, tmp_path: Path) -> None:
    from dataclasses import replace

    with running(replace(settings, prefix=f"{settings.prefix}-none"), tmp_path) as loop:
        code, found = findings(loop)
        assert code == 1
        assert all("is missing" in one["message"] for one in found["topics"])
        assert found["topics"][0]["way_out"] == "`driftloop topics apply` creates it"
