"""What `driftloop doctor` finds: pure checks over facts that doctor_reading.py has collected from the cluster.

Each check gives findings: ok, warning (it works, but somebody should know), wrong (numbers will be missing or wrong),
and the way out.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, median_low
from typing import NamedTuple

from driftloop.console.status import ServiceStatus
from driftloop.console.topics import Difference
from driftloop.schemas.murmur2 import partition_of

OK, WARNING, WRONG = "ok", "warning", "wrong"
MURMUR2, CRC32, OTHER = "murmur2", "crc32", "unknown"
SHARE_LEAST = 0.98
"""Of the keys that must lie where a partitioner would put them, for it to be named; below, nobody knows."""
KEYS_LEAST = 20
AHEAD_SECONDS_MOST = 60.0
BEHIND_SECONDS_MOST = 3_600.0
"""So much later than the other models one may be told: windows are of hours."""
HARMLESS = ("segment.bytes", "segment.ms", "min.insync.replicas", "compression.type", "replication")
"""Settings whose difference from the table costs speed, room or safety, never a number."""


class Finding(NamedTuple):
    """``state`` is one of OK, WARNING, WRONG."""

    check: str
    state: str
    message: str
    way_out: str = ""


class Key(NamedTuple):
    """A record's key, and the partition it lies in."""

    key: bytes
    partition: int


@dataclass(frozen=True, slots=True)
class Facts:
    """``keys``: of the last records, by short topic name. ``ahead_seconds``: event time less Kafka's time of the last
    predictions. ``seen``: models among the last predictions. ``reasons``: of the last dead letters."""

    brokers: int
    partitions: int
    missing: Sequence[str] = ()
    differences: Sequence[Difference] = ()
    refused: Sequence[tuple[str, str, str]] = ()
    """(service, why it would not start or its state does not fit, way out)."""
    retention_seconds: Mapping[str, float] = field(default_factory=dict)
    memory_seconds: Mapping[str, float] = field(default_factory=dict)
    """By model, horizon and dedup time together."""
    services: Sequence[ServiceStatus] = ()
    keys: Mapping[str, Sequence[Key]] = field(default_factory=dict)
    ahead_seconds: Sequence[float] = ()
    models: Sequence[str] = ()
    seen: frozenset[str] = frozenset()
    reasons: Mapping[str, int] = field(default_factory=dict)
    disorders: Mapping[str, float] = field(default_factory=dict)
    """Seconds by which the judge stays behind event time, by model, as the observer's last progress has it; it may
    be longer than the monitor file says while rows of an earlier specification wait."""


def examine(facts: Facts) -> list[Finding]:
    """All findings, in the order in which a person would look."""
    found = [Finding("broker", OK, f"{facts.brokers} broker(s) answer")]
    for check in (_topics, _retention, _workers, _services, _placement, _clocks, _models, _behind, _letters):
        found.extend(check(facts))
    return found


def _topics(facts: Facts) -> Iterator[Finding]:
    for name in facts.missing:
        yield Finding("topics", WRONG, f"{name} is missing", "`driftloop topics apply` creates it")
    for one in facts.differences:
        state = WARNING if one.setting in HARMLESS else WRONG
        way_out = "`driftloop topics apply --fix`"
        if one.setting == "partitions":
            way_out += "; with records in it: DRIFTLOOP_PARTITIONS as the cluster has it, or another DRIFTLOOP_PREFIX"
        yield Finding("topics", state, str(one), way_out)
    if not facts.missing and not facts.differences:
        yield Finding("topics", OK, "as the table says")


def _retention(facts: Facts) -> Iterator[Finding]:
    needed = max(facts.memory_seconds.values(), default=0.0)
    short = {topic: kept for topic, kept in facts.retention_seconds.items() if kept < needed}
    for topic, kept in short.items():
        yield Finding(
            "retention",
            WRONG,
            f"{topic} keeps records for {kept / 86_400:.1f} days, a model waits {needed / 86_400:.1f} for its labels",
            f"raise retention.ms of {topic}, or shorten horizon and dedup in the monitor file",
        )
    if not short:
        yield Finding("retention", OK, "longer than every label horizon")


def _workers(facts: Facts) -> Iterator[Finding]:
    for service, why, way_out in facts.refused:
        yield Finding("workers", WRONG, f"{service}: {why}", way_out)
    if not facts.refused:
        yield Finding("workers", OK, "rights, partitions and states fit")


