"""The store: what comes out is what went in, byte for byte, or a plain error."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driftloop.artefacts.store import Store
from driftloop.schemas.errors import BadRecord, ConfigError, Unavailable
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

Slug = Callable[[pytest.ExceptionInfo[Any]], str]


@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300))
def test_what_comes_out_is_what_went_in(tmp_path: Path, data: bytes) -> None:
    store = Store(tmp_path)
    stored = store.put(data)
    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert store.get(stored.sha256, stored.size_bytes) == data
    assert store.put(data) == stored


def test_nothing_but_the_artefact_is_left_in_the_folder(tmp_path: Path) -> None:
    stored = Store(tmp_path).put(b"model")
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()] == [stored.uri]


def test_a_missing_file_may_come_later(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"there is no artefact .*\n.*DRIFTLOOP_ARTEFACTS"):
        Store(tmp_path).get("ab" * 32, 3)


def test_a_truncated_file_and_a_grown_one_are_told_by_size(tmp_path: Path, refused: Slug) -> None:
    store = Store(tmp_path)
    stored = store.put(b"a model of some size")
    for bytes_now, count in ((b"a model", 7), (b"a model of some size, and more", 30)):
        (tmp_path / stored.uri).write_bytes(bytes_now)
        with pytest.raises(BadRecord, match=f"has {count} bytes, the manifest says 20") as info:
            store.get(stored.sha256, stored.size_bytes)
        assert refused(info) == "artefact-size"


def test_a_changed_byte_is_told_by_hash_and_healed_by_the_next_put(tmp_path: Path, refused: Slug) -> None:
    store = Store(tmp_path)
    stored = store.put(b"a model of some size")
    (tmp_path / stored.uri).write_bytes(b"A model of some size")
    with pytest.raises(BadRecord) as info:
        store.get(stored.sha256, stored.size_bytes)
    assert refused(info) == "artefact-hash"
    store.put(b"a model of some size")
    assert store.get(stored.sha256, stored.size_bytes) == b"a model of some size"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "AB" * 32, "ab" * 31 + "/x"])
def test_a_manifest_cannot_lead_out_of_the_folder(tmp_path: Path, name: str, refused: Slug) -> None:
    with pytest.raises(BadRecord) as info:
        Store(tmp_path).get(name, 1)
    assert refused(info) == "artefact-name"


def test_too_large_is_refused_in_both_directions(tmp_path: Path, refused: Slug) -> None:
    stored = Store(tmp_path).put(b"123456")
    small = Store(tmp_path, size_bytes_most=5)
    with pytest.raises(ConfigError, match="more than the 5 allowed"):
        small.put(b"123456")
    with pytest.raises(BadRecord) as info:
        small.get(stored.sha256, stored.size_bytes)
    assert refused(info) == "artefact-too-large"


def test_a_folder_that_cannot_be_written_says_which_setting_helps(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="DRIFTLOOP_ARTEFACTS"):
        Store(tmp_path / "file").put(b"model")
