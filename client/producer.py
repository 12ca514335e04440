"""What an app says about its model: ``predicted`` when it scores, ``observed`` once the outcome is known.

    with Producer("flights", "localhost:9092", version="v1") as producer:
        prediction_id = producer.predicted({"hour": 7, "distance": 1400.0}, score=0.31)
        producer.observed(prediction_id, "late")

What cannot be right is refused in the call, by name and with the way out; what Kafka does later is counted and
reported. A call never raises because of Kafka and never waits longer than ``block_seconds_most``.
"""

from __future__ import annotations

import itertools
import secrets
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from driftloop.client.checks import (
    check_label,
    check_predicted,
    key_of,
    scores_of,
    wrong_names,
    wrong_time,
)
from driftloop.client.cluster import settings_of
from driftloop.client.monitors import read_specification
from driftloop.client.outbox import Headers, OnFailure, Outbox, log_failure
from driftloop.client.registry import framing_for
from driftloop.schemas.batches.batch import EARLIEST_EVENT_TIME, FUTURE_SECONDS_MOST, RECORD_BYTES_MOST
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.codec import encode, schema_of
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.events import GroundTruth, Label, TimeMarker
from driftloop.schemas.headers import cloud_event_headers
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.settings import Settings
from driftloop.schemas.topics import TOPICS
from numpy.typing import NDArray

TOPICS_WRITTEN = ("predictions", "ground-truth")
_PACK_TIME = struct.Struct("<d").pack


