"""The signature covers every field; whoever changes one, changes all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driftloop.artefacts.keys import ensure_signing_key
from driftloop.artefacts.signature import sign, signed_bytes, verify
from driftloop.schemas.codec import decode, encode
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.events import DatasetVersion, ModelPublished
from driftloop.schemas.settings import Settings

Slug = Callable[[pytest.ExceptionInfo[Any]], str]


def test_a_manifest_survives_the_wire_with_its_signature(shop: Any) -> None:
    manifest = shop.publish(b"model", as_of=1362096000, metrics={"rows": 5, "log_loss": 0.1})
    read = decode(encode(manifest))
    assert read == manifest
    verify(read, shop.trusted)


CHANGES: dict[str, Any] = {
    "model": "other",
    "version": "v3",
    "uri": "elsewhere",
    "sha256": "00" * 32,
    "size_bytes": 1,
    "as_of": 0.0,
    "trainer": "evil:train",
    "run": "",
    "parent": "",
    "libraries": {"numpy": "1.0"},
    "metrics": {},
    "dataset": None,
    "signature": "00" * 64,
}


def test_the_list_of_changes_below_names_every_field() -> None:
    assert set(CHANGES) | {"key_id"} == {f.name for f in dataclasses.fields(ModelPublished)}


@pytest.mark.parametrize("field", CHANGES)
def test_a_change_of_any_field_is_found(shop: Any, field: str, refused: Slug) -> None:
    manifest = dataclasses.replace(shop.publish(b"model"), **{field: CHANGES[field]})
    with pytest.raises(BadRecord, match=rf"manifest of {manifest.model} {manifest.version} is not what key") as info:
        verify(manifest, shop.trusted)
    assert refused(info) == "bad-signature"


def test_a_change_deep_in_the_dataset_is_found(shop: Any) -> None:
    manifest = shop.publish(b"model")
    fewer = dataclasses.replace(manifest.dataset, offsets=())
    with pytest.raises(BadRecord, match="is not what key"):
        verify(dataclasses.replace(manifest, dataset=fewer), shop.trusted)


def test_the_signature_of_another_key_under_our_key_id_is_found(shop: Any, tmp_path: Path) -> None:
    thief = ensure_signing_key(Settings(state_folder=tmp_path / "thief"))._replace(key_id=shop.key.key_id)
    with pytest.raises(BadRecord, match="is not what key"):
        verify(sign(shop.publish(b"model"), thief), shop.trusted)


def test_an_untrusted_key_is_named_with_the_way_out(shop: Any, tmp_path: Path, refused: Slug) -> None:
    stranger = ensure_signing_key(Settings(state_folder=tmp_path / "stranger"))
    with pytest.raises(BadRecord, match=rf"{stranger.key_id}, which is not trusted.*\n.*DRIFTLOOP_TRUSTED") as info:
        verify(sign(shop.publish(b"model"), stranger), shop.trusted)
    assert refused(info) == "untrusted-key"


@pytest.mark.parametrize("change", [{"signature": ""}, {"key_id": ""}])
def test_an_unsigned_manifest_is_refused(shop: Any, change: dict[str, str], refused: Slug) -> None:
    with pytest.raises(BadRecord) as info:
        verify(dataclasses.replace(shop.publish(b"model"), **change), shop.trusted)
    assert refused(info) == "unsigned"


def test_garbage_for_a_signature_is_a_bad_signature(shop: Any, refused: Slug) -> None:
    with pytest.raises(BadRecord) as info:
        verify(dataclasses.replace(shop.publish(b"model"), signature="not hex"), shop.trusted)
    assert refused(info) == "bad-signature"


def test_a_metric_that_is_no_number_cannot_be_signed(shop: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be signed"):
        shop.publish(b"model", metrics={"auc": float("nan")})


def test_a_field_added_later_leaves_old_signatures_valid() -> None:
    """What is signed names only fields that differ from their default; a new field with its default is not one."""
    plain = ModelPublished("m", "v1", "u", "s", 1, 0.0, "t", "r", "p")
    assert set(plain.__slots__) > {"libraries", "metrics", "dataset"}
    text = signed_bytes(plain)
    assert b"libraries" not in text and b"dataset" not in text and b"key_id" not in text
    told = signed_bytes(dataclasses.replace(plain, dataset=DatasetVersion(0, "", 0.0, 0.0)))
    assert b'"dataset":{' in told
