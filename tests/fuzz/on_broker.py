"""Part (b): the same records on a real broker, the observer as a process: each refused one is kept exactly once.

What is expected is worked out from the topics as they are read back: the oracle says what may be refused, and the
observer's fold, driven from lists in this process, which panes the rest must have made.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from confluent_kafka import Producer as RawProducer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from driftloop.console.models import read_catalogue
from driftloop.console.publishing import Publication, publish
from driftloop.console.reading import read_batches, read_messages
from driftloop.schemas.codec import decode
from driftloop.schemas.events import Pane
from driftloop.schemas.letters import read_letter
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import FoldContext, SourceRecords
from driftloop.streams.observer.fold import SOURCES, ObserverFold

from ..integration.loop import QUIET, Loop, running
from .letters import check_list, show_and_replay
from .models import events_of_catalogue
from .mutations import Fuzzed
from .oracle import Oracle
from .pure import peak_bytes

RECORD_BYTES_MOST = 4_000_000
CLOCK_TICKS = 100.0
ABSORBED_SECONDS_MOST = 1_800.0
Place = tuple[str, int, int]


class Took(NamedTuple):
    """What the observer needed for a backlog, from ready to the last offset committed."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


def prepare(settings: Settings) -> None:
    """Room for records of some megabytes, and everything that the catalogue holds."""
    admin = AdminClient(settings.confluent() | QUIET)
    for short in SOURCES:
        resource = ConfigResource(ResourceType.TOPIC, settings.topic(short))
        setting = "max.message.bytes", str(RECORD_BYTES_MOST)
        resource.add_incremental_config(ConfigEntry(*setting, incremental_operation=AlterConfigOpType.SET))
        for future in admin.incremental_alter_configs([resource]).values():
            future.result(180)
    publish(settings, [Publication(*one) for one in events_of_catalogue()])


