"""The catalogue folds the compacted topics, in any order, and one bad record hides nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from driftloop.schemas.baseline.reference import Baselines, build_reference
from driftloop.schemas.batches.columns import read_predictions
from driftloop.schemas.batches.prediction import encode_prediction, layout
from driftloop.schemas.catalogue import Catalogue
from driftloop.schemas.codec import Event, canonical_json, encode
from driftloop.schemas.events import MonitorApplied, ReferenceBuilt, SchemaRegistered, TimeMarker
from driftloop.schemas.monitor.specification import MonitorSpecification, compile_monitor

BARE = compile_monitor((Path(__file__).parents[1] / "data" / "small.toml").read_text(), "small.toml")
COLUMNS = {name: np.arange(9.0) for name in ("amount", "income", "age")} | {"grade": np.array(["A"] * 9, object)}
TIMES = 1.4e9 + np.arange(9.0)
SPEC, BASELINES = build_reference(BARE, COLUMNS, np.zeros(9, int), score=np.full(9, 0.5), event_time=TIMES)


def applied(spec: MonitorSpecification) -> Event:
    return MonitorApplied(spec.model, spec.spec, spec.to_json())


def built(spec: MonitorSpecification, found: Baselines) -> Event:
    return ReferenceBuilt(spec.model, spec.spec, found.reference, found.to_json())


def absorb(catalogue: Catalogue, topic: str, offset: int, event: Event) -> None:
    catalogue.absorb(topic, offset, b"key", encode(event))


def test_the_latest_offset_wins_whatever_the_order() -> None:
    for order in ([0, 1], [1, 0]):
        catalogue = Catalogue()
        for offset in order:
            absorb(catalogue, "monitors", offset, applied([BARE, SPEC][offset]))
        assert catalogue.models() == ["loans"]
        assert catalogue.specification("loans") == SPEC
        assert catalogue.specification("loans", BARE.spec) == BARE
    assert catalogue.specification("unheard of") is None
    assert catalogue.specification("loans", "0" * 16) is None


def test_baselines_count_only_on_the_bins_they_were_made_for() -> None:
    catalogue = Catalogue()
    absorb(catalogue, "references", 0, built(SPEC, BASELINES))
    assert catalogue.baselines("loans") is None, "no monitor yet"
    absorb(catalogue, "monitors", 0, applied(BARE))
    assert catalogue.baselines("loans") is None, "other bins"
    absorb(catalogue, "monitors", 1, applied(SPEC))
    assert catalogue.baselines("loans") == (BASELINES.reference, BASELINES)
    absorb(catalogue, "monitors", 2, applied(replace(SPEC, minimum_rows=7)))
    assert catalogue.baselines("loans") == (BASELINES.reference, BASELINES), "the same bins"
    assert catalogue.baselines_of("loans", BASELINES.reference) == BASELINES


def test_an_older_schema_of_the_topic_is_read_too() -> None:
    older = layout(replace(BARE, features=BARE.features[:2]))
    record = encode_prediction(older, 1.4e9, 0.5, {"amount": 1.0, "income": 2.0}, "v1")
    catalogue = Catalogue()
    absorb(catalogue, "monitors", 0, applied(SPEC))
    assert read_predictions([record], catalogue.layouts).rejected[0].reason == "unknown-schema"
    fingerprint = older.fingerprint.hex()
    before = catalogue.layouts
    absorb(catalogue, "schemas", 0, SchemaRegistered(fingerprint, canonical_json(older.schema), "loans", BARE.spec))
    assert catalogue.layouts is not before
    assert catalogue.layouts is catalogue.layouts, "kept while nothing changes"
    assert read_predictions([record], catalogue.layouts).columns[0].numeric.tolist()[0][:2] == [1.0, 2.0]


def test_what_cannot_be_read_is_told_and_changes_nothing() -> None:
    catalogue = Catalogue()
    absorb(catalogue, "monitors", 0, applied(SPEC))
    catalogue.absorb("monitors", 1, b"loans", b"noise")
    catalogue.absorb("monitors", 2, b"loans", None)
    absorb(catalogue, "monitors", 3, MonitorApplied("loans", BARE.spec, SPEC.to_json()))
    absorb(catalogue, "monitors", 4, MonitorApplied("loans", BARE.spec, "{}"))
    absorb(catalogue, "references", 5, ReferenceBuilt("loans", SPEC.spec, "0" * 16, BASELINES.to_json()))
    absorb(catalogue, "schemas", 6, SchemaRegistered("xyz", "{}", "loans", ""))
    absorb(catalogue, "schemas", 7, SchemaRegistered("00" * 8, "[]", "loans", ""))
    absorb(catalogue, "schemas", 8, TimeMarker(0.0, "app"))
    assert catalogue.specification("loans") == SPEC
    assert [offset for _, offset, _ in catalogue.faults] == [1, 3, 4, 5, 6, 7, 8]
    assert "does not fit its content" in catalogue.faults[1][2]
