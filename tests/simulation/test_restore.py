"""A state that is read while somebody else goes on: a worker that was frozen in the middle of a restore."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from driftloop.schemas.settings import Settings
from driftloop.streams.transport import state_log
from driftloop.streams.transport.bring_up import checked

from .clients import Message, SimulatedConsumer
from .kafka import Broker
from .loop import VirtualLoop

SOURCE, STATE = "t.predictions.v1", "t.observer-state.v1"


class Overtaken(SimulatedConsumer):
    """Between any two of its calls a successor takes three more records in. It says so in the state."""

    def go_on(self) -> None:
        for _ in range(3):
            self.broker.write(SOURCE, 0, b"k", b"v")
        self.broker.write(STATE, 0, b"absorbed", b"%d" % (self.broker.log(SOURCE, 0).end - 1))

    def get_watermark_offsets(self, tp: TopicPartition, seconds: float) -> tuple[int, int]:
        found = super().get_watermark_offsets(tp, seconds)
        self.go_on()
        return found

    def consume(self, most: int, seconds: float) -> list[Message]:
        self.go_on()
        return super().consume(most, seconds)


def test_a_state_that_has_come_further_meanwhile_is_no_truncated_topic(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Seed 100423: the worker took its topic for truncated; it should go on and find itself fenced."""
    loop = VirtualLoop(random.Random(1))
    broker = Broker(loop)
    consumer: list[Any] = []

    def made(_settings: dict[str, Any]) -> SimulatedConsumer:
        consumer.append(Overtaken(broker))
        return consumer[-1]

    monkeypatch.setattr(state_log, "Consumer", made)
    settings = Settings("simulated:1", "t", 1, state_folder=tmp_path)
    Overtaken(broker).go_on()
    found = state_log.restore(settings, STATE, 0, [SOURCE], "t-observer")
    absorbed = int(found.rows[b"absorbed"])
    assert absorbed > 2, "somebody went on meanwhile"
    assert checked(SOURCE, 0, absorbed, found.sources[SOURCE]) == absorbed
    loop.close()
