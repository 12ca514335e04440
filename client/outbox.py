"""A bounded buffer in front of Kafka that never holds the app up for longer than it is told to.

Counts add up: accepted = delivered + failed + left (still in the buffer), and every record that was offered is either
accepted or dropped. librdkafka confirms only failures to us, so the hot path has no callback a record.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from driftloop.client.cluster import LastError, partitions_of
from driftloop.client.failures import Failure, Tally
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.settings import Settings

log = logging.getLogger("driftloop.client")
Headers = list[tuple[str, bytes]] | None
OnFailure = Callable[[Failure], None]
_CLOSED = -1
_ROOM_SECONDS = 0.005
"""How often a waiting call looks whether the buffer has room again."""

_forks = 0
"""Forks between this process and the one that imported this module. A system call for the process id would cost a
microsecond a record."""


def _forked() -> None:
    global _forks  # noqa: PLW0603 - the one thing a fork tells us
    _forks += 1


os.register_at_fork(after_in_child=_forked)


def log_failure(failure: Failure) -> None:
    """What happens to failures where the app gave no ``on_failure``."""
    log.warning("%d records %s (%d so far): %s", failure.records, failure.kind, failure.total, failure.message)


class Outbox:
    """Sends records to some topics. ``on_failure`` is called in a thread of its own, never in the app's.

    ``partitions`` of each topic. Errors: ConfigError for a topic that is not there, Unavailable.
    """

    def __init__(
        self,
        settings: Settings,
        topics: tuple[str, ...],
        *,
        on_failure: OnFailure = log_failure,
        block_seconds_most: float,
        buffer_records_most: int,
        buffer_bytes_most: int,
        delivery_seconds_most: float,
        record_bytes_most: int,
        extra: dict[str, Any],
    ) -> None:
        self._block_seconds_most = block_seconds_most
        self._record_bytes_most = record_bytes_most
        self._on_failure = on_failure
        self._tally = Tally()
        self._lock = threading.Lock()
        self._accepted = 0
        self._dropping = False
        self._said = LastError()
        self._process = _forks
        self._producer = Producer(
            settings.confluent(
                enable_idempotence=True,
                partitioner="murmur2_random",  # Java's and Faust's: both topics agree on the partition of an id
                compression_type="lz4",
                linger_ms=20,
                queue_buffering_max_messages=buffer_records_most,
                queue_buffering_max_kbytes=max(1, buffer_bytes_most // 1024),
                delivery_timeout_ms=max(1, round(delivery_seconds_most * 1000)),
                message_max_bytes=record_bytes_most,
                delivery_report_only_error=True,
            )
            | {"on_delivery": self._not_delivered}
            | self._said.callbacks
            | extra
        )
        self.partitions = partitions_of(self._producer, self._said, settings, topics)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="driftloop-producer", daemon=True)
        self._thread.start()

    @property
    def delivered(self) -> int:
        """Confirmed by Kafka. Exact once the buffer is empty; before, it may lag behind, never run ahead."""
        with self._lock:
            return max(0, self._accepted - self.failed - len(self._producer))

    @property
    def failed(self) -> int:
        """Accepted, but never confirmed."""
        return self._tally.total("not-delivered")

    @property
    def dropped(self) -> int:
        """Not accepted: no room within ``block_seconds_most``."""
        return self._tally.total("dropped")

    @property
    def left(self) -> int:
        """Accepted, and neither confirmed nor failed yet."""
        return len(self._producer)

    def send(self, topic: str, value: bytes, key: bytes | None, headers: Headers = None, partition: int = -1) -> bool:
        """True when accepted. Errors: BadRecord ``too-large``; ConfigError when closed or in a forked child."""
        if self._process != _forks:
            raise self._unusable()
        try:
            try:
                self._producer.produce(topic, value, key, partition, headers=headers)
            except BufferError:
                if not self._sent_after_waiting(topic, value, key, headers, partition):
                    self._dropping = True
                    self._tally.add("dropped", self._said.text or "the buffer is full")
                    return False
        except KafkaException as error:
            self._refused(error.args[0], topic, len(value))
            return False
        self._dropping = False
        with self._lock:
            self._accepted += 1
        return True

    def flush(self, timeout_seconds: float) -> int:
        """Wait until the buffer is empty; records left when the time is over."""
        return int(self._producer.flush(timeout_seconds))

    def close(self, timeout_seconds: float) -> None:
        """Flush, give up what is left (it counts as failed), make the last report, stop. Twice is once."""
        if self._closing.is_set() or self._process != _forks:
            return
        if self.flush(timeout_seconds):
            self._producer.purge()
            self.flush(1.0)
        self._closing.set()
        self._thread.join(5.0)
        self._report(final=True)
        self._process = _CLOSED

    def _sent_after_waiting(
        self, topic: str, value: bytes, key: bytes | None, headers: Headers, partition: int
    ) -> bool:
        """Within a burst of drops only the first call waits: else an app of 1,000 records a second would stand."""
        if self._dropping:
            return False
        deadline = time.monotonic() + self._block_seconds_most
        while (remaining := deadline - time.monotonic()) > 0:
            self._producer.poll(min(remaining, _ROOM_SECONDS))
            try:
                self._producer.produce(topic, value, key, partition, headers=headers)
            except BufferError:
                continue
            return True
        return False

    def _unusable(self) -> ConfigError:
        if self._process == _CLOSED:
            return ConfigError("this Producer is closed", "make a new one")
        return ConfigError(
            "this Producer was made before a fork and has no threads in the child",
            "make the Producer in the worker process (gunicorn: in post_fork), not before",
        )

    def _refused(self, error: KafkaError, topic: str, value_bytes: int) -> None:
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            raise BadRecord(
                "too-large",
                f"a record of {value_bytes:,} bytes is more than {topic} takes ({self._record_bytes_most:,})",
                "send less with it, or raise max.message.bytes of the topic",
            )
        self._tally.add("dropped", error.str())

    def _not_delivered(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            said = f"; {self._said.text}" if self._said.text else ""
            self._tally.add("not-delivered", f"{message.topic()}: {error.str()}{said}")

    def _serve(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(0.1)
            self._report(final=False)

    def _report(self, final: bool) -> None:
        for failure in self._tally.due(time.monotonic(), final):
            try:
                self._on_failure(failure)
            except Exception:  # the app's callback: its error must not end our thread
                log.exception("on_failure failed for %s", failure)
