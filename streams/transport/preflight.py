"""Before the group is joined, in the worker's own identity: does the cluster answer, do the topics fit, may we?

Faust finds out about each of these later, and says it in a log line or not at all (a missing right to write a
changelog: state lost silently; no right to the group: nothing is ever processed).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient, ConfigResource, ResourceType
from driftloop.schemas.catalogue import TOPICS as CATALOGUE_TOPICS
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import BEGIN_ANEW, Service
from driftloop.streams.transport.answers import answer_of

CALL_SECONDS_MOST = 10.0
ANSWER_SECONDS_MOST = CALL_SECONDS_MOST + 5.0
"""By then librdkafka should have said itself that nobody answers; but see ``answer_of``."""
APPLY = "`driftloop topics apply` creates and repairs the topics"


class Described(NamedTuple):
    """A topic as the cluster sees it. ``allowed``: what we may do, None where the cluster does not say."""

    id: str
    partitions: int
    allowed: frozenset[str] | None


class Cluster:
    """A few questions to the cluster. Blocking; any thread."""

    def __init__(self, settings: Settings) -> None:
        self._causes: list[str] = []
        self._where = settings.bootstrap_servers
        self._admin = AdminClient(settings.confluent() | {"log_level": 0, "error_cb": self._heard})

    def _heard(self, error: KafkaError) -> None:
        # A wrong password or certificate raises nothing anywhere: it is only told here.
        self._causes.append(f"{error.name()}: {error.str()}")

    def describe(self, topics: Iterable[str]) -> dict[str, Described | None]:
        """Each topic, None where it does not exist. Unavailable: the cluster does not answer."""
        names = list(topics)
        self._admin.poll(0)
        futures = self._admin.describe_topics(
            TopicCollection(names), include_authorized_operations=True, request_timeout=CALL_SECONDS_MOST
        )
        return {name: self._described(future) for name, future in futures.items()}

    def _described(self, future: Any) -> Described | None:
        try:
            found = answer_of(future, ANSWER_SECONDS_MOST)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            raise self._unanswered(error) from error
        operations = found.authorized_operations
        allowed = None if operations is None else frozenset(AclOperation(o).name for o in operations)
        return Described(str(found.topic_id), len(found.partitions), allowed)

    def cleanup_policies(self, topics: Iterable[str]) -> dict[str, str | None]:
        """Of each topic; None where this user may not know (DescribeConfigs). Unavailable: no answer."""
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in topics]
        futures = self._admin.describe_configs(resources, request_timeout=CALL_SECONDS_MOST)
        return {resource.name: self._policy(future) for resource, future in futures.items()}

    def _policy(self, future: Any) -> str | None:
        try:
            found: str = answer_of(future, ANSWER_SECONDS_MOST)["cleanup.policy"].value
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                return None
            raise self._unanswered(error) from error
        return found

    def _unanswered(self, error: KafkaException) -> Unavailable:
        """With what librdkafka has said of the connection meanwhile."""
        self._admin.poll(0)
        causes = "; ".join(dict.fromkeys([str(error.args[0].str()), *self._causes]))
        hint = "is the broker running? `driftloop broker status`"
        return Unavailable(f"no answer from {self._where}: {causes}", hint)

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """The cluster's id of each topic: a topic that was deleted and created anew has another one."""
        return {name: found.id if found is not None else "" for name, found in self.describe(topics).items()}


def check_topics(service: Service, settings: Settings, cluster: Cluster) -> int:
    """The partitions of the service. ConfigError: a topic is missing, does not fit, or is not ours to use."""
    sources = [settings.topic(short) for short in service.sources]
    state = settings.topic(service.state)
    writes = [settings.topic(short) for short in service.writes]
    catalogue = [settings.topic(short) for short in (*CATALOGUE_TOPICS, *service.hears)]
    described = cluster.describe(dict.fromkeys([*sources, state, *writes, *catalogue]))
    found = _existing(described)
    for topic in [*sources, *catalogue]:
        _allowed(found[topic], topic, "READ")
    for operation in ("READ", "WRITE"):
        _allowed(found[state], state, operation)
    for topic in writes:
        _allowed(found[topic], topic, "WRITE")
    counts = {topic: found[topic].partitions for topic in [*sources, state]}
    if len(set(counts.values())) != 1:
        told = ", ".join(f"{topic} has {count}" for topic, count in counts.items())
        raise ConfigError(
            f"{service.name}: its sources and its state need equally many partitions, but {told}",
            f"partitions of a topic with records cannot be repaired: set another DRIFTLOOP_PREFIX; {APPLY}",
        )
    kept = [settings.topic(short) for short in (service.state, *CATALOGUE_TOPICS)]
    check_compacted(cluster.cleanup_policies(kept))
    return counts[state]


def check_compacted(policies: Mapping[str, str | None]) -> None:
    """ConfigError: of one of these topics the broker throws away records that nothing has replaced. A state that has
    lost some looks whole: its header is written anew at each checkpoint, and the numbers would be wrong without a
    word."""
    for topic, policy in policies.items():
        if policy not in ("compact", None):
            raise ConfigError(
                f"{topic}: cleanup.policy is {policy}, so the broker deletes what is still needed",
                f"`driftloop topics apply --fix` mends it. If it is a state that may have lost records, {BEGIN_ANEW}",
            )


def _existing(described: Mapping[str, Described | None]) -> dict[str, Described]:
    found = {topic: what for topic, what in described.items() if what is not None}
    if missing := sorted(set(described) - set(found)):
        raise ConfigError(f"no such topic: {', '.join(missing)}", APPLY)
    return found


def _allowed(topic: Described, name: str, operation: str) -> None:
    if topic.allowed is not None and not {operation, "ALL"} & topic.allowed:
        raise ConfigError(
            f"{name}: this user has no right to {operation}", f"an ACL that allows {operation} on topic {name}"
        )
