"""A loop that reads and decodes, nothing else: ``bare_decode.py SETTINGS RECORDS FILE``.

confluent-kafka's consumer, tuned (1,000 messages a call, ``fetch.queue.backoff.ms`` 1), each value of both topics
through fastavro's schemaless reader. It joins nothing, measures nothing and keeps nothing: a floor for any consumer
in Python that looks at records one by one.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import time
import uuid
from pathlib import Path

import fastavro
from confluent_kafka import Consumer, TopicPartition
from driftloop.schemas.batches.prediction import layout
from driftloop.schemas.codec import schema_of
from driftloop.schemas.events import GroundTruth
from driftloop.schemas.settings import Settings
from stream import specification

FRAMING_BYTES = 10
AT_ONCE = 1_000


def main() -> None:
    settings, expected = Settings(**json.loads(sys.argv[1])), int(sys.argv[2])
    predictions, truths = settings.topic("predictions"), settings.topic("ground-truth")
    schemas = {
        predictions: fastavro.parse_schema(layout(specification()).schema),
        truths: fastavro.parse_schema(json.loads(json.dumps(schema_of(GroundTruth).definition))),
    }
    consumer = Consumer(
        settings.confluent(
            group_id=uuid.uuid4().hex,
            enable_auto_commit=False,
            fetch_queue_backoff_ms=1,
            queued_max_messages_kbytes=262_144,
        )
    )
    consumer.list_topics(timeout=10)
    read, seen, decoded = fastavro.schemaless_reader, 0, 0
    wall, cpu = time.perf_counter(), time.process_time()
    consumer.assign([TopicPartition(topic, p, 0) for topic in schemas for p in range(settings.partitions)])
    while seen < expected:
        for message in consumer.consume(AT_ONCE, 0.05):
            assert message.error() is None, message.error()
            seen += 1
            if message.key() is not None:  # a time marker has none
                read(io.BytesIO(message.value()[FRAMING_BYTES:]), schemas[message.topic()])
                decoded += 1
    told = {
        "events": seen,
        "decoded": decoded,
        "wall_seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    consumer.close()
    Path(sys.argv[3]).write_text(json.dumps(told))


if __name__ == "__main__":
    main()
