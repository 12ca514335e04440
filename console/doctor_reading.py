"""The facts of `driftloop doctor`: asked of the cluster from outside; nothing is joined, written or committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from driftloop.console.connection import admin_client
from driftloop.console.doctor import Facts, Key
from driftloop.console.reading import read_batches, read_tails
from driftloop.console.stateful import STATEFUL, source_topics
from driftloop.console.status_reading import read_status
from driftloop.console.topics import compare, read_topics, wanted_topics
from driftloop.schemas.batches.columns import read_predictions
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import decode
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.events import Progress
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import Service
from driftloop.streams.judge.merge import Frontier
from driftloop.streams.transport.catalogue import KafkaCatalogue
from driftloop.streams.transport.preflight import Cluster, check_topics
from driftloop.streams.transport.state.header import HEADER_KEY, StateHeader, check_header, decode_header

LAST_RECORDS = 500
"""Of each partition of a topic."""
KEYED = ("predictions", "ground-truth")


def read_facts(settings: Settings) -> Facts:
    """Everything that can be known; what hangs on a missing topic is left out. Unavailable: no answer."""
    admin = admin_client(settings)
    wanted = wanted_topics(settings)
    found = read_topics(admin, wanted)
    missing = tuple(name for name in wanted if name not in found)
    differences = tuple(compare(wanted, found))
    sources = [settings.topic(short) for short in KEYED]
    retention = {
        name: float(kept) / 1000
        for name in sources
        if name in found and (kept := found[name].config.get("retention.ms", "-1")) != "-1"
    }
    brokers = len(admin.list_topics(timeout=10).brokers)
    if missing:
        return Facts(brokers, settings.partitions, missing, differences, retention_seconds=retention)
    catalogue = _catalogue(settings)
    tails = {short: list(read_tails(settings, settings.topic(short), LAST_RECORDS)) for short in KEYED}
    seen, ahead = _of_predictions(tails["predictions"], catalogue)
    return Facts(
        brokers,
        found[sources[0]].partitions,
        missing,
        differences,
        tuple(_refusals(settings)),
        retention,
        {m: s.horizon_seconds + s.dedup_seconds for m, s in catalogue.layouts.specifications.items()},
        read_status(settings),
        {s: [Key(m.key(), m.partition()) for m in tail if m.key() is not None] for s, tail in tails.items()},
        ahead,
        catalogue.models(),
        seen,
        _reasons(read_tails(settings, settings.topic("dead-letter"), LAST_RECORDS)),
        _disorders(read_tails(settings, settings.topic("panes"), LAST_RECORDS), catalogue.models()),
    )


def _catalogue(settings: Settings) -> Catalogue:
    reader = KafkaCatalogue(settings, 5.0)
    try:
        reader.refresh()
        return reader.catalogue
    finally:
        reader.close()


def _of_predictions(messages: list[Any], catalogue: Catalogue) -> tuple[frozenset[str], list[float]]:
    """(models seen, seconds by which each event time is ahead of Kafka's)."""
    if not messages:
        return frozenset(), []
    stamps = [m.timestamp()[1] for m in messages]
    columns = read_predictions([m.value() for m in messages], catalogue.layouts, [m.key() for m in messages], stamps)
    ahead = [
        time - stamps[row] / 1000
        for found in columns[0]
        for time, row in zip(found.event_time.tolist(), found.rows.tolist(), strict=True)
    ]
    return frozenset(found.model for found in columns[0]), ahead


def _disorders(messages: Iterable[Any], models: Iterable[str]) -> dict[str, float]:
    """As the judge takes them from the observer's last progress in each partition; nothing before all have spoken."""
    frontier = Frontier()
    for message in messages:
        try:
            event = decode(message.value())
        except BadRecord:
            continue
        if isinstance(event, Progress):
            frontier.absorb(event, message.timestamp()[1])
    partitions = max((sight.progress.partitions for sight in frontier.sights.values()), default=1)
    return {m: frontier.disorder_of(m) for m in models} if len(frontier.sights) == partitions else {}


def _reasons(letters: Iterable[Any]) -> Mapping[str, int]:
    found = (dict(letter.headers() or ()).get("driftloop.reason") for letter in letters)
    return Counter((reason or b"unknown").decode() for reason in found)


def _refusals(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """What a worker would say at its start, in this user's own identity."""
    cluster = Cluster(settings)
    for service in STATEFUL.values():
        try:
            partitions = check_topics(service, settings, cluster)
            _check_states(settings, service, partitions, cluster.topic_ids(source_topics(service, settings)))
        except ConfigError as error:
            yield service.name, error.message, error.hint


def _check_states(settings: Settings, service: Service, partitions: int, topic_ids: Mapping[str, str]) -> None:
    """ConfigError: a state partition is not one that this deployment could go on from."""
    nothing = dict.fromkeys(source_topics(service, settings), -1)
    expected = StateHeader(settings.group(service.name), service.layout, partitions, nothing, dict(topic_ids))
    topic = settings.topic(service.state)
    headers = {
        m.partition(): m.value() for batch in read_batches(settings, topic) for m in batch if m.key() == HEADER_KEY
    }
    for partition, value in sorted(headers.items()):
        if value is not None:
            place = f"{topic}[{partition}]"
            check_header(decode_header(value, place), expected, place)
