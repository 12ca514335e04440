"""How soon a deployment serves: from the broker's acknowledgement to the new champion in a follower, load included.

    .venv/bin/python benchmarks/swap.py

On a broker of its own; nothing else is asked of it meanwhile.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from confluent_kafka import Producer
from driftloop.artefacts.keys import ensure_signing_key
from driftloop.artefacts.loader import dump
from driftloop.artefacts.signature import sign
from driftloop.artefacts.store import Store
from driftloop.client import follow
from driftloop.console.broker.embedded import EmbeddedBroker
from driftloop.console.topics import apply_topics
from driftloop.schemas.codec import encode
from driftloop.schemas.events import DeploymentChanged, ModelPublished
from driftloop.schemas.settings import Settings

SWAPS = 50
MODULE = "swap"
"""This file, as the follower is allowed to import it."""


class Constant:
    """A model that takes no time to load."""

    def predict_score(self, columns: dict[str, object]) -> object:
        return columns


def measure(settings: Settings) -> list[float]:
    """Seconds of each swap, in order."""
    from swap import Constant as Imported

    key, producer = ensure_signing_key(settings), Producer(settings.confluent(linger_ms=0))
    stored = Store(settings.artefacts).put(dump(Imported(), [MODULE]))

    def tell(short: str, event: object, name: str) -> None:
        producer.produce(settings.topic(short), encode(event), name)
        assert producer.flush(60) == 0

    def deploy(version: str) -> float:
        model = ModelPublished("m", version, stored.uri, stored.sha256, stored.size_bytes, 1.0, "t", "r", "")
        tell("models", sign(model, key), f"m/{version}")
        tell("deployments", DeploymentChanged("m", version, 1.0, "", "", 1.0, version, "why"), "m")
        return time.monotonic()

    deploy("v0")
    seconds = []
    with follow("m", settings, modules=[MODULE]) as follower:
        follower.wait(60)
        changes = follower.changes()
        for i in range(1, SWAPS + 1):
            acknowledged = deploy(f"v{i}")
            next(change for change in changes if change.version == f"v{i}")
            seconds.append(time.monotonic() - acknowledged)
    return seconds


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, EmbeddedBroker() as broker:
        settings = Settings(broker.bootstrap, prefix="swap", partitions=4, state_folder=Path(folder))
        apply_topics(settings)
        seconds = sorted(measure(settings))
    print(f"{SWAPS} swaps: median {1e3 * seconds[SWAPS // 2]:.0f} ms, slowest {1e3 * seconds[-1]:.0f} ms")


if __name__ == "__main__":
    main()
