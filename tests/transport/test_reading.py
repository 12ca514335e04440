"""Reading what others have written: the catalogue, and a state partition as its last transaction left it."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import pytest
from driftloop.console.monitor import apply_monitor
from driftloop.schemas.errors import Unavailable
from driftloop.schemas.settings import Settings
from driftloop.streams.fold import Output
from driftloop.streams.transport.catalogue import KafkaCatalogue
from driftloop.streams.transport.exits import Exit
from driftloop.streams.transport.state import state_log
from driftloop.streams.transport.state.state_log import restore
from driftloop.streams.transport.state.writer import StateRecord, WriteEnded, Writer
from driving import feed, read_all

pytestmark = pytest.mark.kafka

MONITOR = """
model = "{model}"
task = "binary"
classes = ["no", "yes"]
[time]
pane = "1 d"
window = "1 d"
horizon = "2 d"
[features]
x = "numeric"
[alarms]
budget = "1 per month"
"""


def applied(settings: Settings, folder: Path, model: str) -> None:
    file = folder / f"{model}.toml"
    file.write_text(MONITOR.format(model=model))
    apply_monitor(settings, file)


def test_the_catalogue_knows_what_was_published_before_the_refresh(settings: Settings, tmp_path: Path) -> None:
    applied(settings, tmp_path, "first")
    catalogue = KafkaCatalogue(settings)
    catalogue.refresh()
    assert catalogue.catalogue.models() == ["first"]
    applied(settings, tmp_path, "second")
    assert catalogue.catalogue.models() == ["first"]
    catalogue.refresh()
    catalogue.refresh()
    assert catalogue.catalogue.models() == ["first", "second"]
    catalogue.close()


def test_a_record_the_catalogue_cannot_use_is_said(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    from confluent_kafka import Producer

    producer = Producer(settings.confluent())
    producer.produce(settings.topic("monitors"), b"nonsense", b"m")
    assert producer.flush(180) == 0
    catalogue = KafkaCatalogue(settings)
    with caplog.at_level(logging.WARNING, "driftloop.transport"):
        catalogue.refresh()
        catalogue.refresh()
    catalogue.close()
    assert caplog.text.count("monitors@0 cannot be used") == 1


def test_a_catalogue_without_a_cluster_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_log, "CALL_SECONDS_MOST", 1.0)
    catalogue = KafkaCatalogue(Settings(bootstrap_servers="127.0.0.1:9"))
    with pytest.raises(Unavailable, match="the catalogue cannot be read"):
        catalogue.refresh()
    catalogue.close()


def writer(settings: Settings, partition: int = 1) -> Writer:
    found = Writer(settings, settings.group("toy"), settings.topic("observer-state"), partition)
    found.open(lambda: True)
    return found


def state(settings: Settings, partition: int = 1) -> dict[bytes, bytes]:
    sources = [settings.topic("predictions")]
    return restore(settings, settings.topic("observer-state"), partition, sources, settings.group("toy")).rows


def test_a_state_is_its_last_records_without_the_deleted_ones(settings: Settings) -> None:
    assert state(settings) == {}
    first = writer(settings)
    assert first.write([StateRecord(b"a", b"1"), StateRecord(b"b", b"2"), StateRecord(b"c", b"3")], [])
    assert first.write([StateRecord(b"a", b"4"), StateRecord(b"b", None)], [])
    first.close()
    assert state(settings) == {b"a": b"4", b"c": b"3"}
    assert state(settings, partition=2) == {}


def test_the_marks_of_the_sources_come_with_it(settings: Settings) -> None:
    feed(settings, 7)
    topic = settings.topic("predictions")
    found = restore(settings, settings.topic("observer-state"), 3, [topic], settings.group("toy"))
    assert found.sources == {topic: (0, 7)}


@pytest.mark.filterwarnings("ignore:Producer abort_transaction failed during close")
def test_a_successor_fences_its_predecessor_for_good(settings: Settings) -> None:
    old = writer(settings)
    assert old.write([StateRecord(b"a", b"old")], [])
    new = writer(settings)
    with pytest.raises(WriteEnded) as error:
        old.write([StateRecord(b"a", b"late")], [])
    assert error.value.exit == Exit.FENCED
    assert new.write([StateRecord(b"a", b"new")], [])
    assert state(settings) == {b"a": b"new"}
    for each in (old, new):
        each.close()


def test_what_the_broker_refuses_aborts_the_whole_transaction(settings: Settings) -> None:
    """The output is larger than its topic allows: neither it nor the state beside it counts."""
    one = writer(settings)
    too_large = Output(settings.topic("panes"), b"k", random.Random(1).randbytes(3_000_000))
    assert not one.write([StateRecord(b"a", b"1")], [too_large])
    one.close()
    one = writer(settings)
    assert one.write([StateRecord(b"b", b"2")], [Output(settings.topic("panes"), b"k", b"v", None, (("h", b"x"),))])
    one.close()
    assert state(settings) == {b"b": b"2"}
    (message,) = read_all(settings, "panes")
    assert (message.key(), message.value(), message.headers()) == (b"k", b"v", [("h", b"x")])


def test_an_output_without_a_partition_goes_where_every_client_would_send_it(settings: Settings) -> None:
    from driftloop.schemas.murmur2 import partition_of

    one = writer(settings)
    keys = [b"model-%d" % i for i in range(20)]
    assert one.write([], [Output(settings.topic("panes"), key, b"") for key in keys])
    one.close()
    found = {message.key(): message.partition() for message in read_all(settings, "panes")}
    assert found == {key: partition_of(key, settings.partitions) for key in keys}
