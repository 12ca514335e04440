"""Bad records among good ones: each a dead letter with its reason and its place, and nothing else wrong."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import fastavro
import pytest
from confluent_kafka import Producer as RawProducer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from driftloop.schemas import codec
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.events import GroundTruth, Pane, Progress
from driftloop.schemas.monitor.monitor_file import compile_monitor
from driftloop.schemas.settings import Settings

from ..patience import GUARD_SECONDS
from .loop import QUIET, SPECIFICATION, publish, running, steps_of
from .world import DAY, make_world

TEN_MEGABYTES = 10_000_000


def allow_large_records(settings: Settings) -> None:
    resource = ConfigResource(ResourceType.TOPIC, settings.topic("predictions"))
    resource.add_incremental_config(
        ConfigEntry("max.message.bytes", "12000000", incremental_operation=AlterConfigOpType.SET)
    )
    admin = AdminClient(settings.confluent() | QUIET)
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(GUARD_SECONDS)


def bad_records(good_time: float) -> list[tuple[str, bytes | None, bytes, set[str]]]:
    """(topic, key, value, the reasons that would be right)."""
    spec = compile_monitor(SPECIFICATION.read_text(), "loans.toml")
    stranger = compile_monitor(SPECIFICATION.read_text().replace('"loans"', '"strangers"'), "strangers.toml")
    features = {"income": 0.1, "debt": 0.2, "age": 40.0, "region": "north"}

    def prediction(event_time: float, of=spec) -> bytes:
        return encode_prediction(layout(of), event_time, 0.5, features, "v1")

    def truth(model: str) -> bytes:
        return codec.encode(GroundTruth(good_time, model, "repaid"))

    good = prediction(good_time)
    foreign = io.BytesIO()
    fastavro.schemaless_writer(
        foreign, {"type": "record", "name": "Foreign", "fields": [{"name": "a", "type": "long"}]}, {"a": 1}
    )
    not_a_number = good[:10] + b"\x00\x00\x00\x00\x00\x00\xf8\x7f" + good[18:]
    return [
        ("predictions", b"truncated", good[:-9], {"truncated"}),
        ("predictions", b"in-the-prefix", good[:25], {"truncated"}),
        ("predictions", b"foreign", b"\xc3\x01" + b"12345678" + foreign.getvalue(), {"unknown-schema"}),
        ("predictions", b"random", b"\x07hello", {"unknown-framing"}),
        ("predictions", b"stranger", prediction(good_time, stranger), {"unknown-schema", "unknown-model"}),
        ("predictions", b"empty", b"", {"empty"}),
        ("predictions", None, good, {"key-missing"}),
        ("predictions", b"year-9999", prediction(253_370_764_800.0), {"event-time-in-the-future"}),
        ("predictions", b"nineties", prediction(800_000_000.0), {"event-time-before-2000"}),
        ("predictions", b"nan", not_a_number, {"event-time-not-a-number"}),
        ("predictions", b"huge", good + b"\0" * TEN_MEGABYTES, {"too-large", "trailing-bytes"}),
        ("ground-truth", b"t-truncated", truth("loans")[:-3], {"truncated"}),
        ("ground-truth", b"t-stranger", truth("strangers"), {"unknown-model"}),
        ("ground-truth", None, truth("loans"), {"key-missing"}),
    ]  # fmt: skip


def produce(settings: Settings, topic: str, value: bytes, key: bytes | None) -> None:
    """Again and again until the broker takes it: the topic's new limit holds a moment later."""
    raw = RawProducer(settings.confluent(message_max_bytes=12_000_000, partitioner="murmur2_random") | QUIET)
    refused = [True]
    while refused.pop():
        raw.produce(settings.topic(topic), value, key, on_delivery=lambda error, _: refused.append(error is not None))
        assert raw.flush(GUARD_SECONDS) == 0


@pytest.mark.kafka
def test_each_bad_record_is_kept_with_its_reason_and_the_good_ones_count(settings: Settings, tmp_path: Path) -> None:
    world = make_world(seed=9, days=4, history_days=0)
    end = world.end + 3 * DAY
    steps = steps_of(world)[1]
    half = len(steps) // 2
    with running(settings, tmp_path) as loop:
        allow_large_records(settings)
        loop.command("monitor", "apply", str(SPECIFICATION))
        loop.start("observer")
        publish(settings, steps[:half], steps[half][0])
        sent = bad_records(steps[half][0])
        for topic, key, value, _ in sent:
            produce(settings, topic, value, key)
        publish(settings, steps[half:], end)

        letters = loop.wait("the dead letters", lambda: dead_letters(loop, len(sent)))
        for topic, key, value, reasons in sent:
            message = next(m for m in letters if (m.key(), source(m)) == (key, settings.topic(topic)))
            headers = dict(message.headers())
            assert headers["driftloop.reason"].decode() in reasons, key
            assert int(headers["__connect.errors.offset"]) >= 0
            if len(value) < 900_000:
                assert (message.value() or b"") == value
            else:
                assert (message.value(), int(headers["driftloop.value.size"])) == (value[:65_536], len(value))
        assert len(letters) == len(sent), "something else was refused too"

        def complete() -> bool:
            progress = {e.partition: e for e in loop.read("panes") if isinstance(e, Progress)}
            reached = [p for p in progress.values() if min(p.predictions_watermark, p.truths_watermark) > end - DAY]
            return len(reached) == settings.partitions

        loop.wait("the observer to reach the end", complete)
        last: dict[object, Pane] = {}
        for event in loop.read("panes"):
            if isinstance(event, Pane) and event.kind != "counters":
                last[event.version, event.kind, event.bucket, event.pane_start, event.partition] = event
        total = Counter[str]()
        for pane in last.values():
            for name in ("predictions", "labelled"):
                total[name] += pane.counts.get(name, 0)
        assert total["predictions"] == len(world.loans)
        assert total["labelled"] == sum(loan.label is not None for loan in world.loans)
        assert loop.stop() == {"observer": 0}


def dead_letters(loop, least: int):
    found = [message for message, _ in loop.read_raw("dead-letter")]
    return found if len(found) >= least else None


def source(message) -> str:
    return dict(message.headers())["__connect.errors.topic"].decode()