def produce(settings: Settings, records: Iterable[Fuzzed], now: float) -> int:
    """Write them all; how many. One that the broker does not take yet (its new limit holds a moment later) again."""
    refused: list[Message] = []

    def remember(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            refused.append(message)

    more = {"message_max_bytes": 2 * RECORD_BYTES_MOST, "partitioner": "murmur2_random", "linger_ms": 20}
    producer = RawProducer(settings.confluent(**more) | QUIET)
    count, stamp = 0, int(now * 1000)

    def send(topic: str, value: bytes | None, key: bytes | None, headers: Any) -> None:
        while True:
            try:
                producer.produce(topic, value, key, timestamp=stamp, headers=headers or None, on_delivery=remember)
                return
            except BufferError:
                producer.poll(0.1)

    for record in records:
        count += 1
        send(settings.topic(record.short), record.value, record.key, record.headers)
    deadline = time.monotonic() + 180
    while producer.flush(60) or refused:
        assert time.monotonic() < deadline
        again, refused[:] = list(refused), []
        for message in again:
            send(message.topic(), message.value(), message.key(), message.headers())
    return count


def observe(loop: Loop) -> Took:
    """Start the observer on what is there, wait until the group has committed all of it, and stop it."""
    loop.start("observer")
    pid = loop.processes["observer"].pid
    log = loop.logs / "observer.log"
    loop.wait("the observer to be ready", lambda: log.exists() and "ready: " in log.read_text())
    start, cpu = time.monotonic(), _cpu_seconds(pid)
    with _Lag(loop.settings) as lag:
        loop.wait("all of it to be absorbed", lambda: lag.left() == 0, ABSORBED_SECONDS_MOST)
    took = Took(time.monotonic() - start, _cpu_seconds(pid) - cpu, peak_bytes(pid))
    assert loop.stop() == {"observer": 0}
    log.unlink()
    return took


class Expected(NamedTuple):
    """``faults``: what is wrong with each record that must be refused, by place. ``panes``: bytes of those told."""

    faults: dict[Place, frozenset[str]]
    taken: int
    panes: set[bytes]


def expected(settings: Settings) -> Expected:
    """From the two topics as they are on the broker."""
    oracle, catalogue = Oracle(registry=False), read_catalogue(settings)
    context = FoldContext(catalogue, lambda: None, settings.partitions, settings.topic)
    folds = [ObserverFold(p, {}, context) for p in range(settings.partitions)]
    faults: dict[Place, frozenset[str]] = {}
    known: dict[frozenset[str], frozenset[str]] = {}
    taken = 0
    for short in SOURCES:
        for batch in _by_partition(settings, short):
            for m in batch:
                judged = oracle.judge(short, m.key(), m.value(), m.timestamp()[1])
                if judged.faults:
                    found = frozenset(judged.faults)
                    faults[m.topic(), m.partition(), m.offset()] = known.setdefault(found, found)
                else:
                    taken += 1
            folds[batch[0].partition()].absorb(_source_records(batch))
            folds[batch[0].partition()]._outputs.clear()  # letters: the oracle's are compared
    told = [o.value for fold in folds for o in fold.collect().outputs if o.topic == settings.topic("panes")]
    return Expected(faults, taken, {value for value in told if value and isinstance(decode(value), Pane)})


def check_letters(settings: Settings, faults: dict[Place, frozenset[str]]) -> Counter[tuple[str, str]]:
    """Each refused record has one letter, with a right reason; by (reason, topic) how many there are."""
    counts, left = Counter[tuple[str, str]](), dict(faults)
    for message in read_messages(settings, settings.topic("dead-letter")):
        letter = read_letter(message.headers())
        place = (letter.topic, letter.partition, letter.offset)
        assert place in faults, f"{place} was refused as {letter.reason}, and nothing is wrong with it"
        assert place in left, f"{place} was dead-lettered twice"
        assert letter.reason in left.pop(place), f"{place}: {letter.reason}, not one of {faults[place]}"
        counts[letter.reason, letter.topic] += 1
    assert not left, f"{len(left)} refused records have no letter, for example {next(iter(left))}"
    return counts


def told_panes(settings: Settings) -> set[bytes]:
    """The panes that the observer has written."""
    values = (message.value() for message in read_messages(settings, settings.topic("panes")))
    return {value for value in values if isinstance(decode(value), Pane)}


def fuzz(
    settings: Settings,
    folder: Path,
    records: Iterable[Fuzzed],
    now: float,
    say: Callable[[str], None] = lambda _: None,
    replayed: bool = False,
) -> tuple[dict[str, Any], Took]:
    """Everything of part (b) for one stream of records; ``replayed``: some letters are shown and put back, too."""
    prepare(settings)
    count = produce(settings, records, now)
    say(f"{count:,} records are written")
    with running(settings, folder) as loop:
        took = observe(loop)
        say(f"the observer has read them in {took.wall_seconds:.0f} s")
        right = expected(settings)
        assert len(right.faults) + right.taken == count
        say(f"the oracle refuses {len(right.faults):,}")
        counts = check_letters(settings, right.faults)
        panes = told_panes(settings)
        assert panes == right.panes, f"{len(panes - right.panes)} wrong panes, {len(right.panes - panes)} missing"
        say(f"each has its letter with a right reason; {len(panes):,} panes are right")
        dlq = show_and_replay(loop, counts) if replayed else {}
        if not replayed:
            check_list(loop, counts)
    found = {
        "records": count,
        "taken": right.taken,
        "refused": len(right.faults),
        "dead_letters": sum(counts.values()),
        "panes": len(panes),
        "reasons": {
            short: {reason: n for (reason, topic), n in sorted(counts.items()) if topic == settings.topic(short)}
            for short in SOURCES
        },
    }
    return found | told(took, count) | ({"dlq": dlq} if dlq else {}), took


def measure(settings: Settings, folder: Path, records: Iterable[Fuzzed], now: float) -> tuple[dict[str, Any], Took]:
    """The observer on as many records without a fault."""
    prepare(settings)
    count = produce(settings, records, now)
    with running(settings, folder) as loop:
        took = observe(loop)
    return told(took, count), took


def told(took: Took, count: int) -> dict[str, Any]:
    """Figures for the report."""
    return {
        "wall_seconds": round(took.wall_seconds, 2),
        "cpu_microseconds_per_record": round(took.cpu_seconds / count * 1e6, 2),
        "records_per_second": round(count / took.wall_seconds),
        "observer_peak_mb": round(took.peak_bytes / 2**20),
    }


def _by_partition(settings: Settings, short: str) -> Iterator[list[Message]]:
    for batch in read_batches(settings, settings.topic(short)):
        parts: defaultdict[int, list[Message]] = defaultdict(list)
        for message in batch:
            parts[message.partition()].append(message)
        yield from parts.values()


def _source_records(batch: list[Message]) -> SourceRecords:
    return SourceRecords(
        batch[0].topic(),
        batch[0].partition(),
        [m.offset() for m in batch],
        [m.key() for m in batch],
        [m.value() for m in batch],
        [m.timestamp()[1] for m in batch],
        [m.headers() or () for m in batch],
        0,
    )


class _Lag:
    """How many offsets the group has not committed yet."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = Consumer(settings.confluent(group_id=settings.group("observer")) | QUIET)
        topics = [settings.topic(short) for short in SOURCES]
        self._places = [TopicPartition(topic, p) for topic in topics for p in range(settings.partitions)]
        self._ends = [self._consumer.get_watermark_offsets(place, 10)[1] for place in self._places]

    def left(self) -> int:
        found = self._consumer.committed(self._places, 10)
        return sum(max(0, end - max(0, place.offset)) for end, place in zip(self._ends, found, strict=True))

    def __enter__(self) -> _Lag:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS
