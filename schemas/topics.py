"""The one table of topics: what each is called, what it is keyed by, how long the broker keeps it.

``topics apply`` creates and checks them from this table; nothing else in the code spells a topic's name.
The full name is ``<prefix>.<short>.v1`` (settings.topic).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FOREVER_DAYS = -1
DAY_MS = 86_400_000
RECORD_BYTES_MOST = 1_048_588
"""Kafka's own default of max.message.bytes."""
STATE_BYTES_MOST = 8 * 1024 * 1024
"""A segment of the join or a specification with many categories is one record."""
DEAD_LETTER_BYTES_MOST = 2 * 1024 * 1024
"""900 kB of value, the original headers, and ours."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One row of the table. ``partitions``: "one", or "all" for as many as settings.partitions.

    ``events`` are the names of the records in it (events.py); "Prediction" is generated (batches/prediction.py).
    """

    short: str
    key: str
    what: str
    cleanup: Literal["delete", "compact"]
    partitions: Literal["one", "all"]
    events: tuple[str, ...] = ()
    retention_days: int = FOREVER_DAYS
    bytes_most: int = RECORD_BYTES_MOST
    written_by: Literal["apps", "driftloop"] = "driftloop"

    def partitions_of(self, partitions: int) -> int:
        """Partitions of this topic in a deployment of ``settings.partitions``."""
        return partitions if self.partitions == "all" else 1

    def config(self, replication: int = 1) -> dict[str, str]:
        """The topic's settings at the broker, in Kafka's names; values as the broker shows them."""
        found = {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": str(self.bytes_most),
            "message.timestamp.type": "CreateTime",
            "compression.type": "producer",
            "min.insync.replicas": "2" if replication >= 3 else "1",
        }
        if self.cleanup == "delete":
            days = self.retention_days
            return found | {
                "retention.ms": "-1" if days == FOREVER_DAYS else str(days * DAY_MS),
                "retention.bytes": "-1",
            }
        return found | _COMPACTED


_COMPACTED = {
    # The active segment is never compacted: with the defaults (1 GB, 7 days) a restore would read hours of history.
    "segment.bytes": "33554432",
    "segment.ms": "600000",
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": "600000",
    "delete.retention.ms": "86400000",
}


def _table(*rows: Topic) -> dict[str, Topic]:
    return {row.short: row for row in rows}


TOPICS: dict[str, Topic] = _table(
    Topic(
        "predictions",
        "prediction id",
        "one record a prediction, a schema a model",
        "delete",
        "all",
        ("Prediction", "TimeMarker"),
        400,
        written_by="apps",
    ),
    Topic(
        "ground-truth",
        "prediction id",
        "the outcome, once known",
        "delete",
        "all",
        ("GroundTruth", "TimeMarker"),
        400,
        written_by="apps",
    ),
    Topic(
        "monitors",
        "model/spec",
        "compiled monitor specifications",
        "compact",
        "one",
        ("MonitorApplied",),
        bytes_most=STATE_BYTES_MOST,
    ),
    Topic(
        "schemas", "fingerprint", "every schema that was ever written with", "compact", "one", ("SchemaRegistered",)
    ),
    Topic(
        "references",
        "model/reference",
        "baselines, with their hash",
        "compact",
        "one",
        ("ReferenceBuilt",),
        bytes_most=STATE_BYTES_MOST,
    ),
    Topic(
        "observer-state",
        "state key",
        "state log of the observer, partitions as its source",
        "compact",
        "all",
        bytes_most=STATE_BYTES_MOST,
    ),
    Topic(
        "judge-state",
        "state key",
        "state log of the judge, partitions as its source",
        "compact",
        "all",
        bytes_most=STATE_BYTES_MOST,
    ),
    Topic("panes", "model", "partial sums, observer to judge", "delete", "all", ("Pane", "Progress"), 3),
    Topic("windows", "model", "measured windows with revision", "delete", "all", ("WindowMeasured",), 90),
    Topic(
        "drift",
        "model",
        "drift and incidents: the alert topic",
        "delete",
        "all",
        ("DriftDetected", "IncidentChanged", "SilenceChanged"),
        90,
    ),
    Topic("decisions", "model", 'every retrain decision, also every "no"', "delete", "one", ("DecisionRecorded",)),
    Topic("models", "model/version", "signed manifest of a published model", "compact", "one", ("ModelPublished",)),
    Topic(
        "deployments",
        "model",
        "the full deployment of a model, each time it changes",
        "compact",
        "one",
        ("DeploymentChanged",),
    ),
    Topic(
        "commands",
        "model",
        "a person's word: retrain, approve, reject, silence, roll back",
        "delete",
        "one",
        ("CommandGiven",),
        90,
    ),
    Topic(
        "dead-letter",
        "original key",
        "records that cannot be read: raw bytes, and why",
        "delete",
        "all",
        (),
        30,
        DEAD_LETTER_BYTES_MOST,
    ),
)
