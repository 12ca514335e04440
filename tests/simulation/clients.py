"""What the transport's blocking code sees of confluent-kafka: the calls it makes, their errors, and time that passes.

Every call is a step at which its process may stop, and some of them fail as the seed says: with an error that asks
for another try, with one that asks for an abort, or without saying whether a commit went through.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from .kafka import Away, Broker, Fenced, Record
from .loop import blocking_step


class Trouble:
    """How often what goes wrong. ``calm`` ends it."""

    def __init__(self, rng: random.Random, abortable: float, retriable: float, unsure: float) -> None:
        self.rng = rng
        self.abortable, self.retriable, self.unsure = abortable, retriable, unsure
        self.aborts = 0

    def calm(self) -> None:
        self.abortable = self.retriable = self.unsure = 0.0

    def happens(self, share: float) -> bool:
        return self.rng.random() < share


def error(code: int, fatal: bool = False, retriable: bool = False, abort: bool = False) -> KafkaException:
    return KafkaException(KafkaError(code, "simulated", fatal, retriable, abort))


def fenced() -> KafkaException:
    return error(KafkaError._FENCED, fatal=True)


class Clients:
    """Makes producers and consumers that talk to ``broker``."""

    def __init__(self, broker: Broker, trouble: Trouble) -> None:
        self.broker, self.trouble = broker, trouble

    def producer(self, settings: dict[str, Any]) -> SimulatedProducer:
        return SimulatedProducer(self.broker, self.trouble, settings["transactional.id"])

    def consumer(self, settings: dict[str, Any]) -> SimulatedConsumer:
        assert settings["isolation.level"] == "read_committed"
        return SimulatedConsumer(self.broker)


class SimulatedProducer:
    """confluent_kafka.Producer with a transactional id."""

    def __init__(self, broker: Broker, trouble: Trouble, owner: str) -> None:
        self.broker, self.trouble, self.owner = broker, trouble, owner
        self.epoch = -1
        self.queue: list[tuple[Any, ...]] = []
        self.refused: KafkaException | None = None
        self.spoiled = False
        """An error that asks for an abort has come."""
        self.sent = False
        self.through = False
        """Of this transaction: something has reached the broker; its end has."""
        self.closed = False

    def init_transactions(self, seconds: float) -> None:
        blocking_step()
        self._not_now(seconds)
        try:
            self.epoch = self.broker.init(self.owner)
        except Away:
            self._timed_out(seconds)
        blocking_step()

    def begin_transaction(self) -> None:
        self._fatal()
        self.spoiled = self.sent = self.through = False
        blocking_step()

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Any = None,
        on_delivery: Callable[..., None] | None = None,  # noqa: ARG002
        partition: int = 0,
        timestamp: int = 0,  # noqa: ARG002
    ) -> None:
        """Into the queue; some of it is sent at once, as librdkafka's thread may. A transaction that has failed
        meanwhile takes no more, and its commit tells why."""
        if self.closed:
            raise RuntimeError("Producer has been closed")
        if self.refused is not None or self.spoiled:
            raise error(KafkaError._FATAL if self.refused is not None else KafkaError._STATE)
        self.spoiled = self.trouble.happens(self.trouble.abortable / 20)
        self.queue.append(((topic, partition), key, value, dict(headers or ())))
        if self.trouble.happens(0.3):
            blocking_step()
            self._send()

    def poll(self, seconds: float) -> None:
        blocking_step(seconds)

    def commit_transaction(self, seconds: float) -> None:
        self._fatal()
        self._not_now(seconds)
        if self.spoiled or (not self.through and self.trouble.happens(self.trouble.abortable)):
            self.trouble.aborts += 1
            raise error(KafkaError._INCONSISTENT, abort=True)
        while self.queue:
            self._send(1)
            self._fatal()
            if self.queue and self.broker.away:
                self._timed_out(seconds)
            blocking_step()
        self._fatal()
        self._end("committed", seconds)
        if self.trouble.happens(self.trouble.unsure):  # it has gone through, and the answer was lost
            blocking_step(seconds)
            raise error(KafkaError._TIMED_OUT, retriable=True)
        blocking_step()

    def abort_transaction(self, seconds: float) -> None:
        self._fatal()
        self.queue.clear()
        self._not_now(seconds)
        blocking_step()
        self._end("aborted", seconds)
        blocking_step()

    def close(self) -> None:
        """What is open is aborted; whoever goes on with it is told that it has been closed."""
        self.closed = True
        blocking_step()
        self.queue.clear()
        if self.refused is None and self.epoch >= 0:
            with suppress(Away, Fenced):
                if self.owner in self.broker.open:
                    self.broker.end(self.owner, self.epoch, "aborted")

    def _send(self, most: int = 1_000_000) -> None:
        try:
            while self.queue and most:
                self.broker.append(self.owner, self.epoch, *self.queue[0])
                self.queue.pop(0)
                self.sent = True
                most -= 1
        except Fenced:
            self.refused = fenced()
        except Away:
            pass

    def _end(self, state: str, seconds: float) -> None:
        try:
            if self.sent:
                self.broker.end(self.owner, self.epoch, state)
            self.through = True
        except Fenced:
            self.refused = fenced()
            self._fatal()
        except Away:
            self._timed_out(seconds)

    def _fatal(self) -> None:
        if self.closed:
            raise RuntimeError("Producer has been closed")
        if self.refused is not None:
            raise self.refused

    def _not_now(self, seconds: float) -> None:
        if self.trouble.happens(self.trouble.retriable):
            self._timed_out(min(seconds, 0.2))

    @staticmethod
    def _timed_out(seconds: float) -> None:
        blocking_step(seconds)
        raise error(KafkaError._TIMED_OUT, retriable=True)


class Message:
    """confluent_kafka.Message; ``ended``: no record, the end of the partition."""

    def __init__(self, topic: str, record: Record, ended: bool = False) -> None:
        self._topic, self._record, self._ended = topic, record, ended

    def topic(self) -> str:
        return self._topic

    def offset(self) -> int:
        return self._record.offset

    def key(self) -> bytes | None:
        return self._record.key

    def value(self) -> bytes | None:
        return self._record.value

    def timestamp(self) -> tuple[int, int]:
        return 1, self._record.timestamp

    def headers(self) -> list[tuple[str, bytes]]:
        return list(self._record.headers)

    def error(self) -> KafkaError | None:
        return KafkaError(KafkaError._PARTITION_EOF) if self._ended else None


class SimulatedConsumer:
    """confluent_kafka.Consumer, read_committed, with end-of-partition events."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.at: dict[tuple[str, int], int] = {}

    def list_topics(self, topic: str, timeout: float) -> None:  # noqa: ARG002
        self._asked(0.2)

    def get_watermark_offsets(self, tp: TopicPartition, seconds: float) -> tuple[int, int]:
        self._asked(min(seconds, 1.0))
        return 0, self.broker.log(tp.topic, tp.partition).stable

    def assign(self, tps: list[TopicPartition]) -> None:
        self.at = {(tp.topic, tp.partition): tp.offset for tp in tps}

    def unassign(self) -> None:
        self.at = {}

    def consume(self, most: int, seconds: float) -> list[Message]:
        blocking_step(seconds)
        if self.broker.away:
            return []
        found = []
        for (topic, partition), start in self.at.items():
            log = self.broker.log(topic, partition)
            some = log.committed(start)[: min(most, self.broker_page)]
            found += [Message(topic, record) for record in some]
            if len(some) < self.broker_page:
                self.at[topic, partition] = log.stable
                found.append(Message(topic, Record(log.stable, 0, None, None, ()), ended=True))
            else:
                self.at[topic, partition] = some[-1].offset + 1
        return found

    broker_page = 20

    def close(self) -> None:
        """Nothing is kept."""

    def _asked(self, seconds: float) -> None:
        blocking_step()
        if self.broker.away:
            blocking_step(seconds)
            raise error(KafkaError._TRANSPORT)
