"""ed25519 keys: the retrainer signs with a private one, an app trusts a list of public ones.

The private key is a PEM file that only its owner may read. The first start makes one, so that a laptop needs no
set-up; a deployment names its own (DRIFTLOOP_SIGNING_KEY) and lists what its apps trust (DRIFTLOOP_TRUSTED_KEYS).
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from driftloop.schemas.errors import ConfigError
from driftloop.schemas.settings import Settings

TrustedKeys = Mapping[str, Ed25519PublicKey]
"""Key id -> public key."""


class SigningKey(NamedTuple):
    """A private key, the id under which manifests name it, and the hex of its public half."""

    private: Ed25519PrivateKey
    key_id: str
    public_hex: str


def key_path(settings: Settings) -> Path:
    """Where the signing key lies."""
    return settings.signing_key or settings.state_folder / "keys" / "signing.pem"


def ensure_signing_key(settings: Settings) -> SigningKey:
    """The signing key; made (mode 0600) when there is none. ConfigError when it cannot be made, read or trusted."""
    path = key_path(settings)
    try:
        if not path.exists():
            _make(path)
        return _load(path)
    except OSError as error:
        raise ConfigError(
            f"the signing key {path} can neither be read nor made: {error.strerror}",
            "set DRIFTLOOP_STATE to a folder of this user, or DRIFTLOOP_SIGNING_KEY to an existing key",
        ) from error


def trusted_keys(settings: Settings) -> TrustedKeys:
    """The keys that may sign a model: those of DRIFTLOOP_TRUSTED_KEYS and no other, or our own where none are set."""
    return parse_public_keys(settings.trusted_keys or (ensure_signing_key(settings).public_hex,))


def parse_public_keys(keys_hex: Iterable[str]) -> TrustedKeys:
    """Public keys by id. ConfigError for what is no ed25519 public key."""
    found: dict[str, Ed25519PublicKey] = {}
    for text in keys_hex:
        try:
            raw = bytes.fromhex(text)
            found[key_id_of(raw)] = Ed25519PublicKey.from_public_bytes(raw)
        except ValueError as error:
            raise ConfigError(
                f"{text[:80]!r} is no ed25519 public key",
                "64 hexadecimal digits each, comma-separated, as printed when the signing key was made",
            ) from error
    return found


def key_id_of(public_raw: bytes) -> str:
    """The first 16 hex digits of the sha256 of the 32 public bytes."""
    return hashlib.sha256(public_raw).hexdigest()[:16]


def signing_key(private: Ed25519PrivateKey) -> SigningKey:
    """A private key with its id."""
    raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return SigningKey(private, key_id_of(raw), raw.hex())


def _make(path: Path) -> None:
    """Linked into place, not renamed: of two first starts at once one wins, and both read the winner's key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return
    finally:
        Path(name).unlink()


def _load(path: Path) -> SigningKey:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise ConfigError(f"the signing key {path} may be read by others (mode {mode:04o})", f"chmod 600 {path}")
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{path} is no unencrypted PEM private key", "openssl genpkey -algorithm ed25519 -out FILE makes one"
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigError(f"{path} is no ed25519 key", "openssl genpkey -algorithm ed25519 -out FILE makes one")
    return signing_key(private)
