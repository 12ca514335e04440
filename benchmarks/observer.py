"""How many times more events a second and core does the observer take than a stock Faust agent that does its work?

    python benchmarks/observer.py [--pairs N] [--json FILE]

One broker, the same records (10 numeric and 2 categorical features, 12 partitions), one process after the other, each
from a backlog; CPU seconds of all threads an event, from the first to the last. Both must join every pair. The
observer also keeps its state exactly (one transaction a checkpoint) and sketches every feature; the agent does not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition
from driftloop.console.broker.embedded import EmbeddedBroker
from driftloop.console.topics import apply_topics
from driftloop.schemas.codec import decode
from driftloop.schemas.events import Pane
from driftloop.schemas.settings import Settings
from stream import make_stream, produce, publish_monitor

HERE = Path(__file__).parent
TARGET = 5.0
SECONDS_MOST = 900


def measure(program: str, settings: Settings, records: int, folder: Path) -> dict[str, Any]:
    """Run one worker until it has read everything; its figures."""
    told = {
        "bootstrap_servers": settings.bootstrap_servers,
        "prefix": settings.prefix,
        "partitions": settings.partitions,
    }
    file = folder / f"{program}.json"
    command = [sys.executable, str(HERE / f"{program}.py"), json.dumps(told), str(records), str(file)]
    subprocess.run(command, check=True, timeout=SECONDS_MOST, cwd=folder)
    found: dict[str, Any] = json.loads(file.read_text())
    found["cpu_us_per_event"] = 1e6 * found["cpu_seconds"] / found["events"]
    found["events_per_second_per_core"] = found["events"] / found["cpu_seconds"]
    return found


def read_topic(settings: Settings, short: str) -> list[bytes]:
    """All values of a topic, as a read_committed reader sees them."""
    consumer = Consumer(
        settings.confluent(group_id=uuid.uuid4().hex, enable_partition_eof=True, auto_offset_reset="earliest")
    )
    consumer.assign([TopicPartition(settings.topic(short), p, 0) for p in range(settings.partitions)])
    values, ended = [], set()
    while len(ended) < settings.partitions:
        for message in consumer.consume(1000, 0.1):
            if message.error() is None:
                values.append(message.value())
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    consumer.close()
    return values


def joined_by_observer(settings: Settings) -> int:
    """Labelled rows in the last revision of every pane."""
    latest: dict[tuple[Any, ...], Pane] = {}
    for event in map(decode, read_topic(settings, "panes")):
        if isinstance(event, Pane) and event.kind == "labels":
            key = (event.version, event.role, event.pane_start, event.partition, event.bucket)
            if key not in latest or latest[key].revision <= event.revision:
                latest[key] = event
    return sum(pane.counts["labelled"] for pane in latest.values())


def compare(pairs: int, folder: Path) -> dict[str, Any]:
    """The figures of both, in one run."""
    with EmbeddedBroker() as broker:
        settings = Settings(bootstrap_servers=broker.bootstrap, prefix="bench", partitions=12)
        apply_topics(settings)
        stream = make_stream(pairs)
        records = produce(settings, stream, publish_monitor(settings, stream))
        print(f"{records:,} records, {pairs:,} pairs, {settings.partitions} partitions")
        observer = measure("measured_observer", settings, records, folder)
        observer["joined"] = joined_by_observer(settings)
        observer["dead_letters"] = len(read_topic(settings, "dead-letter"))
        stock = measure("stock_agent", settings, records, folder)
    for name, found in (("observer", observer), ("stock", stock)):
        assert found["joined"] == pairs, f"{name} has joined {found['joined']} of {pairs} pairs"
        print(
            f"{name:9} {found['cpu_us_per_event']:8.2f} µs CPU an event, "
            f"{found['events_per_second_per_core']:9,.0f} events/s per core, {found['peak_rss_mb']:4.0f} MB"
        )
    ratio = stock["cpu_us_per_event"] / observer["cpu_us_per_event"]
    return {"ratio_to_stock": ratio, "target": TARGET, "pairs": pairs, "observer": observer, "stock": stock}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="driftloop-bench-") as folder:
        found = compare(asked.pairs, Path(folder))
    print(f"ratio     {found['ratio_to_stock']:8.1f} (at least {TARGET:.0f} wanted)")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0 if found["ratio_to_stock"] >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
