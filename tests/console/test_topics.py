"""`topics apply`: creates the table, names what differs, and changes it only when told to."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType
from driftloop.console.connection import ANSWER_SECONDS, admin_client
from driftloop.console.topics import Shape, apply_topics, compare, delete_topics, read_topics, wanted_topics
from driftloop.console.topics_report import apply_and_report, show
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.settings import Settings
from driftloop.schemas.topics import TOPICS

from ..patience import GUARD_SECONDS

NO_SHAPE = Shape(0, 0, {})


def set_config(admin: AdminClient, topic: str, name: str, value: str) -> None:
    change = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[change])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(GUARD_SECONDS)
    deadline = time.monotonic() + GUARD_SECONDS
    while read_topics(admin, {topic: NO_SHAPE})[topic].config[name] != value:
        assert time.monotonic() < deadline, f"{topic} never showed {name}={value}"


@pytest.mark.kafka
def test_the_cluster_becomes_the_table_and_stays_it(settings: Settings) -> None:
    # The fixture has applied it: the second time there is nothing to do.
    again = apply_topics(settings)
    assert (again.created, again.fixed, again.left) == ((), (), ())
    found = read_topics(admin_client(settings), wanted_topics(settings))
    assert found.keys() == {settings.topic(short) for short in TOPICS}
    assert found[settings.topic("panes")].partitions == settings.partitions
    assert found[settings.topic("monitors")].partitions == 1
    assert found[settings.topic("observer-state")].config["cleanup.policy"] == "compact"


@pytest.mark.kafka
def test_a_difference_is_named_and_fixed_only_when_told_to(settings: Settings) -> None:
    admin, windows = admin_client(settings), settings.topic("windows")
    wanted = TOPICS["windows"].config()["retention.ms"]
    set_config(admin, windows, "retention.ms", "60000")

    (seen,) = apply_topics(settings).left
    assert str(seen) == f"{windows}: retention.ms is 60000, the table says {wanted}"
    assert apply_topics(settings).left == (seen,)

    done = apply_topics(settings, fix=True)
    assert (done.fixed, done.left) == ((seen,), ())
    assert apply_topics(settings).left == ()


@pytest.mark.kafka
def test_partitions_are_added_to_an_empty_topic_only(settings: Settings) -> None:
    admin = admin_client(settings)
    here = replace(settings, prefix=f"{settings.prefix}-few")
    few = [NewTopic(here.topic(short), 2, 1, config=TOPICS[short].config()) for short in ("panes", "predictions")]
    for future in admin.create_topics(few).values():
        future.result(GUARD_SECONDS)
    producer = Producer(here.confluent())
    producer.produce(here.topic("predictions"), b"one record", key=b"k")
    assert producer.flush(GUARD_SECONDS) == 0

    report = apply_topics(here)
    assert len(report.created) == len(TOPICS) - 2
    assert [(d.topic, d.setting, d.found, d.wanted) for d in report.left] == [
        (here.topic("predictions"), "partitions", "2", "4"),
        (here.topic("panes"), "partitions", "2", "4"),
    ]
    report = apply_topics(here, fix=True)
    assert [d.topic for d in report.fixed] == [here.topic("panes")]
    assert [d.topic for d in report.left] == [here.topic("predictions")]
    delete_topics(here)


@pytest.mark.kafka
def test_apply_says_what_it_did_and_refuses_to_call_a_difference_fine(settings: Settings) -> None:
    here = replace(settings, prefix=f"{settings.prefix}-said")
    panes = here.topic("panes")
    assert all(line.endswith("missing: `driftloop topics apply` creates it") for line in show(here))

    said: list[str] = []
    apply_and_report(here, False, 5.0, said.append)
    assert said == [*(f"created {here.topic(short)}" for short in TOPICS), "15 topics are as the table says"]
    assert all(line.endswith("as it should be") for line in show(here))

    set_config(admin_client(here), panes, "retention.ms", "5000")
    (line,) = [line for line in show(here) if not line.endswith("as it should be")]
    assert line.split(maxsplit=5) == [panes, "4", "partitions", "3", "days", "retention.ms is 5000, not 259200000"]
    with pytest.raises(
        ConfigError, match=rf"differs from the table of topics:\n  {panes}: retention.ms is 5000"
    ) as told:
        apply_and_report(here, False, 5.0, said.append)
    assert "--fix" in told.value.hint

    said.clear()
    apply_and_report(here, True, 5.0, said.append)
    assert said == [f"fixed {panes}: retention.ms was 5000, is 259200000", "15 topics are as the table says"]
    delete_topics(here)


def test_a_cluster_that_is_not_there_is_said_so_within_seconds() -> None:
    nowhere = Settings(bootstrap_servers="127.0.0.1:1")
    with pytest.raises(Unavailable, match=r"no Kafka cluster answers at 127\.0\.0\.1:1 .*Connection refused") as told:
        apply_topics(nowhere)
    assert ANSWER_SECONDS < 8
    assert "driftloop broker start" in told.value.hint


def test_only_existing_topics_are_compared_and_every_setting_is_named() -> None:
    wanted = {"a": Shape(4, 1, {"cleanup.policy": "compact"}), "b": Shape(1, 1, {})}
    found = {"a": Shape(3, 2, {"cleanup.policy": "delete", "retention.ms": "5"})}
    assert [d[1:] for d in compare(wanted, found)] == [
        ("partitions", "4", "3"),
        ("replication", "1", "2"),
        ("cleanup.policy", "compact", "delete"),
    ]
