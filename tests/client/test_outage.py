"""The broker is silent, or gone: the app does not wait, and every record is accounted for.

A real broker of this module's own. Silent: frozen with SIGSTOP, connections open, no answer. Gone: kill -9.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from driftloop.client import Failure, Producer
from driftloop.console.broker.embedded import EmbeddedBroker
from driftloop.console.topics import apply_topics
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.settings import Settings

from ..freezing import freeze
from ..patience import GUARD_SECONDS

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("outage")]  # one broker of their own, not one a worker

FLIGHT = {"hour": 7, "distance": 1400.0, "carrier": "AA"}
DELIVERY_SECONDS = 20.0
"""Longer than a busy machine takes for the first records, or for two hundred calls of which one waits."""


class OwnBroker:
    """A broker that a test may freeze or kill. ``settings``: our topics on it."""

    def __init__(self, folder: Path) -> None:
        self.broker = EmbeddedBroker().start()
        self.settings = Settings(self.broker.bootstrap, prefix="outage", partitions=4, state_folder=folder)
        apply_topics(self.settings)

    @property
    def pid(self) -> int:
        """Of the broker itself: its supervisor has one child, and must be able to end a frozen one."""
        return int(subprocess.check_output(["pgrep", "-P", str(self.broker.supervisor_pid)]))

    @contextmanager
    def silent(self) -> Iterator[None]:
        """It holds its connections and answers nothing."""
        pid = self.pid
        freeze(pid)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Killed, for good: its supervisor ends with it."""
        os.kill(self.pid, signal.SIGKILL)
        while not self.broker.ended:
            time.sleep(0.01)
        yield


