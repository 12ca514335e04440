"""Live traffic of 5,000 events a second: share of a core, latency to the fold and to the published pane, pauses.

One clock, this machine's: a record's timestamp is the broker's append (LogAppendTime), the other ends are in the
worker's fold and in a read_committed reader; what passes before the append (producer, linger of 5 ms, network) is
reported beside it. Event time runs 360 times as fast, so that every ten seconds an hourly pane closes in each
partition. The processors are kept awake (awake.py), and what a hypervisor still takes of them is reported too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from awake import Awake
from bench import Bench
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from driftloop.console.topics import apply_topics
from driftloop.schemas.codec import decode
from driftloop.schemas.events import Pane
from driftloop.schemas.settings import Settings
from live_producer import START
from processes import Fleet, wait_for
from stream import make_stream, publish_monitors, specification

HERE = Path(__file__).parent
EVENTS_PER_SECOND = 5_000
SPEED = 360.0
WARM_SECONDS, SECONDS = 6.0, 30.0


class PaneReader(threading.Thread):
    """Notes when each pane became visible to a read_committed reader."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[float, Pane]] = []
        self._over = threading.Event()
        topic = settings.topic("panes")
        self._consumer = Consumer(settings.confluent(group_id=uuid.uuid4().hex, fetch_wait_max_ms=10))
        count = len(self._consumer.list_topics(topic, 10).topics[topic].partitions)
        self._consumer.assign([TopicPartition(topic, p, 0) for p in range(count)])

    def run(self) -> None:
        while not self._over.is_set():
            for message in self._consumer.consume(500, 0.01):
                now = time.time()
                if message.error() is None and isinstance(event := decode(message.value()), Pane):
                    self.seen.append((now, event))
        self._consumer.close()

    def end(self) -> list[tuple[float, Pane]]:
        self._over.set()
        self.join()
        return self.seen


def produce(
    bench: Bench, settings: Settings, rate: float, speed: float, start: float = START, step_seconds: float = 0.005
) -> tuple[subprocess.Popen[bytes], Path]:
    """The producer's process, sending, and the file it writes."""
    file = bench.folder / f"producer-{settings.prefix}.json"
    told = {"bootstrap_servers": bench.bootstrap, "prefix": settings.prefix, "partitions": settings.partitions}
    numbers = [str(rate), str(speed), str(start)]
    command = [str(HERE / "live_producer.py"), json.dumps(told), *numbers, str(file), str(step_seconds)]
    process = subprocess.Popen([sys.executable, *command])
    wait_for(file.exists, 30, "the producer to begin")
    return process, file


def stamp_at_append(settings: Settings) -> None:
    """The broker stamps the records of both sources."""
    entry = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
    topics = [settings.topic(name) for name in ("predictions", "ground-truth")]
    wanted = [ConfigResource("TOPIC", topic, incremental_configs=[entry]) for topic in topics]
    admin = AdminClient(settings.confluent())
    for answer in admin.incremental_alter_configs(wanted).values():
        answer.result(10)


def run(bench: Bench) -> dict[str, Any]:
    settings = bench.settings("live")
    apply_topics(settings)
    stamp_at_append(settings)
    publish_monitors(settings, make_stream(20_000))
    times = bench.folder / "times.npz"
    command = (sys.executable, str(HERE / "timed_observer.py"), str(times))
    with Awake() as awake, Fleet(settings, bench.folder, command=command) as fleet:
        panes = PaneReader(settings)
        panes.start()
        producer, file = produce(bench, settings, EVENTS_PER_SECOND, SPEED)
        time.sleep(WARM_SECONDS)
        start, cpu = time.time(), fleet.cpu_seconds()[0]
        time.sleep(SECONDS if not bench.quick else 20.0)
        cpu_seconds, end = fleet.cpu_seconds()[0] - cpu, time.time()
        stolen_share = awake.stolen_share()
        producer.terminate()
        assert producer.wait(60) == 0, "the producer has failed"
        time.sleep(2.0)
        seen = panes.end()
    sent = json.loads(file.read_text())
    noted = np.load(times)
    absorbed = len(noted["records"])
    assert absorbed == sent["predictions"] + sent["truths"], f"{absorbed} of {sent} were absorbed"
    found = {
        "core_share_at_5k": cpu_seconds / (end - start),
        "stolen_share": stolen_share,
        "append_p50_ms": sent["append_p50_ms"],
        "append_p99_ms": sent["append_p99_ms"],
        **latencies(noted["records"], start, end),
        **pane_latencies(seen, sent["began"], start, end),
        **pauses(noted["checkpoints"], start, end),
    }
    say(bench, found)
    return found


