"""Records put back onto their topics, and the note that they were: one transaction, so neither is there alone.

While it is open, readers of these partitions wait for it (read_committed): it is kept small, and the broker ends one
that a crash has left open after ten seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from driftloop.console.connection import QUIET
from driftloop.console.dlq_ledger import Place
from driftloop.console.dlq_letters import DEAD_LETTER
from driftloop.console.dlq_originals import Original
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.letters import marker
from driftloop.schemas.settings import Settings

TRANSACTION_SECONDS_MOST = 10
CALL_SECONDS = 30.0
RECORD_BYTES_MOST = 64 << 20
TOO_LARGE = "MSG_SIZE_TOO_LARGE"
ATTEMPTS_MOST = 4
"""After a record was refused, librdkafka finds its numbering broken and has the next transaction aborted too."""
HINT = (
    "what was put back before is noted: saying it once more goes on from there. May this user write to these topics, "
    "and use a transactional id?"
)


class Return(NamedTuple):
    """A record and the letters that are done with once it is back."""

    original: Original
    letters: Sequence[Place]


class ReplayWriter:
    """``<prefix>-dlq-replay``, a transactional producer: whoever opens it last ends what others had begun."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic(DEAD_LETTER)
        self._producer = Producer(
            settings.confluent(
                transactional_id=settings.group("dlq-replay"),
                transaction_timeout_ms=TRANSACTION_SECONDS_MOST * 1000,
                message_max_bytes=RECORD_BYTES_MOST,
                linger_ms=5,
                compression_type="lz4",
            )
            | {"logger": QUIET}
        )
        try:
            self._producer.init_transactions(CALL_SECONDS)
        except KafkaException as error:
            raise _unavailable(error) from error

    def write(self, returns: Sequence[Return]) -> dict[Place, str]:
        """Put them back. What a topic refuses (its limit on size) is left out and comes out by letter, with why.

        Errors: Unavailable; nothing of these is back then, what was written before stays.
        """
        for attempt in range(1, ATTEMPTS_MOST + 1):
            why = self._transaction(returns)
            if not why:
                return {}
            if TOO_LARGE in why:
                break
            if attempt == ATTEMPTS_MOST:
                raise Unavailable(f"the records cannot be put back: {why}", HINT)
        if len(returns) == 1:
            return {returns[0].letters[0]: "their topic takes no record as large"}
        return {place: text for one in returns for place, text in self.write([one]).items()}

    def _transaction(self, returns: Sequence[Return]) -> str:
        """Why it was aborted; "" if it was committed."""
        producer, refused = self._producer, list[str]()

        def remember(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                refused.append(error.name())

        try:
            producer.begin_transaction()
            for original, _ in returns:
                stamp = {"timestamp": original.timestamp_ms} if original.timestamp_ms >= 0 else {}
                producer.produce(
                    original.topic,
                    original.value,
                    original.key,
                    original.partition,
                    headers=original.headers,
                    on_delivery=remember,
                    **stamp,
                )
            for partition, offsets in _by_partition(returns).items():
                value, headers = marker(offsets)
                producer.produce(self._topic, value, partition=partition, headers=headers)
            producer.commit_transaction(CALL_SECONDS)
        except KafkaException as error:
            cause = error.args[0]
            # The client itself refuses what is too large without ending the transaction.
            if cause.fatal() or not (cause.txn_requires_abort() or cause.name() == TOO_LARGE):
                raise _unavailable(error) from error
            producer.abort_transaction(CALL_SECONDS)
            return TOO_LARGE if TOO_LARGE in (*refused, cause.name()) else f"{cause.name()}: {cause.str()}"
        return ""


def _by_partition(returns: Sequence[Return]) -> dict[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for one in returns:
        for place in one.letters:
            found[place.partition].append(place.offset)
    return found


def _unavailable(error: KafkaException) -> Unavailable:
    cause = error.args[0]
    if cause.name() in ("_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"):
        return Unavailable(
            "another `driftloop dlq replay` has begun meanwhile and has ended this one",
            "it replays what is left; `driftloop dlq list` shows what was replayed",
        )
    return Unavailable(
        f"the records cannot be put back: {cause.str()}",
        HINT,
    )
