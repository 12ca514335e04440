"""The signature of a manifest: ed25519 over the canonical JSON of what it says.

Signed is every field except the signature, but only where it differs from its default. A field added to
ModelPublished later therefore leaves the signatures of older manifests valid, and says nothing that an absent field
does not say. The domain line keeps the same bytes from meaning something under another protocol.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from cryptography.exceptions import InvalidSignature
from driftloop.artefacts.keys import SigningKey, TrustedKeys
from driftloop.schemas.codec import canonical_json, decode, encode
from driftloop.schemas.errors import BadRecord, ConfigError
from driftloop.schemas.events import ModelPublished
from driftloop.schemas.records import defaults_of, is_record, names_of

_DOMAIN = b"driftloop.models.v1\n"


def sign(manifest: ModelPublished, key: SigningKey) -> ModelPublished:
    """The manifest as a reader will see it, with ``key_id`` and ``signature``. ConfigError for a NaN in it.

    It goes through the codec first: a whole number where a double belongs would be signed as 1 and read as 1.0.
    """
    named = decode(encode(dataclasses.replace(manifest, key_id=key.key_id, signature="")))
    assert isinstance(named, ModelPublished)
    try:
        text = signed_bytes(named)
    except ValueError as error:
        raise ConfigError(
            f"the manifest of {manifest.model} {manifest.version} cannot be signed: {error}",
            "leave out metrics that are not finite",
        ) from error
    return dataclasses.replace(named, signature=key.private.sign(text).hex())


def verify(manifest: ModelPublished, trusted: TrustedKeys) -> None:
    """BadRecord (unsigned, untrusted-key, bad-signature) unless a trusted key signed exactly this manifest."""
    place = f"manifest of {manifest.model} {manifest.version}"
    if not manifest.signature or not manifest.key_id:
        raise BadRecord("unsigned", f"the {place} is not signed", "publish it with the retrainer, which signs")
    key = trusted.get(manifest.key_id)
    if key is None:
        raise BadRecord(
            "untrusted-key",
            f"the {place} is signed by key {manifest.key_id}, which is not trusted here",
            f"trusted are {', '.join(trusted) or 'none'}; add the signer's public key to DRIFTLOOP_TRUSTED_KEYS",
        )
    try:
        key.verify(bytes.fromhex(manifest.signature), signed_bytes(manifest))
    except (InvalidSignature, ValueError) as error:
        raise BadRecord(
            "bad-signature",
            f"the {place} is not what key {manifest.key_id} signed",
            "somebody changed it after it was published: publish this version again and find out who",
        ) from error


def signed_bytes(manifest: ModelPublished) -> bytes:
    """What is signed, as bytes."""
    said = _said(manifest)
    said.pop("signature", None)
    return _DOMAIN + canonical_json(said).encode()


def _said(value: Any) -> Any:
    """A record as plain JSON values, without the fields that say no more than their default."""
    if is_record(value):
        usual = defaults_of(value)
        said = {name: getattr(value, name) for name in names_of(value)}
        return {name: _said(one) for name, one in said.items() if name not in usual or one != usual[name]}
    if isinstance(value, list | tuple):
        return [_said(v) for v in value]
    return value
