"""`driftloop rewind`: set a service back, so that it reads again and tells again what it has told.

For each partition: fence whoever writes it, read its state, work out what stays (the service's pure ``rewind``), and
write that with the new offsets in one transaction (streams/transport/state/moving.py).
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from driftloop.console.connection import admin_client
from driftloop.console.stateful import source_topics, stateful
from driftloop.console.status_reading import Tp, describe_group, offsets_of, read_states
from driftloop.schemas.batches.batch import FUTURE_SECONDS_MOST
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.headers import rfc3339
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import FoldContext, Service
from driftloop.streams.transport.answers import answer_of
from driftloop.streams.transport.catalogue import KafkaCatalogue
from driftloop.streams.transport.preflight import Cluster, check_topics
from driftloop.streams.transport.state.bring_up import Restorer
from driftloop.streams.transport.state.moving import Wanted, sentences
from driftloop.streams.transport.state.writer import WriteEnded

AGO = re.compile(r"(\d+(?:\.\d+)?) ?([hd])(?: ago)?")
SECONDS = {"h": 3_600.0, "d": 86_400.0}
MARK = "driftloop:rewind"
"""Metadata of the offsets we commit to the group: they follow the state, nobody need obey them."""
REGISTRY_SECONDS_MOST = 30.0
Say = Callable[[str], None]


def since_of(text: str, now: float) -> float:
    """Event time that is meant by "earliest", an ISO time (UTC unless it says otherwise), or "36h ago", "2 d ago"."""
    if text == "earliest":
        return -math.inf
    if found := AGO.fullmatch(text.strip()):
        return now - float(found[1]) * SECONDS[found[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"--to {text!r} is no point in time", "earliest, an ISO time (2026-11-20T06:00), or 36h, '2 d ago'"
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def rewind(settings: Settings, name: str, to: str, force: bool, say: Say, confirmed: Callable[[], bool]) -> bool:
    """Set the service ``name`` back. False: not ``confirmed``, and nothing was done.

    ConfigError: a service without ``rewind``, members in the group (without ``force``), a foreign state. Unavailable:
    the cluster does not answer.
    """
    service = stateful(name)
    if service.rewind is None:
        raise ConfigError(
            f"the {service.name} cannot be set back: what it has told was acted upon, and its tests have stepped",
            service.instead_of_rewind,
        )
    since = since_of(to, time.time())
    admin = admin_client(settings)
    cluster = Cluster(settings)
    partitions = check_topics(service, settings, cluster)
    _check_members(admin, settings, service, force)
    catalogue = KafkaCatalogue(settings, REGISTRY_SECONDS_MOST)
    try:
        catalogue.refresh()
        context = FoldContext(catalogue.catalogue, catalogue.refresh, partitions, settings.topic)
        wanted = _positions(settings, admin, service, context, since)
        _tell(settings, service, wanted, since, say)
        if not confirmed():
            return False
        restorer = Restorer(service, settings, context)
        topic_ids = cluster.topic_ids(source_topics(service, settings))
        for partition in range(partitions):
            _set_back(restorer, partition, Wanted(wanted[partition], since), topic_ids, say)
    finally:
        catalogue.close()
    _commit(admin, settings, service, say)
    return True


def _check_members(admin: AdminClient, settings: Settings, service: Service, force: bool) -> None:
    _, members = describe_group(admin, settings.group(service.name))
    if members and not force:
        raise ConfigError(
            f"{len(members)} member(s) of group {settings.group(service.name)} are at work: "
            + ", ".join(member.client_id for member in members),
            "stop them first (a static one that has stopped is a member until its session ends, "
            f"{settings.session_seconds:.0f} s), or take --force: they end as FENCED (exit 70) at their next write "
            "and may be restarted",
        )


def _positions(
    settings: Settings, admin: AdminClient, service: Service, context: FoldContext, since: float
) -> dict[int, dict[str, int]]:
    """By partition, the offset to begin with in each source: everything that bears on events from ``since`` on comes
    again, and before it what may be its other half or an earlier copy of it."""
    topics = source_topics(service, settings)
    places: list[Tp] = [(topic, p) for topic in topics for p in range(context.partitions)]
    begins = offsets_of(admin, places, OffsetSpec.earliest())
    if since > -math.inf:
        specifications = context.catalogue.layouts.specifications.values()
        memory = max([s.horizon_seconds + s.dedup_seconds + s.disorder_seconds for s in specifications], default=0.0)
        first_ms = max(0, int((since - memory - FUTURE_SECONDS_MOST) * 1000))
        found = offsets_of(admin, places, OffsetSpec.for_timestamp(first_ms))
        begins = {place: at if at >= 0 else math.inf for place, at in found.items()}  # type: ignore[misc]
    states = read_states(settings, service)
    result: dict[int, dict[str, int]] = {}
    for topic, p in places:
        absorbed = states[p].absorbed.get(topic, -1) if p in states else -1
        result.setdefault(p, {})[topic] = int(min(begins[topic, p], absorbed + 1))
    return result


def _tell(
    settings: Settings, service: Service, wanted: Mapping[int, Mapping[str, int]], since: float, say: Say
) -> None:
    states = read_states(settings, service)
    again = 0
    for p, positions in wanted.items():
        for topic, position in positions.items():
            stands = (states[p].absorbed.get(topic, -1) if p in states else -1) + 1
            again += stands - position
            say(f"  {topic}[{p}]: from offset {stands} back to {position}")
    when = "the beginning" if since == -math.inf else rfc3339(since)
    say(
        f"{service.name}: {again:,} offsets are read again; what was told of the time from {when} on is told anew, "
        "with higher revisions that replace what was told"
    )


def _set_back(restorer: Restorer, partition: int, wanted: Wanted, topic_ids: Mapping[str, str], say: Say) -> None:
    writer = restorer.writer(partition)
    try:
        found = restorer.restore(partition, writer, topic_ids, lambda: True, wanted)
        assert found is not None
        assert found.moved is not None
        new = restorer.rewritten(partition, found)
        restorer.write_anew(writer, found, new, topic_ids)
        for sentence in sentences(partition, wanted, found.moved, new.since):
            say(sentence)
    except WriteEnded as error:
        raise Unavailable(
            f"partition {partition} was not set back: {error.message}",
            "has a worker been started meanwhile? stop it, and give the same command again: what is done stays done",
        ) from error
    finally:
        writer.close()


def _commit(admin: AdminClient, settings: Settings, service: Service, say: Say) -> None:
    """Tell the group, for lag tools; with members at work it cannot be told, and they tell it themselves later."""
    group = settings.group(service.name)
    states = read_states(settings, service)
    offsets = [
        TopicPartition(topic, p, last + 1, MARK) for p, one in states.items() for topic, last in one.absorbed.items()
    ]
    try:
        asked = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, offsets)])[group]
        answer_of(asked, 10)
    except KafkaException as error:
        say(f"the offsets of group {group} could not be set, the state was: {error.args[0].str()}")
    say(f"done; start `driftloop {service.name}` (or `driftloop up`), and watch `driftloop status`")
