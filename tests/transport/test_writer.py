"""How a transaction ends that meets an error before its last record is out: librdkafka then tells ``produce`` only
that there is one, and whether it is the fence or may be aborted decides between an exit and going on."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from driftloop.schemas.settings import Settings
from driftloop.schemas.topics import RECORD_BYTES_MOST
from driftloop.streams.fold import Output
from driftloop.streams.transport.exits import Exit
from driftloop.streams.transport.state.writer import StateRecord, WriteEnded, Writer
from driving import read_all, wait_until

pytestmark = pytest.mark.kafka
STATE = [StateRecord(b"a", b"1")]


@pytest.fixture
def writers(settings: Settings) -> Iterator[list[Writer]]:
    found = [Writer(settings, "test", settings.topic("observer-state"), 0) for _ in range(2)]
    yield found
    for writer in found:
        writer.close()


def until_refused(output: Output) -> Iterator[Output]:
    """The same output again and again, until ``produce`` refuses it; three minutes at most."""
    for _ in range(3600):
        yield output
        time.sleep(0.05)


def test_a_fence_noticed_between_two_records_is_told_as_the_fence(
    settings: Settings, writers: list[Writer], capfd: pytest.CaptureFixture[str]
) -> None:
    frozen, successor = writers
    frozen.open(lambda: True)

    def outputs() -> Iterator[Output]:
        successor.open(lambda: True)
        yield from until_refused(Output(settings.topic("panes"), b"k", b"v", 0))

    with pytest.raises(WriteEnded) as ended:
        frozen.write(STATE, outputs())
    assert ended.value.exit == Exit.FENCED
    assert "fenced" in ended.value.message
    assert successor.write([StateRecord(b"b", b"2")], [])
    assert [message.key() for message in read_all(settings, "observer-state")] == [b"b"]
    assert "FATAL" not in capfd.readouterr().err, "librdkafka has nothing to add to our own sentence"


def test_an_abortable_error_noticed_between_two_records_is_aborted(settings: Settings, writers: list[Writer]) -> None:
    writer, _ = writers
    writer.open(lambda: True)
    topic = settings.topic("panes")

    def outputs() -> Iterator[Output]:
        yield Output(topic, b"large", random.Random(1).randbytes(2 * RECORD_BYTES_MOST), 0)
        yield from until_refused(Output(topic, b"k", b"v", 1))

    assert not writer.write(STATE, outputs()), "aborted, and the worker goes on"
    writer.close()
    writer.open(lambda: True)  # as a reload does
    assert writer.write([StateRecord(b"b", b"2")], [Output(topic, b"k", b"v", 0)])
    wait_until(lambda: [message.key() for message in read_all(settings, "panes")] == [b"k"], "one output")
    assert [message.key() for message in read_all(settings, "observer-state")] == [b"b"]
