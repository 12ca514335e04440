"""Live traffic at a steady rate: ``live_producer.py SETTINGS EVENTS_PER_SECOND SPEED START FILE STEP``.

Half predictions, half truths, each truth a second behind its prediction; event time begins at ``START`` and runs
``SPEED`` times as fast as the clock, so that panes close while one watches. A record's Kafka timestamp is this
machine's clock right before it is handed to the producer, unless the topic has the broker's (LogAppendTime).
FILE: when it began, what was sent, and how long a prediction took until the broker had it (linger of 5 ms included).
Every ``STEP`` seconds it sends what is due. Ends on SIGTERM, or after five minutes.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import deque
from pathlib import Path

import numpy as np
from confluent_kafka import KafkaError, Message, Producer
from driftloop.console.connection import QUIET
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.codec import encode
from driftloop.schemas.events import GroundTruth
from driftloop.schemas.settings import Settings
from stream import CATEGORICAL, CLASSES, MODEL, NUMERIC, make_stream, specification, with_reference

START = 1_710_000_000.0
SECONDS_MOST = 300.0
DELAY_SECONDS = 1.0
DISTINCT = 20_000
TELL_SECONDS = 1.0


def main() -> None:
    settings, rate = Settings(**json.loads(sys.argv[1])), float(sys.argv[2])
    speed, start, file = float(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5])
    step_seconds = float(sys.argv[6])
    stream = make_stream(DISTINCT)
    found = layout(with_reference(specification(), stream)[0])
    features = [
        dict(zip(NUMERIC, numbers, strict=True)) | {name: str(stream.categories[name][i]) for name in CATEGORICAL}
        for i, numbers in enumerate(stream.numeric.tolist())
    ]
    scores, labels = stream.score.tolist(), stream.label.tolist()
    producer = Producer(
        settings.confluent(linger_ms=5, partitioner="murmur2_random", compression_type="lz4") | {"logger": QUIET}
    )
    predictions, truths = settings.topic("predictions"), settings.topic("ground-truth")
    running = True
    acknowledged: list[float] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        acknowledged.append(message.latency())

    def event_time(now: float) -> float:
        return start + (now - began) * speed

    def stop(*_: object) -> None:
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    began, sent, told = time.time(), 0, 0.0
    waiting: deque[tuple[float, int]] = deque()
    while running and (now := time.time()) - began < SECONDS_MOST:
        while 2 * sent < (now - began) * rate:
            now = time.time()
            i = sent % DISTINCT
            value = encode_prediction(
                found, event_time(now), scores[i], features[i], "v1", predicted=CLASSES[scores[i] > 0.5]
            )
            key, at = b"l-%09d" % sent, int(now * 1e3)
            producer.produce(predictions, value, key, timestamp=at, on_delivery=delivered)
            waiting.append((now, sent))
            sent += 1
            while waiting and waiting[0][0] <= now - DELAY_SECONDS:
                _, first = waiting.popleft()
                truth = encode(GroundTruth(event_time(now), MODEL, CLASSES[labels[first % DISTINCT]]))
                producer.produce(truths, truth, b"l-%09d" % first, timestamp=int(time.time() * 1e3))
        producer.poll(0)
        if now - told >= TELL_SECONDS:
            told = now
            tell(file, began, sent, len(waiting))
        time.sleep(step_seconds)
    assert producer.flush(30) == 0
    p50, p99 = (1e3 * np.percentile(acknowledged, [50, 99])).tolist() if acknowledged else (None, None)
    tell(file, began, sent, len(waiting), append_p50_ms=p50, append_p99_ms=p99)


def tell(file: Path, began: float, sent: int, waiting: int, **more: float | None) -> None:
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps({"began": began, "predictions": sent, "truths": sent - waiting} | more))
    draft.rename(file)


if __name__ == "__main__":
    main()
