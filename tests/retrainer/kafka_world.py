"""A model on the broker: its monitor, its records, planted windows and commands, and what the retrainer said."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Producer
from driftloop.artefacts.keys import trusted_keys
from driftloop.artefacts.loader import load
from driftloop.artefacts.store import Store
from driftloop.client.producer import Producer as AppProducer
from driftloop.retrainer import reading
from driftloop.retrainer.service import serve
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.events import MonitorApplied

from ..patience import GUARD_SECONDS
from .stories import DAY, T0, specification


def chance(features: dict[str, Any]) -> float:
    """The true probability of a default."""
    debt = 0.0 if features["debt"] is None else features["debt"]
    return 1 / (1 + math.exp(-(1.6 * features["income"] + debt + (features["region"] == "north") - 0.3)))


class World:
    """One deployment's topics, written to and read as a test needs."""

    def __init__(self, settings, spec=None) -> None:
        self.settings = settings
        self.spec = spec or specification()
        self.producer = Producer(settings.confluent(partitioner="murmur2_random", linger_ms=0))
        self.say(
            "monitors",
            f"{self.spec.model}/{self.spec.spec}",
            MonitorApplied("loans", self.spec.spec, self.spec.to_json()),
        )

    def say(self, short: str, key: str, event: Any) -> None:
        """Put one event on a topic and wait until it is there."""
        self.producer.produce(self.settings.topic(short), encode(event), key.encode())
        assert self.producer.flush(GUARD_SECONDS) == 0

    def live(self, first_day: float, days: int, role: str, version: str, per_day: int = 100, seed: int = 1) -> None:
        """Predictions of ``days`` from ``first_day`` after T0, each with its truth two hours later."""
        rng = random.Random(seed)
        with AppProducer("loans", self.settings, version=version, specification=self.spec) as app:
            for i in range(days * per_day):
                when = T0 + first_day * DAY + i * DAY / per_day
                features = {
                    "income": rng.gauss(0, 1),
                    "debt": None if rng.random() < 0.05 else rng.gauss(0, 1),
                    "region": rng.choice(["north", "south"]),
                }
                score = chance(features | {"income": 0.0})  # a champion that does not know income
                identity = app.predicted(
                    features, score, event_time=when, role=role, prediction_id=f"loan-{seed}-{first_day}-{i}"
                )
                defaulted = rng.random() < chance(features)
                app.observed(identity, "default" if defaulted else "repaid", event_time=when + 7200)
            assert app.flush(GUARD_SECONDS) == 0

    def heard(self, short: str) -> list[Any]:
        return [decode(message.value()) for message in reading.read_topic(self.settings, short)]

    def kinds(self) -> list[str]:
        return [d.kind for d in self.heard("decisions")]

    def wait(self, what: str, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + GUARD_SECONDS
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited {GUARD_SECONDS} s for {what}; {self.kinds()}"
            threading.Event().wait(0.05)
        return found

    def ended(self, runs: int) -> list[Any]:
        """The ends of runs, once there are so many."""

        def ends() -> list[Any]:
            found = [d for d in self.heard("decisions") if d.kind in ("promoted", "rejected", "failed")]
            return found if len(found) >= runs else []

        return self.wait(f"the end of {runs} runs", ends)

    def evaluated(self, as_of: float) -> Any:
        """The evaluation at this time, once it is there."""
        return self.wait(
            f"the evaluation at {as_of}",
            lambda: next((d for d in self.heard("decisions") if d.kind == "evaluated" and d.as_of == as_of), None),
        )

    def load(self, manifest: Any) -> Any:
        return load(manifest, Store(self.settings.artefacts), trusted_keys(self.settings))


@contextmanager
def serving(settings) -> Iterator[None]:
    """The service in a thread of this process, stopped as by SIGTERM."""
    stop, codes = threading.Event(), []
    thread = threading.Thread(target=lambda: codes.append(serve(settings, stop)), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(GUARD_SECONDS)
    assert codes == [0]


ENTRY = """
import logging, os, sys
from driftloop.retrainer.service import main
from driftloop.schemas.settings import Settings
logging.basicConfig(level=logging.INFO)
sys.exit(main(Settings.from_environment(os.environ)))
"""


def process(settings, log) -> subprocess.Popen[bytes]:
    """The service as a process of its own."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-c", ENTRY], env=settings.environment(os.environ), stdout=file, stderr=file
        )
