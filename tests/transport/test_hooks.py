"""The private behaviour of Faust and aiokafka that the transport stands on, as it is in the pinned versions.

A test that fails here after an upgrade names the override in streams/transport to look at again.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import aiokafka
import faust
import mode
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance, GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment, Subscription, SubscriptionState, TopicPartitionState
from aiokafka.protocol.api import Request
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v4
from driftloop.streams.transport.app import ServiceApp
from driftloop.streams.transport.fetching.batches import BatchSchema
from driftloop.streams.transport.fetching.consumer import BatchConsumer, BatchTransport
from driftloop.streams.transport.fetching.consumer_thread import BatchThread
from driftloop.streams.transport.fetching.unpacking import ChunkedRecords, unpack_in_chunks
from driftloop.streams.transport.membership import MEMBER_REQUESTS
from faust.app.base import BootStrategy
from faust.tables.recovery import Recovery
from faust.transport import consumer as faust_consumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

OVERRIDDEN: dict[type, list[str]] = {
    BatchThread: [
        "__post_init__",
        "_create_worker_consumer",
        "_fetch_records",
        "on_partitions_assigned",
        "on_partitions_revoked",
        "on_start",
        "verify_event_path",
    ],
    BatchConsumer: [
        "_getmany",
        "_to_message",
        "_wait_next_records",
        "_new_consumer_thread",
        "commit",
        "on_buffer_drop",
        "on_buffer_full",
        "on_partitions_assigned",
        "on_partitions_revoked",
        "on_stop",
        "perform_seek",
        "resume_flow",
        "resume_partitions",
        "track_message",
        "verify_event_path",
        "wait_empty",
    ],
    BatchSchema: ["loads_key", "loads_value"],
    ChunkedRecords: ["_consumer_record", "__next__"],
    ServiceApp: ["_new_transport", "_create_directories"],
}


def names(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    ("ours", "method"), [(ours, method) for ours, methods in OVERRIDDEN.items() for method in methods]
)
def test_every_override_overrides_something_with_the_same_parameters(ours: type, method: str) -> None:
    parent = next(base for base in ours.__mro__[1:] if method in vars(base))
    mine, theirs = vars(ours)[method], vars(parent)[method]
    assert names(mine) == names(theirs), f"{parent.__name__}.{method}{inspect.signature(theirs)}"
    assert inspect.iscoroutinefunction(inspect.unwrap(mine)) == inspect.iscoroutinefunction(inspect.unwrap(theirs))


def test_every_override_is_listed() -> None:
    own = {BatchThread: {"on_loop", "seek_to", "_stamped", "lag", "committed", "commit_following", "forget_epochs"}}
    for ours, methods in OVERRIDDEN.items():
        defined = {name for name, what in vars(ours).items() if inspect.isfunction(what)}
        inherited = {name for name in defined if any(name in vars(base) for base in ours.__mro__[1:])}
        assert inherited - {"__init__"} == set(methods), ours
        assert not own.get(ours, set()) & inherited, "a helper of ours now hides a method of Faust's"


def test_a_consumer_takes_its_settings_from_attributes_when_it_starts() -> None:
    """consumer_thread.py sets them between construction and start."""
    start = inspect.getsource(aiokafka.AIOKafkaConsumer.start)
    for attribute in ("_fetch_max_wait_ms", "_isolation_level", "_partition_assignment_strategy"):
        assert f"self.{attribute}" in start, attribute
        assert f"self.{attribute} = " in inspect.getsource(aiokafka.AIOKafkaConsumer.__init__)


def test_positions_and_ends_can_be_read() -> None:
    for what, attributes in {
        SubscriptionState: ["subscription"],
        Subscription: ["assignment"],
        Assignment: ["state_value"],
        TopicPartitionState: ["has_valid_position", "position"],
    }.items():
        for attribute in attributes:
            assert hasattr(what, attribute), f"{what.__name__}.{attribute}"

    async def fresh() -> TopicPartitionState:
        return TopicPartitionState(None)

    made = asyncio.run(fresh())
    assert (made.lso, made.highwater, made.has_valid_position) == (None, None, False)


def test_committed_offsets_come_with_their_metadata() -> None:
    assert names(GroupCoordinator.fetch_committed_offsets) == ["self", "partitions"]
    assert "_coordination_task" in inspect.getsource(GroupCoordinator.__init__)


def test_a_fetch_waits_until_every_buffered_partition_was_taken() -> None:
    """So requests name all partitions as a rule, and FETCH_WAIT_MS is no delay."""
    assert "At least one partition is still waiting to be consumed" in inspect.getsource(
        Fetcher._get_actions_per_node
    )


def test_faust_seeks_and_resumes_in_the_order_we_answer() -> None:
    """perform_seek, then the queues are emptied, then resume_flow (where we seek again)."""
    source = inspect.getsource(Recovery._resume_streams)
    order = [
        "resume_partitions",
        "perform_seek",
        "flow_control.resume",
        "consumer.resume_flow",
        "_fetcher.maybe_start",
    ]
    assert [source.index(step) for step in order] == sorted(source.index(step) for step in order)


def test_faust_waits_for_us_before_it_gives_partitions_back() -> None:
    revoked = inspect.getsource(faust.App._on_partitions_revoked)
    assert revoked.index("stop_flow") < revoked.index("flow_control.clear") < revoked.index("_consumer_wait_empty")
    stopped = inspect.getsource(faust.App._stop_consumer)
    assert stopped.index("flow_control.clear") < stopped.index("_consumer_wait_empty")


def test_faust_reads_its_own_offsets_where_we_keep_none() -> None:
    drain = inspect.getsource(faust_consumer.Consumer._drain_messages)
    assert "get_read_offset = self._read_offset.__getitem__" in drain
    assert "set_read_offset = self._read_offset.__setitem__" in drain


def test_faust_can_be_started_without_its_producer_and_web() -> None:
    assert BootStrategy.enable_kafka_producer is None
    assert "enable_kafka_producer" in inspect.getsource(BootStrategy._should_enable_kafka_producer)
    assert BatchTransport.Consumer is BatchConsumer


def test_the_app_tells_of_a_crash() -> None:
    assert "self._crashed = " in inspect.getsource(mode.Service.__init__)
    assert "self._crashed.set()" in inspect.getsource(mode.Service._crash)


def test_aiokafka_can_be_asked_for_topics_and_to_join_again() -> None:
    assert names(AIOKafkaClient.force_metadata_update) == ["self"]
    assert names(ClusterMetadata.partitions_for_topic) == ["self", "topic"]
    assert names(GroupCoordinator.request_rejoin) == ["self"]
    assert "self._client = AIOKafkaClient(" in inspect.getsource(AIOKafkaConsumer.__init__)


def test_fetches_are_unpacked_in_chunks_through_a_name_of_the_fetchers_module() -> None:
    """unpacking.py replaces it; ``getall`` appends what it iterates over, and moves the position behind it."""
    assert "partition_records = PartitionRecords(" in inspect.getsource(Fetcher._proc_fetch_request)
    take_all = inspect.getsource(fetcher.FetchResult.getall)
    assert "for msg in self._partition_records:" in take_all
    assert "ret_list.append(msg)" in take_all
    unpack = inspect.getsource(fetcher.PartitionRecords._unpack_records)
    assert unpack.count("yield") == 1
    assert "consumer_record = self._consumer_record(tp, record)" in unpack
    before = fetcher.PartitionRecords
    try:
        unpack_in_chunks()
        assert fetcher.PartitionRecords is ChunkedRecords
    finally:
        fetcher.PartitionRecords = before


def test_every_answer_to_a_member_passes_one_place() -> None:
    """membership.py stands there."""
    assert names(GroupCoordinator._send_req) == ["self", "request"]
    for sender in (GroupCoordinator._do_heartbeat, CoordinatorGroupRebalance.perform_group_join):
        assert "_send_req(request)" in inspect.getsource(sender)
    assert "self._coordinator._send_req(request)" in inspect.getsource(
        CoordinatorGroupRebalance._send_sync_group_request
    )
    assert all(issubclass(request, Request) for request in MEMBER_REQUESTS)


def test_a_static_member_does_not_leave_the_group() -> None:
    assert "self._group_instance_id is None" in inspect.getsource(GroupCoordinator._maybe_leave_group)
    created = inspect.getsource(AIOKafkaConsumerThread._create_worker_consumer)
    assert "group_instance_id=conf.consumer_group_instance_id" in created


def test_every_fetch_passes_one_place_with_its_demand_in_its_hands() -> None:
    """pace.py stands there."""
    assert names(Fetcher._proc_fetch_request) == ["self", "assignment", "node_id", "request"]
    assert "self._proc_fetch_request(assignment, node_id, request)" in inspect.getsource(
        Fetcher._fetch_requests_routine
    )
    request = FetchRequest(100, 1, 1000, 0, [])
    request._min_bytes, request._max_wait_ms = 77, 55
    built = request.build(FetchRequest_v4)
    assert (built.min_bytes, built.max_wait_time) == (77, 55)
    assert "self._fetcher = Fetcher(" in inspect.getsource(AIOKafkaConsumer.start)
