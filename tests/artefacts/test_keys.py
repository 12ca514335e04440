"""Keys: made at the first start, readable by their owner alone, trusted only when listed."""

from __future__ import annotations

import multiprocessing
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from driftloop.artefacts.keys import ensure_signing_key, key_path, trusted_keys
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.settings import Settings


def test_the_first_start_makes_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    settings = Settings(state_folder=tmp_path / "fresh")
    key = ensure_signing_key(settings)
    path = key_path(settings)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["signing.pem"], "a temporary file was left"
    assert ensure_signing_key(settings).key_id == key.key_id, "the second start made another key"


def test_without_a_list_our_own_key_is_trusted_and_with_one_only_the_list(tmp_path: Path) -> None:
    ours = ensure_signing_key(Settings(state_folder=tmp_path / "ours"))
    theirs = ensure_signing_key(Settings(state_folder=tmp_path / "theirs"))
    assert set(trusted_keys(Settings(state_folder=tmp_path / "ours"))) == {ours.key_id}
    listed = Settings(state_folder=tmp_path / "ours", trusted_keys=(theirs.public_hex,))
    assert set(trusted_keys(listed)) == {theirs.key_id}


def key_id_of_first_start(folder: Path) -> str:
    return ensure_signing_key(Settings(state_folder=folder)).key_id


def test_services_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("fork")) as pool:
        ids = set(pool.map(key_id_of_first_start, [tmp_path / "shared"] * 8))
    assert len(ids) == 1


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = Settings(state_folder=tmp_path)
    ensure_signing_key(settings)
    key_path(settings).chmod(0o644)
    with pytest.raises(ConfigError, match=r"may be read by others.*\n.*chmod 600"):
        ensure_signing_key(settings)


def test_a_file_that_is_no_key_and_a_key_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.touch(mode=0o600)
    settings = Settings(state_folder=tmp_path, signing_key=path)
    path.write_text("not a key")
    with pytest.raises(ConfigError, match="no unencrypted PEM private key"):
        ensure_signing_key(settings)
    path.write_bytes(
        generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with pytest.raises(ConfigError, match="no ed25519 key"):
        ensure_signing_key(settings)


@pytest.mark.parametrize("text", ["xyz", "abcd", "00" * 31])
def test_a_listed_key_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=f"'{text}' is no ed25519 public key"):
        trusted_keys(Settings(trusted_keys=(text,)))


def test_a_state_folder_that_cannot_be_written_says_which_setting_helps(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="DRIFTLOOP_STATE"):
        ensure_signing_key(Settings(state_folder=tmp_path / "file"))