class Brokers:
    """The broker of this module; a new one after it was killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: OwnBroker | None = None

    def one(self) -> OwnBroker:
        if self._own is None or self._own.broker.ended:
            self.stop()
            self._own = OwnBroker(self._folder)
        return self._own

    def stop(self) -> None:
        if self._own is not None:
            self._own.broker.stop()


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    found = Brokers(tmp_path_factory.mktemp("outage"))
    yield found
    found.stop()


@pytest.fixture
def broker(brokers: Brokers) -> OwnBroker:
    return brokers.one()


def loses_nothing_silently(
    broker: OwnBroker, spec: MonitorSpecification, outage: AbstractContextManager[None]
) -> None:
    """Ten records while it stands, two hundred into a buffer of fifty while it does not."""
    reports: list[Failure] = []
    producer = Producer(
        "flights",
        broker.settings,
        version="v1",
        specification=spec,
        block_seconds_most=1.0,
        buffer_records_most=50,
        delivery_seconds_most=DELIVERY_SECONDS,
        on_failure=reports.append,
    )
    for _ in range(10):
        producer.predicted(FLIGHT, 0.5)
    assert producer.flush(GUARD_SECONDS) == 0
    assert producer.delivered == 10

    with outage:
        for _ in range(200):
            producer.predicted(FLIGHT, 0.5)
        # Had a call waited for longer than allowed, or each of the 150 for its second, then what is in the buffer had
        # timed out meanwhile, and there had been room.
        assert producer.dropped == 150

        assert producer.flush(GUARD_SECONDS) == 0, "records that time out leave the buffer"
        assert (producer.delivered, producer.failed, producer.dropped) == (10, 50, 150)
        producer.close()
    told = {kind: sum(r.records for r in reports if r.kind == kind) for kind in ("dropped", "not-delivered")}
    assert told == {"dropped": 150, "not-delivered": 50}
    assert len(reports) <= 4, "a burst is told in summaries"
    assert all(report.message for report in reports)


def test_nothing_is_lost_silently_when_the_broker_falls_silent(broker: OwnBroker, spec: MonitorSpecification) -> None:
    loses_nothing_silently(broker, spec, broker.silent())


def test_with_no_wait_allowed_a_full_buffer_costs_no_time(broker: OwnBroker, spec: MonitorSpecification) -> None:
    producer = Producer(
        "flights",
        broker.settings,
        version="v1",
        specification=spec,
        block_seconds_most=0.0,
        buffer_records_most=10,
        delivery_seconds_most=GUARD_SECONDS,
        on_failure=[].append,
    )
    with broker.silent():
        for _ in range(1000):
            producer.predicted(FLIGHT, 0.5)
        assert producer.dropped == 990
        producer.close(timeout_seconds=0.1)
    assert (producer.delivered, producer.failed) == (0, 10), "what is given up at the end has failed"


def test_an_app_that_is_faster_than_kafka_waits_and_loses_nothing(
    broker: OwnBroker, spec: MonitorSpecification
) -> None:
    with Producer(
        "flights",
        broker.settings,
        version="v1",
        specification=spec,
        block_seconds_most=GUARD_SECONDS,
        buffer_records_most=100,
    ) as producer:
        for _ in range(3000):
            producer.predicted(FLIGHT, 0.5)
        assert producer.flush(GUARD_SECONDS) == 0
        assert (producer.delivered, producer.failed, producer.dropped) == (3000, 0, 0)


def test_many_threads_are_counted_right(broker: OwnBroker, spec: MonitorSpecification) -> None:
    with Producer("flights", broker.settings, version="v1", specification=spec) as producer:
        ids: list[list[str]] = [[] for _ in range(4)]

        def work(mine: list[str]) -> None:
            mine.extend(producer.predicted(FLIGHT, 0.5) for _ in range(500))

        threads = [threading.Thread(target=work, args=(mine,)) for mine in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert producer.flush(GUARD_SECONDS) == 0
        assert producer.delivered == 2000
        assert len({i for mine in ids for i in mine}) == 2000


def test_a_callback_that_fails_does_not_end_the_reports(broker: OwnBroker, spec: MonitorSpecification) -> None:
    calls: list[Failure] = []

    def fail(failure: Failure) -> None:
        calls.append(failure)
        raise RuntimeError("the app's own mistake")

    producer = Producer(
        "flights",
        broker.settings,
        version="v1",
        specification=spec,
        block_seconds_most=0.0,
        buffer_records_most=1,
        delivery_seconds_most=0.5,
        on_failure=fail,
    )
    with broker.silent():
        while not producer.dropped:  # the first is in the buffer for half a second, however long a call takes
            producer.predicted(FLIGHT, 0.5)
        producer.flush(GUARD_SECONDS)
        producer.close()
    assert {call.kind for call in calls} == {"dropped", "not-delivered"}


def test_a_closed_producer_says_so_and_closing_twice_is_once(broker: OwnBroker, spec: MonitorSpecification) -> None:
    producer = Producer("flights", broker.settings, version="v1", specification=spec)
    producer.close()
    producer.close()
    with pytest.raises(ConfigError, match="this Producer is closed"):
        producer.predicted(FLIGHT, 0.5)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_producer_made_before_a_fork_says_so_in_the_child(broker: OwnBroker, spec: MonitorSpecification) -> None:
    with Producer("flights", broker.settings, version="v1", specification=spec) as producer:
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:  # nothing here may take a lock that a thread of the parent held at the fork
            try:
                producer.predicted(FLIGHT, 0.5)
            except ConfigError as error:
                os.write(writes, error.message.encode())
            finally:
                os._exit(0)
        os.close(writes)
        assert "made before a fork" in os.read(reads, 1000).decode()
        os.close(reads)
        os.waitpid(child, 0)
        producer.predicted(FLIGHT, 0.5)
        assert producer.flush(GUARD_SECONDS) == 0 and producer.delivered == 1, "the parent goes on"


def test_an_app_goes_on_where_the_broker_does(broker: OwnBroker, spec: MonitorSpecification) -> None:
    with Producer("flights", broker.settings, version="v1", specification=spec) as producer:
        producer.predicted(FLIGHT, 0.5)
        with broker.silent():
            producer.predicted(FLIGHT, 0.5)
            assert producer.flush(0.2) > 0
        assert producer.flush(GUARD_SECONDS) == 0
        assert (producer.delivered, producer.failed, producer.dropped) == (2, 0, 0)


def test_nothing_is_lost_silently_when_the_broker_is_killed(broker: OwnBroker, spec: MonitorSpecification) -> None:
    loses_nothing_silently(broker, spec, broker.gone())
