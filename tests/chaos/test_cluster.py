"""Three brokers, replication 3: the leader of a busy partition dies, and no acknowledged record with it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from .cluster import QUIET, Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("chaos")]
TOPIC = "acknowledged"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(3) as found:
        yield found


def test_a_lost_leader_loses_no_acknowledged_record(cluster: Cluster) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap, **QUIET})
    for future in admin.create_topics([NewTopic(TOPIC, 1, 3, config={"min.insync.replicas": "2"})]).values():
        future.result(120)
    producer = Producer(
        {"bootstrap.servers": cluster.bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 5} | QUIET
    )
    acknowledged: list[int] = []
    given: list[int] = []

    def produce(until: int) -> None:
        """Until so many are acknowledged."""
        deadline = time.monotonic() + 120
        while True:
            assert time.monotonic() < deadline, f"{len(acknowledged)} of {until} acknowledged"
            for _ in range(100):
                given.append(len(given))
                producer.produce(TOPIC, b"%d" % given[-1], partition=0, on_delivery=told)
            producer.poll(0.02)
            if len(acknowledged) >= until:
                return

    def told(error: KafkaError | None, message: object) -> None:
        assert error is None, error
        acknowledged.append(int(message.value()))  # type: ignore[attr-defined]

    produce(5_000)
    leader = cluster.leader_of(TOPIC, 0)
    cluster.kill(leader)
    deadline = time.monotonic() + 120
    while cluster.leader_of(TOPIC, 0) in (leader, -1):
        assert time.monotonic() < deadline, "nobody leads the partition"
        produce(len(acknowledged))
    produce(len(given) + 5_000)  # all that were given before the new leader, and more
    cluster.start(leader)
    cluster.wait_until_ready()
    deadline = time.monotonic() + 120
    while cluster.in_sync(TOPIC) < 3:
        assert time.monotonic() < deadline, "the broker that came back is not in sync"
        time.sleep(0.1)
    assert producer.flush(120) == 0
    assert acknowledged == given, "all, in order"
    assert read(cluster) == acknowledged, "0 lost, 0 doubled, in order"


def read(cluster: Cluster) -> list[int]:
    consumer = Consumer(
        {"bootstrap.servers": cluster.bootstrap, "group.id": "test", "enable.partition.eof": True} | QUIET
    )
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    found: list[int] = []
    deadline = time.monotonic() + 120
    while True:  # to the end of the partition, however long a busy broker is silent before it
        assert time.monotonic() < deadline, f"{len(found)} read, and no end"
        if (message := consumer.poll(1)) is None:
            continue
        if message.error() is not None:
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            break
        found.append(int(message.value()))
    consumer.close()
    return found
