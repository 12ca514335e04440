"""A Faust agent as one would write it from the documentation: ``stock_agent.py SETTINGS RECORDS FILE``.

Per event: fastavro decode; a dict joins truth with prediction; one river ADWIN a numeric feature and one on the loss;
river's Accuracy, LogLoss and ROCAUC. It keeps no state over a restart and is not exact; it is the yardstick of speed.
"""

from __future__ import annotations

import asyncio
import io
import json
import math
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import fastavro
import faust
from driftloop.schemas.batches.prediction import layout
from driftloop.schemas.codec import schema_of
from driftloop.schemas.events import GroundTruth
from driftloop.schemas.settings import Settings
from river import drift, metrics
from stream import CLASSES, NUMERIC, specification

FRAMING_BYTES = 10
"""C3 01 and the fingerprint; both topics of the benchmark hold one schema each."""


class Monitor:
    """The work that the observer does, record by record."""

    def __init__(self) -> None:
        spec = specification()
        self.prediction_schema = fastavro.parse_schema(layout(spec).schema)
        self.truth_schema = fastavro.parse_schema(json.loads(json.dumps(schema_of(GroundTruth).definition)))
        self.fields = [feature.field for feature in spec.numeric]
        self.waiting: dict[bytes, dict[str, Any]] = {}
        self.early: dict[bytes, dict[str, Any]] = {}
        self.adwins = [drift.ADWIN() for _ in NUMERIC]
        self.loss_adwin = drift.ADWIN()
        self.accuracy, self.log_loss, self.roc_auc = metrics.Accuracy(), metrics.LogLoss(), metrics.ROCAUC()
        self.joined = 0

    def predicted(self, key: bytes, value: bytes) -> None:
        prediction = fastavro.schemaless_reader(io.BytesIO(value[FRAMING_BYTES:]), self.prediction_schema)
        for adwin, field in zip(self.adwins, self.fields, strict=True):
            adwin.update(prediction[field])
        truth = self.early.pop(key, None)
        if truth is None:
            self.waiting[key] = prediction
        else:
            self.pair(prediction, truth)

    def observed(self, key: bytes, value: bytes) -> None:
        truth = fastavro.schemaless_reader(io.BytesIO(value[FRAMING_BYTES:]), self.truth_schema)
        prediction = self.waiting.pop(key, None)
        if prediction is None:
            self.early[key] = truth
        else:
            self.pair(prediction, truth)

    def pair(self, prediction: dict[str, Any], truth: dict[str, Any]) -> None:
        label, score = truth["label"] == CLASSES[1], prediction["score"]
        self.joined += 1
        self.accuracy.update(label, score > 0.5)
        self.log_loss.update(label, score)
        self.roc_auc.update(label, score)
        self.loss_adwin.update(-math.log(score if label else 1 - score))


async def main() -> None:
    settings, expected = Settings(**json.loads(sys.argv[1])), int(sys.argv[2])
    app = faust.App(
        settings.group("stock"),
        broker=[f"kafka://{server}" for server in settings.bootstrap_servers.split(",")],
        consumer_auto_offset_reset="earliest",
        topic_partitions=settings.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        value_serializer="raw",
        key_serializer="raw",
        web_enabled=False,
        datadir=Path(sys.argv[3]).parent / "stock-data",
    )
    monitor, predictions = Monitor(), settings.topic("predictions")
    topic = app.topic(predictions, settings.topic("ground-truth"), key_type=bytes, value_type=bytes)

    @app.agent(topic)
    async def watch(stream: Any) -> None:
        seen, wall, cpu = 0, 0.0, 0.0
        async for event in stream.events():
            if seen == 0:
                wall, cpu = time.perf_counter(), time.process_time()
            seen += 1
            if event.key is not None:  # a time marker has none
                if event.message.topic == predictions:
                    monitor.predicted(event.key, event.value)
                else:
                    monitor.observed(event.key, event.value)
            if seen == expected:
                told = {
                    "events": seen,
                    "wall_seconds": time.perf_counter() - wall,
                    "cpu_seconds": time.process_time() - cpu,
                    "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                    "joined": monitor.joined,
                }
                Path(sys.argv[3]).write_text(json.dumps(told))
                os._exit(0)

    await app.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
