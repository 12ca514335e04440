"""Asking a real registry: what is registered where, what is remembered, and what each refusal means."""

from __future__ import annotations

from dataclasses import replace

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from driftloop.client.producer import Producer
from driftloop.client.registry import framing_for
from driftloop.schemas.batches.prediction import layout
from driftloop.schemas.codec import PLAIN, decode, encode, schema_of
from driftloop.schemas.errors import BadRecord, ConfigError, Unavailable
from driftloop.schemas.events import GroundTruth, TimeMarker
from driftloop.schemas.monitor.specification import Feature, MonitorSpecification
from driftloop.schemas.registry import RegistryAway
from driftloop.schemas.settings import Settings
from driftloop.schemas.wire import CONFLUENT, Framing
from driftloop.streams.transport.registry import SchemasById, schemas_by_id

from .apicurio import Registry

pytestmark = pytest.mark.xdist_group("registry")
NOBODY = "http://127.0.0.1:9"


def monitor(model: str, kind: str = "numeric") -> MonitorSpecification:
    features = (Feature("income", "f_income", kind), Feature("region", "f_region", "categorical"))
    return MonitorSpecification(
        model=model, task="binary", classes=("repaid", "default"), features=features, horizon_seconds=86_400.0
    )


def test_what_was_registered_is_read_back_by_its_id(registry: Registry) -> None:
    settings = Settings(schema_registry_url=registry.url)
    truth = GroundTruth(1_700_000_000.0, "loans", "repaid")
    written = encode(truth, framing_for(settings, "read-back", schema_of(GroundTruth)))
    assert written.startswith(CONFLUENT) and len(written) == len(encode(truth)) - 5
    assert decode(written, Framing(schemas_by_id(settings))) == truth
    assert "read-back-driftloop.v1.GroundTruth" in registry.subjects()
    again = framing_for(settings, "read-back", schema_of(GroundTruth))
    assert encode(truth, again) == written, "looked up, not registered once more"


def test_without_the_setting_nothing_is_asked_and_an_id_names_it() -> None:
    assert framing_for(Settings(), "any", schema_of(GroundTruth)) is PLAIN
    assert schemas_by_id(Settings()) is None
    with pytest.raises(BadRecord, match="DRIFTLOOP_SCHEMA_REGISTRY_URL") as caught:
        decode(b"\x00\x00\x00\x00\x01" + encode(TimeMarker(1.7e9, "app"))[10:])
    assert caught.value.reason == "unknown-schema"


def test_an_id_is_asked_for_once(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftloop.streams.transport.registry.ASKED_AGAIN_SECONDS", 3600.0)
    framing = framing_for(Settings(schema_registry_url=registry.url), "once", schema_of(TimeMarker))
    number = int.from_bytes(framing.header(schema_of(TimeMarker))[1:])
    schemas = SchemasById(registry.url)
    known = schemas(number)
    assert known is not None and schemas(987_654) is None and schemas(-1) is None
    with registry.silent():  # whoever asked now would wait and be told so
        assert (schemas(number), schemas(987_654)) == (known, None)


def test_many_models_share_a_topic_and_a_model_keeps_to_its_own_rule(registry: Registry) -> None:
    settings = Settings(schema_registry_url=registry.url)
    for model in ("loans", "flights"):
        framing_for(settings, "shared", layout(monitor(model)).record)
    subjects = {s for s in registry.subjects() if s.startswith("shared-")}
    assert subjects == {"shared-driftloop.predictions.loans", "shared-driftloop.predictions.flights"}
    client = SchemaRegistryClient({"url": registry.url})
    client.set_compatibility("shared-driftloop.predictions.loans", "FULL_TRANSITIVE")
    with pytest.raises(ConfigError, match=r"shared-driftloop\.predictions\.loans") as caught:
        framing_for(settings, "shared", layout(monitor("loans", kind="categorical")).record)
    assert "409" in caught.value.message, "income was a number and is a text now"


def test_a_registry_that_is_away_may_come_back_and_one_that_is_none_may_not(registry: Registry) -> None:
    for ask in (
        lambda url: framing_for(Settings(schema_registry_url=url), "t", schema_of(GroundTruth)),
        lambda url: SchemasById(url)(1),
    ):
        with pytest.raises(RegistryAway, match=r"http://127\.0\.0\.1:9 does not answer"):
            ask("http://me:secret@127.0.0.1:9")
        with pytest.raises(ConfigError, match=r"/apis/nonsense/v7 answers 404") as caught:
            ask(registry.url.replace("ccompat", "nonsense"))
        assert "Confluent API" in caught.value.hint


def test_a_producer_says_at_once_that_the_registry_is_away(settings: Settings) -> None:
    with pytest.raises(Unavailable, match="schema registry"):
        Producer("loans", replace(settings, schema_registry_url=NOBODY), specification=monitor("loans"))


def test_an_address_that_is_none_is_refused_and_a_password_is_not_shown() -> None:
    with pytest.raises(ConfigError, match="DRIFTLOOP_SCHEMA_REGISTRY_URL is no address"):
        Settings.from_environment({"DRIFTLOOP_SCHEMA_REGISTRY_URL": "mock://here"})
    assert "secret" not in repr(Settings(schema_registry_url="https://me:secret@registry"))