def _services(facts: Facts) -> Iterator[Finding]:
    for one in facts.services:
        problems = list(one.problems())
        yield from (Finding("services", WRONG, f"{one.service}: {problem}") for problem in problems)
        if not problems:
            state = WARNING if not one.members else OK
            message = f"{one.service}: lag {one.lag:,}, {len(one.members)} member(s)"
            yield Finding("services", state, message, "" if one.members else f"`driftloop {one.service}` starts it")


def partitioner(keys: Iterable[Key], partitions: int) -> str:
    """Which partitioner puts (nearly) all of these keys where they lie."""
    found = list(keys)
    right = {
        MURMUR2: sum(partition_of(key, partitions) == at for key, at in found),
        CRC32: sum(zlib.crc32(key) % partitions == at for key, at in found),
    }
    name, count = max(right.items(), key=lambda item: item[1])
    return name if count >= SHARE_LEAST * len(found) else OTHER


def _placement(facts: Facts) -> Iterator[Finding]:
    names = {
        topic: partitioner(keys, facts.partitions) for topic, keys in facts.keys.items() if len(keys) >= KEYS_LEAST
    }
    if facts.partitions == 1 or set(names.values()) <= {MURMUR2}:
        yield Finding("keys", OK, f"lie where murmur2 puts them ({sum(map(len, facts.keys.values())):,} looked at)")
        return
    told = ", ".join(f"{topic}: {name}" for topic, name in names.items())
    way_out = (
        "partitioner=\"murmur2_random\" in librdkafka's clients (their default is crc32), the default of Java's; "
        "driftloop.client has it"
    )
    if len(set(names.values())) == 1 and OTHER not in names.values():
        message = f"partitioners are {told}; the same, so pairs still meet"
        yield Finding("keys", WARNING, message, f"no writer with another one may join in; better {way_out}")
    else:
        message = f"partitioners are {told}; a prediction and its truth in different partitions can never meet"
        yield Finding("keys", WRONG, message, way_out)


def _clocks(facts: Facts) -> Iterator[Finding]:
    if not facts.ahead_seconds:
        return
    ahead = median(facts.ahead_seconds)
    if max(facts.ahead_seconds) > AHEAD_SECONDS_MOST:
        yield Finding(
            "clocks",
            WARNING,
            f"event times run up to {max(facts.ahead_seconds):.0f} s ahead of Kafka's (median {ahead:.0f} s)",
            "is the clock of an app fast? from 600 s on its records are dead letters; windows close too early before",
        )
    else:
        yield Finding("clocks", OK, f"event times are {-ahead:.0f} s behind Kafka's (median)")


def _models(facts: Facts) -> Iterator[Finding]:
    silent = [model for model in facts.models if model not in facts.seen]
    if not facts.models:
        yield Finding("models", WARNING, "no monitor is applied", "`driftloop monitor apply FILE`")
    for model in silent:
        yield Finding(
            "models",
            WARNING,
            f"{model}: none of the last predictions is of this model",
            "does its app run, and say the name that the monitor file has?",
        )
    if facts.models and not silent:
        yield Finding("models", OK, f"{', '.join(facts.models)}: predictions come")


def _behind(facts: Facts) -> Iterator[Finding]:
    """Models whose frontier is the partitions' less a disorder that others do not have."""
    for model, own in sorted(facts.disorders.items()):
        others = [seconds for name, seconds in facts.disorders.items() if name != model]
        usual = median_low(others or [own])
        if own - usual > BEHIND_SECONDS_MOST:
            yield Finding(
                "models",
                WARNING,
                f"{model}: its windows and incidents come {(own - usual) / 3600:.1f} h of event time behind those of "
                f"the others: it waits {own / 3600:.1f} h for records out of order, they {usual / 3600:.1f} h",
                f"are its records so late? if not, a shorter disorder in its monitor file ([time]; now {own:.0f} s), "
                "then `driftloop monitor apply FILE`",
            )


def _letters(facts: Facts) -> Iterator[Finding]:
    for reason, count in Counter(facts.reasons).most_common():
        message = f"{count:,} of the last dead letters: {reason}"
        yield Finding("dead letters", WARNING, message, f"`driftloop dlq list --reason {reason}`, then `dlq replay`")
    if not facts.reasons:
        yield Finding("dead letters", OK, "none")