def say(bench: Bench, found: dict[str, Any]) -> None:
    bench.say(
        f"{found['live_events_per_second']:,.0f} events/s: {100 * found['core_share_at_5k']:.1f} % of a core; "
        f"append to fold p50 {found['latency_p50_ms_at_5k']:.0f} p99 {found['latency_p99_ms_at_5k']:.0f} ms, "
        f"absorbed {found['absorb_latency_p50_ms_at_5k']:.0f} and {found['absorb_latency_p99_ms_at_5k']:.0f} ms"
    )
    bench.say(
        f"before it: p50 {found['append_p50_ms']:.0f} p99 {found['append_p99_ms']:.0f} ms from the producer to the "
        f"broker's answer; {100 * found['stolen_share']:.0f} % of the processors stolen"
    )
    bench.say(
        f"{found['panes_timed']} panes, visible p50 {found['pane_latency_p50_ms_at_5k']:.0f} p99 "
        f"{found['pane_latency_p99_ms_at_5k']:.0f} ms; {found['checkpoints_timed']} checkpoints held the loop "
        f"{found['checkpoint_pause_p99_ms']:.1f} ms (p99), {found['checkpoint_pause_ms']:.1f} ms (longest)"
    )


def latencies(records: np.ndarray, start: float, end: float) -> dict[str, float]:
    """Of the records sent between ``start`` and ``end``; columns as timed_observer.py leaves them."""
    inside = records[(records[:, 0] >= start) & (records[:, 0] < end)]
    folded, absorbed = inside[:, 2] - inside[:, 0], inside[:, 1] - inside[:, 0]
    return {
        "live_events_per_second": len(inside) / (end - start),
        "latency_p99_ms_at_5k": percentile_ms(folded, 99),
        "latency_p50_ms_at_5k": percentile_ms(folded, 50),
        "absorb_latency_p99_ms_at_5k": percentile_ms(absorbed, 99),
        "absorb_latency_p50_ms_at_5k": percentile_ms(absorbed, 50),
    }


def pauses(checkpoints: np.ndarray, start: float, end: float) -> dict[str, float]:
    """How long the checkpoints between ``start`` and ``end`` held the event loop."""
    held = checkpoints[(checkpoints[:, 0] >= start) & (checkpoints[:, 0] < end), 1]
    return {
        "checkpoint_pause_ms": 1e3 * float(held.max()),
        "checkpoint_pause_p99_ms": percentile_ms(held, 99),
        "checkpoints_timed": len(held),
    }


def pane_latencies(seen: list[tuple[float, Pane]], began: float, start: float, end: float) -> dict[str, float]:
    """From the clock's passing of a pane's instant (plus disorder) in event time to its being readable.

    The record that closes a pane comes on average 5 ms behind that moment (a partition gets 200 a second and
    source); those are counted in.
    """
    disorder = specification().disorder_seconds
    waited = []
    for at, pane in seen:
        due = began + (pane.emitted_at + disorder - START) / SPEED
        if pane.revision == 0 and pane.kind in ("features", "labels") and start <= due < end:
            waited.append(at - due)
    found = np.array(waited)
    assert len(found), "no pane was told while the load ran"
    return {
        "pane_latency_p99_ms_at_5k": percentile_ms(found, 99),
        "pane_latency_p50_ms_at_5k": percentile_ms(found, 50),
        "panes_timed": len(found),
    }


def percentile_ms(seconds: np.ndarray, percent: float) -> float:
    return 1e3 * float(np.percentile(seconds, percent))
