"""Records with a registry's ids through the real services: all count, none is refused for want of an answer."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer as RawProducer
from driftloop.retrainer import reading
from driftloop.retrainer.run import layouts_for
from driftloop.schemas.events import Pane, Progress
from driftloop.schemas.monitor.specification import MonitorSpecification
from driftloop.schemas.settings import Settings
from driftloop.streams.transport.catalogue import KafkaCatalogue

from ..integration.loop import QUIET, SPECIFICATION, Loop, publish, running, steps_of
from ..integration.world import DAY, World, make_world
from ..patience import GUARD_SECONDS
from .apicurio import Registry

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("registry")]
NO_SUCH_ID = b"\x00\x00\x01\xe2\x40"  # 123456


def with_registry(loop: Loop, settings: Settings) -> Loop:
    loop.environment["DRIFTLOOP_SCHEMA_REGISTRY_URL"] = settings.schema_registry_url
    return loop


def reached(loop: Loop, end: float) -> bool:
    """Every partition has told watermarks close to the end."""
    progress = {e.partition: e for e in loop.read("panes") if isinstance(e, Progress)}
    there = [p for p in progress.values() if min(p.predictions_watermark, p.truths_watermark) > end - DAY]
    return len(there) == loop.settings.partitions


def counted(loop: Loop) -> Counter[str]:
    """Predictions and labels over the last revision of every pane."""
    last: dict[object, Pane] = {}
    for event in loop.read("panes"):
        if isinstance(event, Pane) and event.kind != "counters":
            last[event.version, event.role, event.kind, event.bucket, event.pane_start, event.partition] = event
    total = Counter[str]()
    for pane in last.values():
        total.update({name: pane.counts.get(name, 0) for name in ("predictions", "labelled")})
    return total


def true_counts(world: World) -> Counter[str]:
    labelled = sum(loan.label is not None for loan in world.loans)
    return Counter(predictions=len(world.loans), labelled=labelled)


def dead_letters(loop: Loop, least: int) -> list[Any]:
    found = [message for message, _ in loop.read_raw("dead-letter")]
    return found if len(found) >= least else []


def dataset_rows(settings: Settings, as_of: float) -> int:
    """As a training run reads them."""
    with closing(KafkaCatalogue(settings)) as published:
        published.refresh()
        spec: MonitorSpecification | None = published.catalogue.specification("loans")
    assert spec is not None
    dataset, _ = reading.read_rows(settings, reading.log_ends(settings), spec, layouts_for(settings, spec), as_of)
    return len(dataset)


def test_every_reader_resolves_what_the_sdk_has_framed(
    registered: Settings, registry: Registry, tmp_path: Path
) -> None:
    world = make_world(seed=3, days=4, history_days=2)
    end = world.end + 3 * DAY
    with running(registered, tmp_path) as loop:
        with_registry(loop, registered).command("monitor", "apply", str(SPECIFICATION))
        loop.start("observer")
        publish(registered, [*steps_of(world)[0], *steps_of(world)[1]], end)
        raw = RawProducer(registered.confluent(partitioner="murmur2_random") | QUIET)
        raw.produce(registered.topic("predictions"), NO_SUCH_ID + bytes(40), b"nobody's")
        assert raw.flush(GUARD_SECONDS) == 0

        loop.wait("the observer to reach the end", lambda: reached(loop, end))
        assert counted(loop) == true_counts(world)
        (letter,) = loop.wait("the dead letter", lambda: dead_letters(loop, 1))
        headers = dict(letter.headers())
        assert (letter.key(), headers["driftloop.reason"]) == (b"nobody's", b"unknown-schema")
        assert b"no schema 123456" in headers["__connect.errors.exception.message"]
        assert loop.stop() == {"observer": 0}

        for short in ("predictions", "ground-truth"):
            assert {value[:1] for _, value in loop.read_raw(short) if value} == {b"\x00"}, short
        topics = [registered.topic(short) for short in ("predictions", "ground-truth")]
        assert {s for s in registry.subjects() if s.startswith(registered.prefix)} == {
            f"{topics[0]}-driftloop.predictions.loans",
            f"{topics[0]}-driftloop.v1.TimeMarker",
            f"{topics[1]}-driftloop.v1.GroundTruth",
            f"{topics[1]}-driftloop.v1.TimeMarker",
        }

        lines = [json.loads(line) for line in loop.command("cat", "predictions").splitlines()]
        shown = {line["key"]: line["value"] for line in lines if line["type"] == "Prediction"}
        assert {key: value["score"] for key, value in shown.items()} == {
            loan.prediction_id: loan.score for loan in world.loans
        }
        assert [line["reason"] for line in lines if line["type"] == "unreadable"] == ["unknown-schema"]
        assert Counter(line["type"] for line in lines)["TimeMarker"] == registered.partitions

        history = [loan for loan in world.loans if loan.role == "history"]
        said = loop.command("reference", "build", "loans", "--role", "history")
        labelled = sum(loan.label is not None for loan in history)
        assert f"of {len(history)} predictions, {labelled} labelled" in said
        assert dataset_rows(registered, end) == true_counts(world)["labelled"]


def test_records_wait_for_a_registry_that_is_away_and_none_is_refused(
    registered: Settings, registry: Registry, tmp_path: Path
) -> None:
    world = make_world(seed=4, days=2, history_days=0, per_day=60)
    end = world.end + 3 * DAY
    with running(registered, tmp_path) as loop:
        with_registry(loop, registered).command("monitor", "apply", str(SPECIFICATION))
        publish(registered, steps_of(world)[1], end)
        with registry.silent():
            loop.start("observer")
            log = tmp_path / "observer.log"
            loop.wait(
                "the observer to say that records wait", lambda: "waits: the schema registry" in log.read_text()
            )
            assert not any(isinstance(e, Pane) for e in loop.read("panes"))
        loop.wait("the observer to reach the end", lambda: reached(loop, end))
        assert counted(loop) == true_counts(world)
        assert loop.read_raw("dead-letter") == []
        assert loop.stop() == {"observer": 0}


def test_without_the_setting_every_such_record_is_a_dead_letter_that_names_it(
    registered: Settings, tmp_path: Path
) -> None:
    world = make_world(seed=5, days=1, history_days=0, per_day=12)
    with running(replace(registered, schema_registry_url=""), tmp_path) as loop:
        loop.command("monitor", "apply", str(SPECIFICATION))
        publish(registered, steps_of(world)[1])
        loop.start("observer")
        wanted = sum(true_counts(world).values())
        letters = loop.wait("the dead letters", lambda: dead_letters(loop, wanted))
        assert len(letters) == wanted
        for letter in letters:
            headers = dict(letter.headers())
            assert headers["driftloop.reason"] == b"unknown-schema"
            assert b"set DRIFTLOOP_SCHEMA_REGISTRY_URL" in headers["__connect.errors.exception.message"]
        assert loop.stop() == {"observer": 0}
