"""One transactional producer for one source partition: the fence, and the only way state and outputs are written.

Opening it (``init_transactions``) ends what a predecessor left open and fences it for good: the broker refuses its
next write. One checkpoint is one transaction: state records, outputs, header; all or nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from driftloop.schemas.errors import DriftloopError
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import Output
from driftloop.streams.transport.exits import Exit
from driftloop.streams.transport.state.state_log import QUIET

log = logging.getLogger("driftloop.transport")
SILENT = logging.getLogger("driftloop.transport.librdkafka")
SILENT.disabled = True  # it would print FATAL to stderr when fenced, whatever its log level

TRANSACTION_SECONDS_MOST = 30
CALL_SECONDS = 5.0
LINGER_MS = 20
"""About what a transaction takes to fill; its commit sends what is left at once, for a flush does not wait. A record
that is sent as soon as it is produced is a request by itself, and a checkpoint of a hundred models has hundreds."""
RECORD_BYTES_MOST = 16 << 20


class WriteEnded(DriftloopError):
    """The producer is of no use any more: ``exit`` says why."""

    def __init__(self, end: Exit, message: str) -> None:
        super().__init__(message)
        self.exit = end


class StateRecord(NamedTuple):
    """A record of the state partition; ``value`` None deletes it."""

    key: bytes
    value: bytes | None


class Writer:
    """Writes the checkpoints of one partition. Blocking: call it from a thread, one call at a time."""

    def __init__(self, settings: Settings, group: str, state: str, partition: int) -> None:
        self._settings = settings
        self._transactional_id = f"{group}-{partition}"
        self._state = state
        self._partition = partition
        self._producer: Producer | None = None
        self._undelivered: list[str] = []

    def open(self, wanted: Callable[[], bool]) -> bool:
        """Fence every predecessor. A broker that is away is waited for. WriteEnded: refused.

        False: not ``wanted`` any more. Whoever goes on then would fence the rightful successor.
        """
        producer = Producer(
            self._settings.confluent(
                transactional_id=self._transactional_id,
                client_id=self._transactional_id,
                transaction_timeout_ms=TRANSACTION_SECONDS_MOST * 1000,
                linger_ms=LINGER_MS,
                partitioner="murmur2_random",
                compression_type="lz4",
                message_max_bytes=RECORD_BYTES_MOST,
            )
            | QUIET
            | {"logger": SILENT}
        )
        while wanted():
            try:
                producer.init_transactions(CALL_SECONDS)
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise self._ended(error) from error
            else:
                self._producer = producer
                return True
        return False

    def write(self, state: Iterable[StateRecord], outputs: Iterable[Output]) -> bool:
        """One transaction. True: committed. False: it was aborted, nothing of it counts; reload and go on.

        WriteEnded: fenced or refused; the process must end.
        """
        producer = self._producer
        if producer is None:
            raise WriteEnded(Exit.FENCED, f"{self._transactional_id}: the producer is closed")
        self._undelivered.clear()
        try:
            producer.begin_transaction()
            for record in state:
                self._produce(producer, Output(self._state, record.key, record.value, self._partition))
            for output in outputs:
                self._produce(producer, output)
            self.before_commit()
            _retried(producer.commit_transaction)
        except KafkaException as error:
            cause = _cause(producer, error)
            if cause.args[0].fatal() or not cause.args[0].txn_requires_abort():
                raise self._ended(cause) from error
            self._abort(producer, cause)
            return False
        return True

    def before_commit(self) -> None:
        """Nothing. Tests stand here, between the last record of a transaction and its commit."""

    def close(self) -> None:
        """Give the producer up. An open transaction is aborted, by librdkafka, which waits for a broker that is away;
        or by the broker, at the successor's ``open``."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaException):  # of a fenced one: the fence has said all there is to say
                producer.close()

    def _produce(self, producer: Producer, output: Output) -> None:
        options = {} if output.partition is None else {"partition": output.partition}
        if output.timestamp_ms is not None:
            options["timestamp"] = output.timestamp_ms
        while True:
            try:
                producer.produce(
                    output.topic,
                    output.value,
                    output.key,
                    headers=list(output.headers) or None,
                    on_delivery=self._delivered,
                    **options,
                )
            except BufferError:  # more records than librdkafka's queue holds: let it send some
                producer.poll(0.1)
            else:
                return

    def _delivered(self, error: object, message: Message) -> None:
        if error is not None:
            self._undelivered.append(f"{message.topic()}: {error}")

    def _abort(self, producer: Producer, cause: KafkaException) -> None:
        reasons = "; ".join(dict.fromkeys([str(cause.args[0].str()), *self._undelivered]))
        log.warning("transaction of %s aborted: %s", self._transactional_id, reasons)
        try:
            _retried(producer.abort_transaction)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.INVALID_TXN_STATE:
                return  # the broker never heard of it: away for longer than a transaction may last. The fence would
                # have been told before this, and the reload opens a new producer, which ends whatever there is.
            raise self._ended(error) from error

    def _ended(self, error: KafkaException) -> WriteEnded:
        cause = error.args[0]
        end = Exit.FENCED if cause.name() in FENCED_NAMES else Exit.REFUSED
        return WriteEnded(end, f"{self._transactional_id}: {cause.name()}: {cause.str()}")


FENCED_NAMES = {"_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"}


def _cause(producer: Producer, error: KafkaException) -> KafkaException:
    """``produce`` tells only that the transaction has failed meanwhile (_FATAL, _STATE). Its commit tells why."""
    if error.args[0].code() in (KafkaError._FATAL, KafkaError._STATE):
        try:
            _retried(producer.commit_transaction)
        except KafkaException as known:
            return known
    return error


def _retried(call: Callable[[float], object]) -> None:
    """Call until it succeeds or fails for good: a broker that is away comes back."""
    while True:
        try:
            call(CALL_SECONDS)
        except KafkaException as error:
            if not error.args[0].retriable():
                raise
        else:
            return
