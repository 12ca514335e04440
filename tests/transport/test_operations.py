"""What operators do to a cluster: refused or said aloud, in plain words, with a named exit code."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.exits import Exit
from driftloop.streams.transport.state.header import HEADER_KEY, StateHeader
from driving import Workers, expect_exact, feed, wait_until, wait_until_absorbed

pytestmark = pytest.mark.kafka


def create_anew(settings: Settings, topic: str, partitions: int) -> None:
    admin = AdminClient(settings.confluent())
    admin.delete_topics([topic])[topic].result(180)

    def created() -> bool:
        try:
            admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(180)
        except KafkaException:  # the deletion is still under way
            return False
        return True

    wait_until(created, f"{topic} created anew")
    wait_until(lambda: len(admin.list_topics(topic, 10).topics[topic].partitions) == partitions, "its partitions")


def a_run(settings: Settings, workers: Workers, each: int) -> None:
    worker = workers.start()
    wait_until_absorbed(settings, each)
    assert workers.stop(worker) == Exit.STOPPED


def test_a_source_created_anew_is_refused(settings: Settings, workers: Workers) -> None:
    feed(settings, 100)
    a_run(settings, workers, 100)
    create_anew(settings, settings.topic("predictions"), settings.partitions)
    feed(settings, 200)
    worker = workers.start()
    assert workers.end_of(worker) == Exit.SOURCE_LOST, workers.log(worker)
    assert f"topic {settings.topic('predictions')} was deleted and created anew" in workers.log(worker)


def test_a_source_created_anew_under_a_worker_ends_it(settings: Settings, workers: Workers) -> None:
    """Otherwise the first records of the new topic would be skipped, as absorbed already."""
    feed(settings, 100)
    worker = workers.start()
    wait_until_absorbed(settings, 100)
    create_anew(settings, settings.topic("predictions"), settings.partitions)
    feed(settings, 200)
    assert workers.end_of(worker) == Exit.SOURCE_LOST, workers.log(worker)


def test_a_source_that_is_gone_for_a_while_ends_the_worker(
    settings: Settings, workers: Workers, tmp_path: Path
) -> None:
    """Meanwhile the group assigns the other source alone, which is nobody's fault."""
    feed(settings, 100)
    worker = workers.start(looks_away_until=str(tmp_path / "back"))
    wait_until_absorbed(settings, 100)
    admin, topic = AdminClient(settings.confluent()), settings.topic("predictions")
    admin.delete_topics([topic])[topic].result(180)
    gone = f"the cluster did not tell of ['{topic}'] yet"
    wait_until(lambda: gone in workers.log(worker) or worker.poll() is not None, "an assignment without the source")
    assert worker.poll() is None, workers.log(worker)
    admin.create_topics([NewTopic(topic, settings.partitions, 1)])[topic].result(180)
    (tmp_path / "back").touch()
    assert workers.end_of(worker) == Exit.SOURCE_LOST, workers.log(worker)
    assert f"topic {topic} was deleted and created anew" in workers.log(worker)


def test_sources_that_do_not_fit_together_are_refused(settings: Settings, workers: Workers) -> None:
    create_anew(settings, settings.topic("ground-truth"), 3)
    worker = workers.start()
    assert workers.end_of(worker) == Exit.CONFIG
    assert f"{settings.topic('ground-truth')} has 3" in workers.log(worker)


def test_a_cluster_that_does_not_answer_is_told(settings: Settings, workers: Workers) -> None:
    from dataclasses import replace

    workers.settings = replace(settings, bootstrap_servers="127.0.0.1:9")
    worker = workers.start()
    assert workers.end_of(worker) == Exit.UNAVAILABLE
    assert "no answer from 127.0.0.1:9" in workers.log(worker)
    assert "driftloop broker status" in workers.log(worker)


def test_reset_offsets_is_recognised_and_said_aloud(settings: Settings, workers: Workers) -> None:
    feed(settings, 100)
    a_run(settings, workers, 100)
    tool = Consumer(settings.confluent(group_id=settings.group("toy"), enable_auto_commit=False))
    tool.commit(offsets=[TopicPartition(settings.topic("predictions"), 2, 10)], asynchronous=False)
    tool.close()
    feed(settings, 100)
    worker = workers.start()
    wait_until_absorbed(settings, 200)
    assert workers.stop(worker) == Exit.STOPPED
    assert (
        f"{settings.topic('predictions')}[2]: an operator has set the group's offset to 10; the state stands at 100"
        in workers.log(worker)
    )
    expect_exact(settings, 200)


def test_a_state_of_another_partition_count_is_refused(settings: Settings, workers: Workers) -> None:
    create_anew(settings, settings.topic("observer-state"), 3)
    worker = workers.start()
    assert workers.end_of(worker) == Exit.CONFIG
    assert f"{settings.topic('observer-state')} has 3" in workers.log(worker)
    assert "partitions of a topic with records cannot be repaired: set another DRIFTLOOP_PREFIX" in workers.log(
        worker
    )


def test_a_state_that_the_broker_deletes_from_is_refused(settings: Settings, workers: Workers) -> None:
    """What is left of it looks whole: the header is written anew at each checkpoint."""
    state = settings.topic("observer-state")
    resource = ConfigResource(ResourceType.TOPIC, state)
    deletes = ConfigEntry("cleanup.policy", "compact,delete", incremental_operation=AlterConfigOpType.SET)
    resource.add_incremental_config(deletes)
    admin = AdminClient(settings.confluent())
    admin.incremental_alter_configs([resource])[resource].result(180)
    worker = workers.start()
    assert workers.end_of(worker) == Exit.CONFIG
    assert f"{state}: cleanup.policy is compact,delete" in workers.log(worker)
    assert "`driftloop topics apply --fix` mends it" in workers.log(worker)


@pytest.mark.parametrize(
    ("change", "words", "way_out"),
    [
        (
            {"application": "other-toy"},
            "the state was written for application 'other-toy'",
            "run the worker that fits",
        ),
        (
            {"layout": 7},
            "the state was written for layout 7, this worker has 1",
            "run the version of driftloop",
        ),
        ({"partitions": 8}, "the state was written for partitions 8, this worker has 4", "run the worker that fits"),
        ({"version": 99}, "the state header cannot be read: version 99", "written by another version of driftloop"),
    ],
)
def test_a_foreign_state_is_refused(
    settings: Settings, workers: Workers, change: dict[str, object], words: str, way_out: str
) -> None:
    sources = {settings.topic(short): -1 for short in ("predictions", "ground-truth")}
    header = asdict(StateHeader(settings.group("toy"), 1, settings.partitions, sources, {})) | change
    producer = Producer(settings.confluent())
    producer.produce(settings.topic("observer-state"), json.dumps(header).encode(), HEADER_KEY, partition=1)
    assert producer.flush(180) == 0
    worker = workers.start()
    assert workers.end_of(worker) == Exit.CONFIG, workers.log(worker)
    said = workers.log(worker)
    assert f"{settings.topic('observer-state')}[1]: {words}" in said
    assert way_out in said
