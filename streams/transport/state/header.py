"""The state header: whose state this is, what it was computed from, and how far it has come.

One record a state partition (key ``header``), written in the same transaction as the state it describes. It is the
truth on source offsets; the offsets committed to the group only follow it, for lag tools.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from driftloop.schemas.errors import ConfigError
from driftloop.streams.fold import BEGIN_ANEW, HEADER_PREFIX


class SourceLost(ConfigError):
    """The state was computed from records that its source does not have any more at those offsets."""


HEADER_KEY = HEADER_PREFIX
HEADER_VERSION = 1
ANEW = "run the worker that fits, or set another DRIFTLOOP_PREFIX and start anew"
WAYS_OUT = {
    "application": ANEW,
    "layout": f"run the version of driftloop that wrote it; or, {BEGIN_ANEW}",
    "partitions": ANEW,
}


@dataclass(frozen=True, slots=True)
class StateHeader:
    """``sources``: last absorbed offset by full topic name, -1 for none. ``topic_ids``: the cluster's own ids.
    ``skipped``: offsets that an operator has set the partition ahead of unread, in all, by topic."""

    application: str
    layout: int
    partitions: int
    sources: Mapping[str, int]
    topic_ids: Mapping[str, str]
    version: int = HEADER_VERSION
    skipped: Mapping[str, int] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Canonical JSON: the same header gives the same bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()


def decode_header(data: bytes, place: str) -> StateHeader:
    """ConfigError: it was not written by this version of driftloop."""
    try:
        found = json.loads(data)
        if found["version"] != HEADER_VERSION:
            raise ValueError(f"version {found['version']}")
        return StateHeader(**found)
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{place}: the state header cannot be read: {error}",
            "it was written by another version of driftloop: run that version, or start a new prefix",
        ) from error


def check_header(found: StateHeader, expected: StateHeader, place: str) -> None:
    """ConfigError when the state belongs to another application, layout or partition count, or to other topics;
    SourceLost when to topics of the same names that are gone."""
    for name, way_out in WAYS_OUT.items():
        was, now = getattr(found, name), getattr(expected, name)
        if was != now:
            raise ConfigError(f"{place}: the state was written for {name} {was!r}, this worker has {now!r}", way_out)
    if set(found.sources) != set(expected.sources):
        raise ConfigError(
            f"{place}: the state was computed from {sorted(found.sources)}, now it is {sorted(expected.sources)}",
            "the sources of a service cannot change under its state: set another DRIFTLOOP_PREFIX and start anew",
        )
    for topic, was in found.topic_ids.items():
        now = expected.topic_ids.get(topic, was)
        if was and now and was != now:
            raise SourceLost(
                f"{place}: topic {topic} was deleted and created anew (id {was}, now {now}): "
                "the offsets in the state mean records that are gone",
                BEGIN_ANEW,
            )
