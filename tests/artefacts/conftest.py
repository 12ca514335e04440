"""A small published model: its store, its key and its manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from driftloop.artefacts.keys import SigningKey, TrustedKeys, ensure_signing_key, trusted_keys
from driftloop.artefacts.signature import sign
from driftloop.artefacts.store import Store
from driftloop.schemas.events import DatasetVersion, ModelPublished, OffsetRange
from driftloop.schemas.settings import Settings


class Shop(NamedTuple):
    """Where models are published in these tests."""

    store: Store
    key: SigningKey
    trusted: TrustedKeys

    def publish(self, data: bytes, **changes: Any) -> ModelPublished:
        """Store the bytes and sign a manifest that says so."""
        stored = self.store.put(data)
        said: dict[str, Any] = {
            "model": "flights",
            "version": "v2",
            "uri": stored.uri,
            "sha256": stored.sha256,
            "size_bytes": stored.size_bytes,
            "as_of": 1362096000.0,
            "trainer": "test:train",
            "run": "run-1",
            "parent": "v1",
            "metrics": {"log_loss": 0.45},
            "dataset": DatasetVersion(9, "ab" * 32, 0.0, 1.0, (OffsetRange("predictions", 0, 3, 12),)),
        }
        return sign(ModelPublished(**(said | changes)), self.key)

    def path(self, manifest: ModelPublished) -> Path:
        """The file of a manifest."""
        return self.store.folder / manifest.uri


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    settings = Settings(state_folder=tmp_path)
    return Shop(Store(settings.artefacts), ensure_signing_key(settings), trusted_keys(settings))


@pytest.fixture
def refused() -> Callable[[pytest.ExceptionInfo[Any]], str]:
    """The slug of an error that also says what to do."""

    def slug(info: pytest.ExceptionInfo[Any]) -> str:
        assert info.value.hint, "an error without a way out"
        return str(info.value.reason)

    return slug