class Producer:
    """Writes predictions and truths of one model. Safe to use from many threads; make it after a fork, not before.

    ``settings``: bootstrap servers as text, Settings, or None for the environment.
    ``version``: the model version that predicts, unless a call says another.
    ``block_seconds_most``: how long a call may wait for room in the buffer before its record is dropped (0: never).
    ``delivery_seconds_most``: after that, a record that Kafka has not confirmed has failed.
    ``on_failure``: told of both, in a thread of its own, at most every ten seconds (failures.py).
    ``cloud_events``: add CloudEvents headers; off by default, for they double the cost of a call.
    ``specification``: instead of the one on the monitors topic. ``extra``: settings of librdkafka.
    Errors: ConfigError (no cluster, topic or monitor), Unavailable (the cluster, or a registry that is set, does not
    answer).
    """

    def __init__(
        self,
        model: str,
        settings: Settings | str | None = None,
        *,
        version: str = "",
        block_seconds_most: float = 0.1,
        buffer_records_most: int = 100_000,
        buffer_bytes_most: int = 64 * 1024 * 1024,
        delivery_seconds_most: float = 120.0,
        on_failure: OnFailure = log_failure,
        cloud_events: bool = False,
        specification: MonitorSpecification | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        known = settings_of(settings)
        self.model = model
        self.version = version
        self.spec = specification or read_specification(model, known)
        self._layout = layout(self.spec)
        self._many_scores = self.spec.task == "multiclass"
        self._truth_tails: dict[tuple[type, Label], bytes] = {}  # as many as there are ways to write a class
        self._predictions, self._truths = (known.topic(short) for short in TOPICS_WRITTEN)
        truth, marker = schema_of(GroundTruth), schema_of(TimeMarker)
        self._framing = {
            self._predictions: framing_for(known, self._predictions, self._layout.record, marker),
            self._truths: framing_for(known, self._truths, truth, marker),
        }
        self._truth_header = self._framing[self._truths].header(truth)
        self._cloud_events = cloud_events
        # 64 random bits a producer, then a count: no two producers make the same id, and making one costs 0.2 µs.
        self._name, self._numbers = secrets.token_hex(8), itertools.count(1)
        self._outbox = Outbox(
            known,
            TOPICS_WRITTEN,
            on_failure=on_failure,
            block_seconds_most=block_seconds_most,
            buffer_records_most=buffer_records_most,
            buffer_bytes_most=buffer_bytes_most,
            delivery_seconds_most=delivery_seconds_most,
            record_bytes_most=TOPICS["predictions"].bytes_most,
            extra={"client.id": f"driftloop-{model}@{socket.gethostname()}"} | dict(extra or {}),
        )
        try:
            self.partitions = _common_partitions(known, self._outbox.partitions)
        except ConfigError:
            self.close()
            raise

    @property
    def delivered(self) -> int:
        """Records confirmed by Kafka. Exact once nothing is left in the buffer; it may lag behind, never ahead."""
        return self._outbox.delivered

    @property
    def failed(self) -> int:
        """Records that were accepted, but never confirmed."""
        return self._outbox.failed

    @property
    def dropped(self) -> int:
        """Records that found no room in the buffer."""
        return self._outbox.dropped

    def predicted(
        self,
        features: Mapping[str, float | int | str | Sequence[float] | NDArray[Any] | None],
        score: float | None = None,
        *,
        scores: Mapping[str, float] | None = None,
        event_time: float | None = None,
        prediction_id: str | None = None,
        version: str | None = None,
        role: str = "champion",
        predicted: str | None = None,
        traceparent: str | None = None,
    ) -> str:
        """Say that the model scored; returns the prediction id, which ``observed`` wants later.

        ``features``: every feature of the monitor by name, None or NaN where missing; an embedding is a sequence or
        an array. ``score``: P(classes[1]),
        of a regression the number predicted; a multiclass model says ``scores``, the probability of each class.
        ``event_time``: seconds since the epoch, default now. ``predicted``: the class that was decided on, if any.
        ``traceparent``: W3C trace context to pass through. Errors: BadRecord with what is wrong and the way out.
        """
        now = time.time()
        moment = self._moment(event_time, now)
        identity = prediction_id if prediction_id is not None else f"{self._name}-{next(self._numbers):x}"
        key = key_of(identity)
        if predicted is not None:
            check_predicted(self.spec, predicted)
        if len(features) != len(self.spec.features) and (error := wrong_names(self.spec, features)):
            raise error
        plain = score is not None and scores is None and not self._many_scores
        said = score if plain else scores_of(self.spec, score, scores)
        assert said is not None
        version = version or self.version
        framing = self._framing[self._predictions]
        value = encode_prediction(self._layout, moment, said, features, version, role, predicted, framing)
        headers = self._headers("Prediction", identity, moment, traceparent)
        self._send(self._predictions, value, key, headers)
        return identity

    def observed(
        self, prediction_id: str, label: Label, *, event_time: float | None = None, value: float | None = None
    ) -> None:
        """Say how it turned out. ``event_time``: when that became known, default now. Errors: BadRecord."""
        moment = self._moment(event_time, time.time())
        headers = self._headers("GroundTruth", f"{prediction_id}/truth", moment, None)
        self._send(self._truths, self._truth(moment, label, value), key_of(prediction_id), headers)

    def tick(self, event_time: float) -> None:
        """Promise that this producer says nothing earlier than ``event_time`` any more: a marker in every partition.

        For replays and simulations, and for apps with quiet hours: without it a quiet partition holds the windows up.
        """
        marker = TimeMarker(self._moment(event_time, time.time()), self._name)
        for topic, framing in self._framing.items():
            value = encode(marker, framing)
            for partition in range(self.partitions):
                self._outbox.send(topic, value, None, None, partition)

    def flush(self, timeout_seconds: float = 10.0) -> int:
        """Wait until Kafka has confirmed everything; the records left when the time is over."""
        return self._outbox.flush(timeout_seconds)

    def close(self, timeout_seconds: float = 10.0) -> None:
        """Flush and stop. What is left then has failed, is counted and reported."""
        self._outbox.close(timeout_seconds)

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _moment(self, event_time: float | None, now_seconds: float) -> float:
        if event_time is None:
            return now_seconds
        try:
            if EARLIEST_EVENT_TIME <= event_time <= now_seconds + FUTURE_SECONDS_MOST:
                return event_time
        except TypeError:
            pass
        raise wrong_time(event_time, now_seconds)

    def _truth(self, moment: float, label: Label, value: float | None) -> bytes:
        """encode(GroundTruth(...)), of which all but the time repeats itself: 0.5 µs where it would take 6."""
        known = (type(label), label)
        try:
            tail = self._truth_tails.get(known) if value is None else None
        except TypeError:  # a list, say: refused below
            tail = None
        if tail is not None:
            return self._truth_header + _PACK_TIME(moment) + tail
        plain = label.item() if isinstance(label, np.generic) else label
        check_label(self.spec, plain)
        try:
            data = encode(GroundTruth(moment, self.model, plain, value), self._framing[self._truths])
        except (TypeError, ValueError) as error:
            raise BadRecord("wrong-type", f"value is {value!r}, not a number", "a float, or None") from error
        if value is None and self.spec.classes:
            self._truth_tails[known] = data[len(self._truth_header) + 8 :]
        return data

    def _headers(self, kind: str, identity: str, moment: float, traceparent: str | None) -> Headers:
        if not self._cloud_events and traceparent is None:
            return None
        found = cloud_event_headers(kind, identity, self.model, moment) if self._cloud_events else []
        if traceparent is not None:
            found.append(("traceparent", traceparent.encode()))
        return found

    def _send(self, topic: str, value: bytes, key: bytes, headers: Headers) -> None:
        if len(value) > RECORD_BYTES_MOST:
            raise BadRecord(
                "too-large",
                f"the record has {len(value):,} bytes, more than the {RECORD_BYTES_MOST:,} that are read",
                "is a whole document among the categories? send its category",
            )
        self._outbox.send(topic, value, key, headers)


def _common_partitions(settings: Settings, counts: Mapping[str, int]) -> int:
    """Both topics must have as many partitions, or a prediction and its truth would not meet."""
    if len(set(counts.values())) != 1:
        told = ", ".join(f"{settings.topic(short)} has {count}" for short, count in counts.items())
        raise ConfigError(
            f"predictions and ground truth differ in partitions: {told}",
            "they must be the same: `driftloop topics show` compares them with the table",
        )
    return next(iter(counts.values()))
