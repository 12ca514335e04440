"""A state that is read while somebody else goes on; and one of an older layout, which is rewritten as it is read."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from driftloop.schemas.errors import ConfigError, Unavailable
from driftloop.schemas.settings import Settings
from driftloop.streams.observer.recovery.carrying import carried_over
from driftloop.streams.observer.service import SERVICE
from driftloop.streams.transport.state import state_log, writer
from driftloop.streams.transport.state.bring_up import Restored, Restorer, checked
from driftloop.streams.transport.state.header import HEADER_KEY, StateHeader, decode_header

from ..observer.layout_1 import left_behind
from ..observer.world import context
from .clients import Clients, Message, SimulatedConsumer, Trouble
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


class Upgrade:
    """A state topic as a worker of layout ``layout`` has left it, and workers of today that restore from it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, layout: int) -> None:
        self.settings = Settings("simulated:1", "t", 3, state_folder=folder)
        self.broker = Broker(VirtualLoop(random.Random(1)))
        self.trouble = Trouble(random.Random(1), 0.0, 0.0, 0.0)
        clients = Clients(self.broker, self.trouble)
        monkeypatch.setattr(state_log, "Consumer", clients.consumer)
        monkeypatch.setattr(writer, "Producer", clients.producer)
        self.restorer = Restorer(SERVICE, self.settings, context())
        self.old = left_behind().state
        absorbed = dict.fromkeys(self.restorer.sources, 9)
        header = StateHeader(self.settings.group("observer"), layout, 3, absorbed, {}, skipped={SOURCE: 4})
        self.broker.write_in_transaction(STATE, 0, [*self.old.items(), (HEADER_KEY, header.encode())], committed=True)
        for topic in self.restorer.sources:
            for _ in range(10):
                self.broker.write(topic, 0, b"k", b"v")

    def restore(self) -> Restored:
        found = self.restorer.restore(0, self.restorer.writer(0), {}, lambda: True)
        assert found is not None
        return found

    def written(self) -> dict[bytes, bytes]:
        """What a reader of the state topic has now."""
        rows: dict[bytes, bytes] = {}
        for record in self.broker.log(STATE, 0).committed(0):
            assert record.key is not None
            if record.value is None:
                rows.pop(record.key)
            else:
                rows[record.key] = record.value
        return rows


def test_a_state_of_an_older_layout_is_rewritten_once_with_its_offsets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    upgrade = Upgrade(monkeypatch, tmp_path, layout=1)
    wanted = carried_over(1, upgrade.old)
    found = upgrade.restore()
    assert found.state == wanted != upgrade.old
    assert set(found.absorbed.values()) == {9} and found.skipped == {SOURCE: 4}
    rows = upgrade.written()
    header = decode_header(rows.pop(HEADER_KEY), STATE)
    assert rows == wanted
    assert (header.layout, header.sources, header.skipped) == (SERVICE.layout, found.absorbed, {SOURCE: 4})
    end = upgrade.broker.log(STATE, 0).end
    assert upgrade.restore().state == wanted
    assert upgrade.broker.log(STATE, 0).end == end, "from then on it is a state as any other"


def test_a_worker_that_fails_in_the_middle_of_it_leaves_the_old_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    upgrade = Upgrade(monkeypatch, tmp_path, layout=1)
    before = upgrade.written()
    upgrade.trouble.abortable = 1.0
    with pytest.raises(Unavailable, match="carries the state over was aborted"):
        upgrade.restore()
    assert upgrade.written() == before
    upgrade.trouble.calm()
    assert upgrade.restore().state == carried_over(1, upgrade.old)


def test_a_layout_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    upgrade = Upgrade(monkeypatch, tmp_path, layout=7)
    with pytest.raises(ConfigError, match="written for layout 7, this worker has 2"):
        upgrade.restore()
